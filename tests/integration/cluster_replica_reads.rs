//! Reads that replicas answer, as long as they can.

use redis_manager::ReadFrom;
use redis_manager::prelude::*;
use redis_manager::redis::pipe;
use redis_manager_support::{TestCluster, TestServer};

use crate::cluster_fixture::{expect_unloaded, key_of, key_of_each, named};
use crate::fixture::{Host, PROTOCOLS, eventually};
use crate::reconnect::{open, options};

/// How many times `node` was asked for a value.
fn reads(node: &TestServer) -> u64 {
    let told = node.run(&["INFO", "commandstats"]).text();
    let of = |name: &str| -> Option<u64> {
        let line = told.lines().find_map(|line| line.strip_prefix(name))?;
        line.split(',').next()?.parse().ok()
    };
    of("cmdstat_get:calls=").unwrap_or(0) + of("cmdstat_mget:calls=").unwrap_or(0)
}

/// Reads in each way, of keys that all have the value 1.
#[track_caller]
fn expect_read(client: &RedisCommandClient, key: &str, others: &[String]) {
    let mut commands = client.commands();
    assert_eq!(commands.get::<_, i64>(key).unwrap(), 1);
    let all: Vec<&str> = others.iter().map(String::as_str).chain([key]).collect();
    let values: Vec<i64> = commands.mget(&all).unwrap();
    assert!(values.iter().all(|value| *value == 1), "{values:?}");
    let mut several = pipe();
    all.iter().for_each(|key| {
        several.get(key);
    });
    let values: Vec<i64> = several.query(&mut commands).unwrap();
    assert!(values.iter().all(|value| *value == 1), "{values:?}");
}

/// A cluster with a key of each master, and one of the first, of which all nodes tell who their replicas are.
fn filled(cluster: &TestCluster) -> (String, Vec<String>) {
    let keys = key_of_each(cluster);
    let key = key_of(cluster, cluster.owner_of(&keys[0]));
    for key in keys.iter().chain([&key]) {
        cluster.owner_of(key).run(&["SET", key, "1"]);
    }
    cluster.wait_until_replicas_are_shown();
    (key, keys)
}

fn open_reading(host: &Host, url: &str, protocol: Protocol) -> RedisCommandClient {
    let reading = options(protocol).read_from(ReadFrom::ReplicaPreferred);
    open(host, named(host, url), reading)
}

#[test]
fn the_master_answers_once_its_replica_is_down() {
    for protocol in PROTOCOLS {
        let (cluster, host) = (TestCluster::start(), Host::new());
        let (key, others) = filled(&cluster);
        let master = cluster.owner_of(&key);
        let replica = cluster.replicas_of(master)[0];
        let client = open_reading(&host, &cluster.url(), protocol);
        eventually("the replica is read from", || {
            let before = reads(replica);
            expect_read(&client, &key, &others);
            reads(replica) > before
        });
        let mut events = client.events();
        replica.kill().unwrap();
        crate::reconnect::expect_lost(&mut events);
        let before = reads(master);
        expect_read(&client, &key, &others);
        assert!(reads(master) > before);
        expect_unloaded(&host, &cluster);
    }
}

#[test]
fn a_replica_that_has_lost_its_master_and_may_not_answer_holds_up_no_read() {
    let cluster = TestCluster::builder().args(["--replica-serve-stale-data", "no"]);
    let cluster = cluster.start_or_panic();
    let (key, others) = filled(&cluster);
    let rules = ["on", ">s3cret", "~*", "+@all", "allchannels"];
    cluster.run_everywhere(&[&["ACL", "SETUSER", "worker"][..], &rules].concat());
    let master = cluster.owner_of(&key);
    let replica = cluster.replicas_of(master)[0];
    let url = cluster.url().replace("://", "://worker:s3cret@");
    let before = PROTOCOLS.map(|protocol| {
        let host = Host::new();
        let client = open_reading(&host, &url, protocol);
        eventually("the replica is read from", || {
            let before = reads(replica);
            expect_read(&client, &key, &others);
            reads(replica) > before
        });
        (host, client)
    });
    // It cannot log in there any more.
    master.run(&["CONFIG", "SET", "requirepass", "another"]);
    master.run(&["CLIENT", "KILL", "TYPE", "replica"]);
    eventually("it has lost its master", || {
        let told = replica.run(&["INFO", "replication"]).text();
        told.contains("master_link_status:down")
    });
    let after = PROTOCOLS.map(|protocol| {
        let host = Host::new();
        let client = open_reading(&host, &url, protocol);
        (host, client)
    });
    for (host, client) in before.into_iter().chain(after) {
        for _ in 0..10 {
            expect_read(&client, &key, &others);
        }
        assert!(host.manager.unload_script(&host.script).is_clean());
    }
}
