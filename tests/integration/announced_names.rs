//! Servers that go by names: certificates are for those alone, and not for the addresses at which the servers are.

use redis_manager::prelude::*;
use redis_manager_support::{TestCluster, TestSentinel, TestServer, Validity};

use crate::cluster_fixture::{expect_unloaded, key_of_each, named};
use crate::cluster_listening::{listened_at_one, told_to_a_listener};
use crate::fixture::{Host, PATIENCE, PROTOCOLS, eventually};
use crate::listening::{hearing, next_text};
use crate::reconnect::{open, options};
use crate::tls_fixture::Certificates;

const BY_NAME: [&str; 4] = [
    "--cluster-announce-hostname",
    "localhost",
    "--cluster-preferred-endpoint-type",
    "hostname",
];

/// Nodes have names since the version that has shard channels.
fn is_tried() -> bool {
    TestServer::shared().is_tried_with("SSUBSCRIBE")
}

/// Reaches every node, also one that a MOVED tells of, and hears what comes by a shard channel.
#[track_caller]
fn expect_reached(cluster: &TestCluster, url: &str, options: &ClientOptions) {
    for protocol in PROTOCOLS {
        let host = Host::new();
        let options = || options.to_builder().protocol(protocol);
        let client: RedisCommandClient = open(&host, named(&host, url), options());
        let keys = key_of_each(cluster);
        for key in &keys {
            let () = client.commands().set(key, 1).unwrap();
            let () = client.session().unwrap().set(key, 2).unwrap();
        }
        let pubsub: RedisPubSubClient = open(&host, named(&host, url), options());
        let channel = Channel::shard(keys[0].as_bytes());
        let told = told_to_a_listener(&pubsub, &channel);
        let owner = cluster.owner_of(&keys[0]).port();
        let mut masters = cluster.masters().into_iter();
        let other = masters.find(|node| node.port() != owner).unwrap();
        cluster.migrate(cluster.slot(&keys[0]), other);
        let n: i64 = client.commands().incr(&keys[0], 1).unwrap();
        assert_eq!(n, 3);
        eventually("it comes by the other node", || {
            listened_at_one(cluster, &channel).port() == other.port()
        });
        other.run(&["SPUBLISH", &keys[0], "m"]);
        loop {
            match told.recv_timeout(PATIENCE).unwrap() {
                ListenerEvent::Message(message) => break assert_eq!(message.payload(), b"m"),
                ListenerEvent::Gap(_) => {}
                event => panic!("{event:?}"),
            }
        }
        expect_unloaded(&host, cluster);
    }
}

#[test]
fn nodes_of_a_cluster_are_verified_by_the_names_that_they_announce() {
    if !is_tried() {
        return;
    }
    let certificates = Certificates::new(&["localhost"], Validity::Current);
    let cluster = TestCluster::builder().replicas(0).args(BY_NAME);
    let Some(cluster) = cluster.tls(certificates.server()).start_with_tls() else {
        return;
    };
    let url = cluster.url().replace("127.0.0.1", "localhost");
    let trusting = options(Protocol::Auto).tls(certificates.trusting());
    expect_reached(&cluster, &url, &trusting.build().unwrap());
}

#[test]
fn nodes_whose_certificates_lack_their_addresses_are_told_how_they_announce_names() {
    let certificates = Certificates::new(&["localhost"], Validity::Current);
    let cluster = TestCluster::builder().masters(1).replicas(0);
    let Some(cluster) = cluster.tls(certificates.server()).start_with_tls() else {
        return;
    };
    for protocol in PROTOCOLS {
        let host = Host::new();
        let trusting = options(protocol).tls(certificates.trusting()).build();
        let (script, options) = (&host.script, trusting.unwrap());
        let opened = host
            .manager
            .open_with::<RedisCommandClient>(script, cluster.url(), options);
        let error = opened.unwrap_err();
        for part in ["is for another host", "`cluster-announce-hostname`"] {
            assert!(error.message().contains(part), "{error}");
        }
    }
}

#[test]
fn nodes_that_the_uri_has_by_their_addresses_may_announce_names() {
    if !is_tried() {
        return;
    }
    let cluster = TestCluster::builder().replicas(0).args(BY_NAME);
    let cluster = cluster.start_or_panic();
    expect_reached(&cluster, &cluster.url(), &ClientOptions::default());
}

#[test]
fn a_master_is_verified_by_the_name_that_sentinels_have_for_it() {
    let certificates = Certificates::new(&["localhost"], Validity::Current);
    let server = TestServer::builder().tls(certificates.server());
    let Some(server) = server.start_with_tls() else {
        return;
    };
    let port = server.tls_port().unwrap();
    let start = |announces: &str| {
        TestSentinel::builder()
            .tls(certificates.server())
            .line("sentinel resolve-hostnames yes")
            .line(format!("sentinel announce-hostnames {announces}"))
            .line(format!("sentinel monitor main localhost {port} 1"))
            .start_or_panic(server.binary())
    };
    for (announces, is_verified) in [("yes", true), ("no", false)] {
        let sentinel = start(announces);
        let at = sentinel.tls_port().unwrap();
        let url = format!("rediss-sentinel://localhost:{at}#main");
        for protocol in PROTOCOLS {
            let host = Host::new();
            let trusting = || options(protocol).tls(certificates.trusting());
            if !is_verified {
                let options = trusting().build().unwrap();
                let opened =
                    host.manager
                        .open_with::<RedisCommandClient>(&host.script, &url, options);
                let error = opened.unwrap_err();
                assert!(error.message().contains("is for another host"), "{error}");
                let hint = "`sentinel announce-hostnames yes`";
                assert!(error.message().contains(hint), "{error}");
                continue;
            }
            let client: RedisCommandClient = open(&host, &url, trusting());
            let () = client.session().unwrap().set("k", "v").unwrap();
            let pubsub: RedisPubSubClient = open(&host, &url, trusting());
            let (function, heard) = hearing();
            pubsub.register_listener("c", function).unwrap();
            assert_eq!(pubsub.publish("c", "m").unwrap(), 1);
            assert_eq!(next_text(&heard), "m");
            let snapshot = client.snapshot().address;
            assert_eq!(snapshot, format!("localhost:{port} (master main)"));
        }
    }
}
