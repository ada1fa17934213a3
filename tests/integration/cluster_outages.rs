//! Nodes that say nothing, and clusters that are down.

use std::time::Instant;

use redis_manager::DisconnectedBehavior;
use redis_manager::prelude::*;
use redis_manager::redis::Value;
use redis_manager_support::TestCluster;

use crate::cluster_fixture::{expect_unloaded, key_of, key_of_each, open_in};
use crate::fixture::{Host, PATIENCE, PROTOCOLS, eventually};
use crate::reconnect::{options, verdict};

const SHORT: Duration = Duration::from_millis(700);

#[test]
fn calls_to_a_node_that_is_paused_end_by_their_deadline_and_others_go_on() {
    let builder = TestCluster::builder().replicas(0);
    // Nobody takes over, and nobody finds out: it is about the client.
    let cluster = builder.node_timeout(PATIENCE).start_or_panic();
    for protocol in PROTOCOLS {
        let host = Host::new();
        let short = options(protocol).command_timeout(SHORT);
        let client: RedisCommandClient = open_in(&host, &cluster, short);
        let mut commands = client.commands();
        let keys = key_of_each(&cluster);
        for key in &keys {
            let () = commands.set(key, 1).unwrap();
        }
        let paused = cluster.owner_of(&keys[0]);
        paused.pause().unwrap();
        let began = Instant::now();
        for _ in 0..2 {
            let timeout = (ErrorKind::Timeout, Some(Delivery::Unknown));
            assert_eq!(verdict(commands.incr::<_, _, i64>(&keys[0], 1)), timeout);
            for key in &keys[1..] {
                assert_eq!(commands.get::<_, i64>(key).unwrap(), 1);
            }
            let split = verdict(commands.mget::<_, Value>(&keys));
            assert_eq!(split, timeout);
        }
        assert!(began.elapsed() >= 4 * SHORT && began.elapsed() < PATIENCE);
        paused.resume().unwrap();
        eventually("it answers again", || {
            commands
                .get::<_, i64>(&keys[0])
                .is_ok_and(|value| (1..=4).contains(&value))
        });
        expect_unloaded(&host, &cluster);
    }
}

#[test]
fn a_replica_that_takes_over_from_a_paused_master_is_found_although_nobody_hung_up() {
    let cluster = TestCluster::start();
    for protocol in PROTOCOLS {
        let host = Host::new();
        let short = options(protocol).command_timeout(SHORT);
        let client: RedisCommandClient = open_in(&host, &cluster, short);
        let mut commands = client.commands();
        let master = cluster.owner(0);
        let key = key_of(&cluster, master);
        let () = commands.set(&key, 1).unwrap();
        let replica = cluster.replicas_of(master)[0];
        master.pause().unwrap();
        cluster.take_over(replica);
        eventually("its calls succeed", || {
            commands.set::<_, _, ()>(&key, 2).is_ok()
        });
        assert_eq!(replica.run(&["GET", &key]).text(), "2");
        master.resume().unwrap();
        cluster.wait_until_whole();
        assert_eq!(commands.get::<_, i64>(&key).unwrap(), 2);
        expect_unloaded(&host, &cluster);
    }
}

#[test]
fn a_master_that_falls_silent_is_left_as_soon_as_its_replica_has_taken_over() {
    for protocol in PROTOCOLS {
        let cluster = TestCluster::start();
        let host = Host::new();
        let patient = options(protocol).command_timeout(PATIENCE);
        let client: RedisCommandClient = open_in(&host, &cluster, patient);
        let mut commands = client.commands();
        let master = cluster.owner(0);
        let key = key_of(&cluster, master);
        let () = commands.set(&key, 1).unwrap();
        let began = Instant::now();
        master.pause().unwrap();
        // It is sent, and nobody knows what became of it.
        let lost = (ErrorKind::Disconnected, Some(Delivery::Unknown));
        assert_eq!(verdict(commands.incr::<_, _, i64>(&key, 1)), lost);
        let () = commands.set(&key, 5).unwrap();
        assert!(began.elapsed() < PATIENCE);
        assert_ne!(cluster.owner_of(&key).port(), master.port());
        master.resume().unwrap();
        cluster.wait_until_whole();
        expect_unloaded(&host, &cluster);
    }
}

#[test]
fn calls_wait_for_a_cluster_that_is_down_or_end_with_what_it_says() {
    let timeout = Duration::from_millis(1000);
    let builder = TestCluster::builder().replicas(0).durable();
    let cluster = builder.node_timeout(timeout).start_or_panic();
    for protocol in PROTOCOLS {
        let host = Host::new();
        let patient: RedisCommandClient = open_in(&host, &cluster, options(protocol));
        let short = options(protocol).command_timeout(SHORT);
        let short: RedisCommandClient = open_in(&host, &cluster, short);
        let lost = cluster.owner(0);
        let keys = [
            key_of(&cluster, lost),
            key_of(&cluster, cluster.owner(16_383)),
        ];
        for key in &keys {
            for client in [&patient, &short] {
                let () = client.commands().set(key, 1).unwrap();
            }
        }
        lost.kill().unwrap();
        cluster.wait_until_down();
        let error = short.commands().get::<_, Value>(&keys[1]).unwrap_err();
        assert_eq!(error.code(), Some("CLUSTERDOWN"), "{error}");
        assert_eq!(Error::from(error).delivery(), Some(Delivery::Replied));
        let error = Error::from(short.commands().get::<_, Value>(&keys[0]).unwrap_err());
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
        assert_eq!(error.delivery(), Some(Delivery::NotSent), "{error}");
        std::thread::scope(|scope| {
            let waiting: Vec<_> = keys
                .iter()
                .map(|key| {
                    let mut commands = patient.commands();
                    scope.spawn(move || commands.incr::<_, _, i64>(key, 1))
                })
                .collect();
            lost.restart().unwrap();
            for waiting in waiting {
                assert_eq!(waiting.join().unwrap().unwrap(), 2);
            }
        });
        cluster.wait_until_whole();
        expect_unloaded(&host, &cluster);
    }
}

#[test]
fn without_full_coverage_the_slots_that_are_there_are_served() {
    let timeout = Duration::from_millis(1000);
    let cluster = TestCluster::builder()
        .replicas(0)
        .node_timeout(timeout)
        .args(["--cluster-require-full-coverage", "no"])
        .start_or_panic();
    let host = Host::new();
    let rejecting = options(Protocol::Auto).disconnected_behavior(DisconnectedBehavior::Reject);
    let client: RedisCommandClient = open_in(&host, &cluster, rejecting);
    let mut commands = client.commands();
    let lost = cluster.owner(0);
    let key = key_of(&cluster, lost);
    let other = key_of(&cluster, cluster.owner(16_383));
    for key in [&key, &other] {
        let () = commands.set(key, 1).unwrap();
    }
    lost.kill().unwrap();
    eventually("its calls fail at once", || {
        let began = Instant::now();
        let rejected = (ErrorKind::Disconnected, Some(Delivery::NotSent));
        verdict(commands.get::<_, Value>(&key)) == rejected && began.elapsed() < PATIENCE / 4
    });
    for _ in 0..20 {
        assert_eq!(commands.get::<_, i64>(&other).unwrap(), 1);
    }
    lost.restart().unwrap();
    eventually("it is served again", || {
        commands.exists::<_, bool>(&key).is_ok()
    });
}
