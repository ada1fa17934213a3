//! Commands and pipelines of several nodes of which one fails: what is said, and whether something may have run, is one truth.

use redis_manager::DisconnectedBehavior;
use redis_manager::prelude::*;
use redis_manager::redis::{RedisError, Value, pipe};
use redis_manager_support::TestCluster;

use crate::cluster_fixture::{expect_unloaded, key_of, key_of_each, open_in};
use crate::fixture::{Host, PATIENCE, PROTOCOLS, eventually};
use crate::reconnect::{options, verdict};

/// Long enough for nodes that are there.
const TIMEOUT: Duration = Duration::from_secs(3);
const PARTS: &str = "other parts of it may have run";

/// One whose slots are served as long as their own node is there.
fn lenient() -> TestCluster {
    let builder = TestCluster::builder().replicas(0);
    // Nobody takes over, and nobody finds out: it is about the client.
    let builder = builder.node_timeout(PATIENCE);
    let lenient = builder.args(["--cluster-require-full-coverage", "no"]);
    lenient.start_or_panic()
}

#[track_caller]
fn expect_parts(outcome: Result<Value, RedisError>, kind: ErrorKind, what: &str) {
    let error = Error::from(outcome.unwrap_err());
    assert_eq!(error.kind(), kind, "{error}");
    assert_eq!(error.delivery(), Some(Delivery::Unknown), "{error}");
    for said in [what, PARTS] {
        assert!(error.message().contains(said), "{said}: {error}");
    }
}

#[track_caller]
fn expect_unsent(outcome: Result<Value, RedisError>, kind: ErrorKind) {
    let error = Error::from(outcome.unwrap_err());
    assert_eq!(error.kind(), kind, "{error}");
    assert_eq!(error.delivery(), Some(Delivery::NotSent), "{error}");
    assert!(!error.message().contains(PARTS), "{error}");
}

#[test]
fn what_was_not_sent_to_one_node_may_have_run_on_another() {
    use ErrorKind::{Disconnected, Timeout};
    for protocol in PROTOCOLS {
        let (cluster, host) = (lenient(), Host::new());
        let patient = || options(protocol).command_timeout(TIMEOUT);
        let queueing: RedisCommandClient = open_in(&host, &cluster, patient());
        let rejecting = patient().disconnected_behavior(DisconnectedBehavior::Reject);
        let rejecting: RedisCommandClient = open_in(&host, &cluster, rejecting);
        let mut commands = rejecting.commands();
        let keys = key_of_each(&cluster);
        let lost = cluster.owner_of(&keys[0]);
        let there = [keys[0].clone(), key_of(&cluster, lost)];
        for key in &keys {
            let () = commands.set(key, 0).unwrap();
        }
        lost.kill().unwrap();
        eventually("it is known to be down", || {
            let unsent = (Disconnected, Some(Delivery::NotSent));
            verdict(commands.get::<_, Value>(&there[0])) == unsent
        });
        let address = format!("127.0.0.1:{}", lost.port());
        let pairs: Vec<_> = keys.iter().map(|key| (key, 1)).collect();
        expect_parts(commands.mset(&pairs), Disconnected, &address);
        for key in &keys[1..] {
            assert_eq!(commands.get::<_, i64>(key).unwrap(), 1);
        }
        expect_parts(commands.mget(&keys), Disconnected, &address);
        let mut pipeline = pipe();
        for key in &keys {
            pipeline.incr(key, 1);
        }
        expect_parts(pipeline.query(&mut commands), Disconnected, &address);
        assert_eq!(commands.get::<_, i64>(&keys[1]).unwrap(), 2);
        let waited = queueing.commands().mget(&keys);
        expect_parts(waited, Timeout, "not sent within 3s");
        // If all of it is there, nothing was sent.
        expect_unsent(commands.mget(&there), Disconnected);
        let mut pipeline = pipe();
        let pipeline = pipeline.incr(&there[0], 1).incr(&there[1], 1);
        expect_unsent(pipeline.query(&mut commands), Disconnected);
        expect_unloaded(&host, &cluster);
    }
}

#[test]
fn a_slot_that_nobody_has_any_more_does_not_unsay_what_has_run() {
    for protocol in PROTOCOLS {
        let (cluster, host) = (lenient(), Host::new());
        let patient = options(protocol).command_timeout(TIMEOUT);
        let client: RedisCommandClient = open_in(&host, &cluster, patient);
        let mut commands = client.commands();
        let keys = key_of_each(&cluster);
        let slot = cluster.slot(&keys[0]).to_string();
        cluster.run_everywhere(&["CLUSTER", "DELSLOTS", &slot]);
        let pairs: Vec<_> = keys.iter().map(|key| (key, 1)).collect();
        let nowhere = format!("no node of the cluster has slot {slot}");
        // It finds that out after it has sent what belongs to the others.
        expect_parts(commands.mset(&pairs), ErrorKind::Timeout, &nowhere);
        for key in &keys[1..] {
            assert_eq!(commands.get::<_, i64>(key).unwrap(), 1);
        }
        // Who knows it before sends nothing.
        let short = options(protocol).command_timeout(TIMEOUT / 10);
        let client: RedisCommandClient = open_in(&host, &cluster, short);
        expect_unsent(client.commands().mset(&pairs), ErrorKind::Timeout);
        expect_unloaded(&host, &cluster);
    }
}
