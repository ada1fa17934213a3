//! The cluster fixture keeps its promises: it is whole when it has started, fails over, moves slots, and dies with its
//! owner.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::fs;
use std::time::Duration;

use redis_manager_support::TestCluster;
#[cfg(feature = "certificates")]
use redis_manager_support::{Authority, Issued, TlsServer, Validity};

/// The slot of "foo".
const FOO: u16 = 12_182;

#[test]
fn it_is_whole_when_it_has_started_and_dies_with_its_value() {
    let cluster = TestCluster::start();
    assert_eq!(cluster.nodes().len(), 6);
    assert_eq!((cluster.masters().len(), cluster.replicas().len()), (3, 3));
    assert_eq!(cluster.url().matches("127.0.0.1:").count(), 6);
    assert_eq!(cluster.url_with_password(), cluster.url());
    assert_eq!(cluster.slot("foo"), FOO);
    let owner = cluster.owner_of("foo");
    assert_eq!(owner.run(&["SET", "foo", "1"]).text(), "OK");
    for master in cluster.masters() {
        assert_eq!(cluster.replicas_of(master).len(), 1);
        if master.port() != owner.port() {
            let moved = format!("MOVED {FOO} 127.0.0.1:{}", owner.port());
            assert_eq!(master.command(&["GET", "foo"]).unwrap().text(), moved);
        }
    }
    for slot in [0, 16_383] {
        cluster.owner(slot);
    }
    let pids: Vec<_> = cluster.nodes().iter().map(|node| node.pid()).collect();
    drop(cluster);
    for pid in pids {
        assert!(!fs::exists(format!("/proc/{pid}")).unwrap());
    }
}

#[test]
fn its_size_and_arguments_are_chosen() {
    let builder = TestCluster::builder().masters(1).replicas(0);
    let cluster = builder.args(["--maxclients", "50"]).start().unwrap();
    assert_eq!(cluster.nodes().len(), 1);
    let told = cluster.any().run(&["CONFIG", "GET", "maxclients"]);
    assert_eq!(told.items()[1].text(), "50");
    assert_eq!(cluster.owner(0).port(), cluster.owner(16_383).port());
}

#[test]
fn a_slot_goes_to_another_node_with_its_keys_at_once_or_key_by_key() {
    let cluster = TestCluster::builder().password("secret").start().unwrap();
    let from = cluster.owner(FOO);
    let to = cluster.owner(0);
    let keys = ["foo", "{foo}1", "{foo}2"];
    for key in keys {
        from.run(&["SET", key, key]);
    }
    cluster.begin_migration(FOO, to);
    cluster.migrate_key("foo", to);
    let ask = format!("ASK {FOO} 127.0.0.1:{}", to.port());
    assert_eq!(from.command(&["GET", "foo"]).unwrap().text(), ask);
    assert_eq!(from.run(&["GET", "{foo}1"]).text(), "{foo}1");
    let both = from.command(&["MGET", "foo", "{foo}1"]).unwrap().text();
    assert!(both.starts_with("TRYAGAIN"), "{both}");
    to.run(&["ASKING"]);
    assert_eq!(to.run(&["GET", "foo"]).text(), "foo");
    cluster.finish_migration(FOO, to);
    assert_eq!(cluster.owner(FOO).port(), to.port());
    for key in keys {
        assert_eq!(to.run(&["GET", key]).text(), key);
    }
    cluster.migrate(FOO, from);
    assert_eq!(from.run(&["GET", "foo"]).text(), "foo");
    cluster.wait_until_whole();
}

#[test]
fn a_replica_becomes_the_master_by_consent_and_when_its_master_is_killed() {
    let cluster = TestCluster::start();
    let master = cluster.owner(FOO);
    master.run(&["SET", "foo", "1"]);
    let replica = cluster.replicas_of(master)[0];
    cluster.failover(replica);
    assert_eq!(cluster.owner(FOO).port(), replica.port());
    assert_eq!(replica.run(&["GET", "foo"]).text(), "1");
    assert!(!cluster.is_master(master));

    replica.kill().unwrap();
    assert_eq!(cluster.owner(FOO).port(), master.port());
    cluster.wait_until_ok();
    assert_eq!(master.run(&["GET", "foo"]).text(), "1");
    replica.restart().unwrap();
    cluster.wait_until_whole();
    assert_eq!(cluster.replicas_of(master)[0].port(), replica.port());
}

#[test]
fn a_replica_takes_over_from_a_master_that_is_paused() {
    let cluster = TestCluster::start();
    let master = cluster.owner(FOO);
    let replica = cluster.replicas_of(master)[0];
    master.pause().unwrap();
    assert_eq!(cluster.nodes_up().count(), 5);
    cluster.take_over(replica);
    assert_eq!(cluster.owner(FOO).port(), replica.port());
    master.resume().unwrap();
    cluster.wait_until_whole();
    assert!(!cluster.is_master(master));
}

#[test]
fn without_a_part_of_the_slots_it_is_down_until_that_is_back() {
    let builder = TestCluster::builder().replicas(0).durable();
    let timeout = Duration::from_millis(1000);
    let cluster = builder.node_timeout(timeout).start().unwrap();
    let node = cluster.owner(FOO);
    node.run(&["SET", "foo", "1"]);
    node.kill().unwrap();
    cluster.wait_until_down();
    let refused = cluster.owner(0).command(&["GET", "06S"]).unwrap().text();
    assert!(refused.starts_with("CLUSTERDOWN"), "{refused}");
    node.restart().unwrap();
    cluster.wait_until_whole();
    assert_eq!(node.run(&["GET", "foo"]).text(), "1");
}

#[cfg(feature = "certificates")]
#[test]
fn its_nodes_speak_tls_with_each_other_and_with_clients() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let authority = Authority::new("cluster").unwrap();
    let issued = authority.issue(&["127.0.0.1"], Validity::Current);
    let Issued { certificate, key } = issued.unwrap();
    for (name, text) in [
        ("ca", authority.certificate()),
        ("cert", certificate),
        ("key", key),
    ] {
        fs::write(path(name), text).unwrap();
    }
    let tls = TlsServer {
        certificate: path("cert"),
        key: path("key"),
        ca: path("ca"),
        wants_certificates: false,
    };
    let Some(cluster) = TestCluster::builder().tls(tls).start_with_tls() else {
        return;
    };
    assert!(cluster.url().starts_with("rediss-cluster://127.0.0.1:"));
    let from = cluster.owner(FOO);
    from.run(&["SET", "foo", "1"]);
    let to = cluster.owner(0);
    cluster.migrate(FOO, to);
    assert_eq!(to.run(&["GET", "foo"]).text(), "1");
}
