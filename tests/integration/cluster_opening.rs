//! Openings of a cluster, by some of its nodes and with whatever they ask for.

use std::error::Error as StdError;
use std::sync::Arc;

use redis_manager::prelude::*;
use redis_manager::{Credentials, CredentialsProvider};
use redis_manager_support::{TestCluster, TestServer, Validity};

use crate::cluster_fixture::{expect_unloaded, key_of_each, named, open_in, sockets};
use crate::fixture::{Host, PROTOCOLS, eventually};
use crate::mistakes::{PASSWORD, everything};
use crate::reconnect::{open, options};
use crate::tls_fixture::{Certificates, HOSTS};

const CONNECTED: [ClientType; 2] = [ClientType::Command, ClientType::PubSub];

#[test]
fn any_node_that_is_there_tells_of_all_others() {
    let cluster = TestCluster::start();
    let down = cluster.replicas()[0];
    let addresses = [down, cluster.masters()[0]].map(|node| format!("127.0.0.1:{}", node.port()));
    let urls = [
        cluster.url_of(cluster.replicas()[1]),
        format!("redis-cluster://{}", addresses.join(",")),
        cluster.url(),
    ];
    down.kill().unwrap();
    for protocol in PROTOCOLS {
        let host = Host::new();
        for url in &urls {
            let client: RedisCommandClient = open(&host, named(&host, url), options(protocol));
            for key in key_of_each(&cluster) {
                let () = client.commands().set(&key, 1).unwrap();
            }
        }
        expect_unloaded(&host, &cluster);
    }
}

#[test]
fn if_no_node_is_there_the_opening_fails_and_a_lazy_client_waits_for_one() {
    let cluster = TestCluster::builder()
        .replicas(0)
        .durable()
        .start_or_panic();
    let host = Host::new();
    for node in cluster.nodes() {
        node.kill().unwrap();
    }
    for kind in CONNECTED {
        let opened = host
            .manager
            .open_redis_client(&host.script, kind, cluster.url());
        let error = opened.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connect, "{error}");
        let port = cluster.nodes()[2].port().to_string();
        assert!(error.message().contains(&port), "{error}");
    }
    let lazy = options(Protocol::Auto).lazy_connect(true);
    let client: RedisCommandClient = open_in(&host, &cluster, lazy);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| client.commands().incr::<_, _, i64>("key", 1));
        for node in cluster.nodes() {
            node.restart().unwrap();
        }
        assert_eq!(waiting.join().unwrap().unwrap(), 1);
    });
    assert!(!sockets(&host, &cluster).is_empty());
    expect_unloaded(&host, &cluster);
}

/// Asks a vault that is slow.
#[derive(Debug)]
struct Slow;

#[async_trait::async_trait]
impl CredentialsProvider for Slow {
    async fn credentials(&self) -> Result<Credentials, Box<dyn StdError + Send + Sync>> {
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        Ok(Credentials::new(PASSWORD))
    }
}

#[test]
fn a_lazy_client_has_the_whole_connect_timeout_for_its_first_connection() {
    let cluster = TestCluster::builder().password(PASSWORD).start_or_panic();
    let host = Host::new();
    let lazy = options(Protocol::Auto).lazy_connect(true);
    let lazy = lazy.credentials(Arc::new(Slow));
    let client: RedisCommandClient = open(&host, named(&host, &cluster.url()), lazy);
    assert_eq!(client.commands().incr::<_, _, i64>("key", 1).unwrap(), 1);
    expect_unloaded(&host, &cluster);
}

#[test]
fn a_password_is_told_to_every_node_and_a_wrong_one_fails_the_opening() {
    let cluster = TestCluster::builder().password(PASSWORD).start_or_panic();
    cluster.run_everywhere(&["ACL", "SETUSER", "shop", "on", ">sell", "~*", "+@all"]);
    for protocol in PROTOCOLS {
        let host = Host::new();
        let user = cluster.url().replace("://", "://shop:sell@");
        for url in [cluster.url_with_password(), user] {
            let client: RedisCommandClient = open(&host, named(&host, &url), options(protocol));
            let mut session = client.session().unwrap();
            for key in key_of_each(&cluster) {
                let () = client.commands().set(&key, 1).unwrap();
                assert_eq!(session.get::<_, i64>(&key).unwrap(), 1);
            }
        }
        expect_unloaded(&host, &cluster);
        let script = host.manager.load_script("mistaken").unwrap();
        let wrong = cluster.url().replace("://", "://:not-the-one@");
        for url in [cluster.url(), wrong] {
            for kind in CONNECTED {
                let opened = host.manager.open_redis_client(&script, kind, &url);
                let error = opened.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Authentication, "{error}");
                assert!(!everything(&error).contains("not-the-one"));
            }
        }
    }
}

#[test]
fn a_plain_server_behind_the_uri_of_a_cluster_is_a_clear_error() {
    let (server, host) = (TestServer::shared(), Host::new());
    let url = format!("redis-cluster://127.0.0.1:{}", server.port());
    for kind in CONNECTED {
        let opened = host.manager.open_redis_client(&host.script, kind, &url);
        let error = opened.unwrap_err();
        let address = format!("127.0.0.1:{}", server.port());
        assert!(error.message().contains(&address), "{error}");
        assert!(error.message().contains("cluster"), "{error}");
    }
}

#[test]
fn a_user_needs_the_commands_that_the_client_sends_by_itself() {
    let cluster = TestCluster::shared();
    for (name, rules) in [
        ("bare", vec!["+get", "+set", "+ping"]),
        ("slots", vec!["+get", "+set", "+ping", "+cluster"]),
        (
            "enough",
            vec![
                "+get",
                "+set",
                "+ping",
                "+cluster|slots",
                "+command",
                "+asking",
            ],
        ),
    ] {
        let user = [
            "ACL", "SETUSER", name, "on", ">pw", "~*", "+hello", "+client",
        ];
        cluster.run_everywhere(&[&user[..], &rules].concat());
    }
    for protocol in PROTOCOLS {
        let host = Host::new();
        let url = cluster.url().replace("://", "://bare:pw@");
        let kind = ClientType::Command;
        let error = host
            .manager
            .open_redis_client(&host.script, kind, url)
            .unwrap_err();
        assert!(everything(&error).contains("run the 'cluster"), "{error}");
        let message = error.message();
        assert!(message.contains("the ACL rule +cluster|slots"), "{error}");
        assert!(!message.contains("is no node of a cluster"), "{error}");
        let url = cluster.url().replace("://", "://slots:pw@");
        let opened = host.manager.open_redis_client(&host.script, kind, url);
        let error = opened.unwrap_err();
        let message = error.message();
        assert!(message.contains("the ACL rule +command"), "{error}");
        let url = cluster.url().replace("://", "://enough:pw@");
        let client: RedisCommandClient = open(&host, named(&host, &url), options(protocol));
        for key in key_of_each(cluster) {
            let () = client.commands().set(&key, 1).unwrap();
        }
        expect_unloaded(&host, cluster);
    }
}

#[test]
fn with_tls_every_node_is_verified_and_sessions_and_failovers_work_as_without() {
    let certificates = Certificates::new(&HOSTS, Validity::Current);
    let builder = TestCluster::builder().tls(certificates.server());
    let Some(cluster) = builder.start_with_tls() else {
        return;
    };
    assert!(cluster.url().starts_with("rediss-cluster://"));
    for protocol in PROTOCOLS {
        let host = Host::new();
        let trusting = || options(protocol).tls(certificates.trusting());
        let client: RedisCommandClient = open_in(&host, &cluster, trusting());
        let mut commands = client.commands();
        let keys = key_of_each(&cluster);
        for key in &keys {
            let () = commands.set(key, 1).unwrap();
            let mut session = client.session().unwrap();
            assert_eq!(session.get::<_, i64>(key).unwrap(), 1);
        }
        let slot = cluster.slot(&keys[0]);
        let [from, to] = [0, 1].map(|index| cluster.owner_of(&keys[index]));
        cluster.migrate(slot, to);
        assert_eq!(commands.incr::<_, _, i64>(&keys[0], 1).unwrap(), 2);
        cluster.migrate(slot, from);
        let replica = cluster.replicas_of(from)[0];
        cluster.failover(replica);
        eventually("it is followed", || {
            commands
                .get::<_, i64>(&keys[0])
                .is_ok_and(|value| value == 2)
        });
        expect_unloaded(&host, &cluster);
        let untrusting = options(protocol).build().unwrap();
        let kind = ClientType::Command;
        let script = host.manager.load_script("untrusting").unwrap();
        let opened = host
            .manager
            .open_redis_client_with(&script, kind, cluster.url(), untrusting);
        assert_eq!(opened.unwrap_err().kind(), ErrorKind::Connect);
    }
}
