//! Servers that accept a connection and say nothing: others are asked meanwhile, and the error names who was silent.

use std::net::TcpListener;
use std::time::Instant;

use redis_manager::Protocol;
use redis_manager::prelude::*;
use redis_manager_support::{TestCluster, Validity};

use crate::cluster_fixture::{expect_unloaded, key_of_each, named};
use crate::fixture::{Host, PATIENCE, PROTOCOLS};
use crate::mistakes::{PASSWORD, everything};
use crate::reconnect::{open, options};
use crate::sentinel::StaleSentinel;
use crate::tls_fixture::{Certificates, HOSTS};

const TIMEOUT: Duration = Duration::from_millis(1500);
const CONNECTED: [ClientType; 2] = [ClientType::Command, ClientType::PubSub];

#[test]
fn a_node_that_is_silent_holds_up_no_opening_that_another_answers() {
    let cluster = TestCluster::shared();
    let silent = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let [one, two] = silent.each_ref().map(|it| it.local_addr().unwrap());
    let there = format!("127.0.0.1:{}", cluster.masters()[0].port());
    for protocol in PROTOCOLS {
        let host = Host::new();
        let url = named(&host, &format!("redis-cluster://{one},{two},{there}"));
        let client: RedisCommandClient =
            open(&host, &url, options(protocol).connect_timeout(PATIENCE));
        for key in key_of_each(cluster) {
            let () = client.commands().set(&key, 1).unwrap();
        }
        expect_unloaded(&host, cluster);
    }
    // However long anybody may take.
    let (host, url) = (Host::new(), format!("redis-cluster://{one},{there}"));
    let endless = options(Protocol::Auto).connect_timeout(Duration::MAX);
    let _: RedisCommandClient = open(&host, &url, endless);
    // If nobody answers, each is named.
    let url = format!("redis-cluster://:{PASSWORD}@{one},{two}");
    for kind in CONNECTED {
        let (host, began) = (Host::new(), Instant::now());
        let options = options(Protocol::Auto).connect_timeout(TIMEOUT).build();
        let opened =
            host.manager
                .open_redis_client_with(&host.script, kind, &url, options.unwrap());
        let error = opened.unwrap_err();
        assert!(began.elapsed() < TIMEOUT + PATIENCE / 4);
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
        for address in [one, two] {
            let said = format!("no connection to {address} within");
            assert!(error.message().contains(&said), "{error}");
        }
        assert!(!everything(&error).contains(PASSWORD), "{error:?}");
    }
}

#[test]
fn a_master_that_is_silent_is_named_and_not_its_sentinels() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let master = silent.local_addr().unwrap();
    let sentinel = StaleSentinel::naming(master.port());
    let url = format!("redis-sentinel://127.0.0.1:{}#main", sentinel.port());
    for kind in CONNECTED {
        let host = Host::new();
        let options = options(Protocol::Auto).connect_timeout(TIMEOUT).build();
        let opened =
            host.manager
                .open_redis_client_with(&host.script, kind, &url, options.unwrap());
        let error = opened.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
        let said = format!("no connection to {master} (master main) within");
        assert!(error.message().contains(&said), "{error}");
    }
}

#[test]
fn a_basic_client_names_the_node_that_it_asked() {
    let silent = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let nodes = silent.each_ref().map(|it| it.local_addr().unwrap());
    let url = format!("redis-cluster://{},{}", nodes[0], nodes[1]);
    let host = Host::new();
    let short = options(Protocol::Auto).connect_timeout(TIMEOUT);
    let basic: RedisBasicClient = open(&host, &url, short);
    let error = basic.ping().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    let is_named = |node: &&std::net::SocketAddr| error.message().contains(&node.to_string());
    assert_eq!(nodes.iter().filter(is_named).count(), 1, "{error}");
}

#[test]
fn with_tls_the_error_names_the_time_as_it_was_set_and_says_that_the_ports_may_be_plain() {
    let certificates = Certificates::new(&HOSTS, Validity::Current);
    let silent = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let [one, two] = silent.each_ref().map(|it| it.local_addr().unwrap());
    let both = [one, two];
    for (url, named, plain) in [
        (format!("rediss://{one}"), &both[..1], "redis://"),
        (
            format!("rediss-cluster://{one},{two}"),
            &both[..],
            "redis-cluster://",
        ),
        (
            format!("rediss-sentinel://{one},{two}#main"),
            &both[..],
            "redis-sentinel://",
        ),
    ] {
        let hint = format!("if the port does not speak TLS, the URI begins with {plain}");
        for kind in CONNECTED {
            let (host, options) = (
                Host::new(),
                options(Protocol::Auto).connect_timeout(TIMEOUT),
            );
            let options = options.tls(certificates.trusting()).build().unwrap();
            let opened = host
                .manager
                .open_redis_client_with(&host.script, kind, &url, options);
            let error = opened.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
            for said in ["1.5s", &*hint] {
                let times = error.message().matches(said).count();
                assert_eq!(times, named.len(), "{said}: {error}");
            }
            for address in named {
                assert!(error.message().contains(&address.to_string()), "{error}");
            }
        }
    }
}
