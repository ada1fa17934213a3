//! Options that say what becomes of calls when a connection is lost, in a cluster.

use std::thread;

use redis_manager::prelude::*;
use redis_manager::redis::pipe;
use redis_manager::{DisconnectedBehavior, Protocol, ReplayFilter};
use redis_manager_support::TestCluster;

use crate::cluster_fixture::{expect_unloaded, key_of, key_of_each, open_in, sockets};
use crate::fixture::{Host, PATIENCE, PROTOCOLS, eventually};
use crate::reconnect::{options, verdict};

#[test]
fn what_the_replay_filter_names_is_sent_to_whoever_has_taken_over() {
    for protocol in PROTOCOLS {
        let (cluster, host) = (TestCluster::start(), Host::new());
        let filter = ReplayFilter::commands(["incrby"]);
        let client: RedisCommandClient = open_in(&host, &cluster, options(protocol).replay(filter));
        let master = cluster.owner(0);
        let key = key_of(&cluster, master);
        let () = client.commands().set(&key, 1).unwrap();
        master.run(&["WAIT", "1", "10000"]);
        master.pause().unwrap();
        thread::scope(|scope| {
            let replayed = scope.spawn(|| client.commands().incr::<_, _, i64>(&key, 1));
            let several = scope.spawn(|| {
                let mut pipeline = pipe();
                pipeline
                    .incr(format!("{{{key}}}a"), 1)
                    .incr(format!("{{{key}}}b"), 1);
                pipeline.query::<(i64, i64)>(&mut client.commands())
            });
            let named = scope.spawn(|| verdict(client.commands().set::<_, _, ()>(&key, 9)));
            assert_eq!(replayed.join().unwrap(), Ok(2));
            assert_eq!(several.join().unwrap(), Ok((1, 1)));
            let lost = (ErrorKind::Disconnected, Some(Delivery::Unknown));
            assert_eq!(named.join().unwrap(), lost);
        });
        master.resume().unwrap();
        cluster.wait_until_whole();
        expect_unloaded(&host, &cluster);
    }
}

#[test]
fn what_nobody_takes_over_may_have_run_although_it_was_left_with_nobody_else() {
    // Nobody finds out by himself.
    let cluster = TestCluster::builder().replicas(0).node_timeout(PATIENCE);
    let cluster = cluster.args(["--cluster-require-full-coverage", "no"]);
    let (cluster, host) = (cluster.start_or_panic(), Host::new());
    // Until it is looked, and the node was given time to answer.
    let patient = options(Protocol::Auto).command_timeout(Duration::from_secs(9));
    let filter = ReplayFilter::commands(["incrby"]);
    let client: RedisCommandClient = open_in(&host, &cluster, patient.replay(filter));
    let silent = cluster.owner(0);
    let keys = [key_of(&cluster, silent), key_of(&cluster, silent)];
    for key in &keys {
        let () = client.commands().set(key, 1).unwrap();
    }
    let mut view = cluster.view(silent).into_iter();
    let itself = view.find(|line| line.is("myself")).unwrap();
    silent.pause().unwrap();
    thread::scope(|scope| {
        let one = scope.spawn(|| client.commands().incr::<_, _, i64>(&keys[0], 1).map(drop));
        let several = scope.spawn(|| {
            let mut pipeline = pipe();
            keys.iter().for_each(|key| {
                pipeline.incr(key, 1);
            });
            pipeline.exec(&mut client.commands())
        });
        eventually("both are under way", || client.snapshot().in_flight >= 2);
        let all: Vec<_> = (0..16_384).filter(|slot| itself.has(*slot)).collect();
        let all = all.iter().map(ToString::to_string);
        let mut forget = vec!["CLUSTER".to_owned(), "DELSLOTS".to_owned()];
        forget.extend(all);
        cluster.run_everywhere(&forget);
        for outcome in [one.join().unwrap(), several.join().unwrap()] {
            let error = Error::from(outcome.unwrap_err());
            let told = (error.kind(), error.delivery());
            assert_eq!(
                told,
                (ErrorKind::Timeout, Some(Delivery::Unknown)),
                "{error}"
            );
            let nowhere = "no node of the cluster has slot";
            assert!(error.message().contains(nowhere), "{error}");
        }
    });
    silent.resume().unwrap();
    expect_unloaded(&host, &cluster);
}

#[test]
fn calls_that_do_not_wait_fail_at_once_on_the_node_that_is_gone_and_no_other() {
    for protocol in PROTOCOLS {
        let cluster = TestCluster::builder().replicas(0);
        let cluster = cluster.args(["--cluster-require-full-coverage", "no"]);
        let (cluster, host) = (cluster.start_or_panic(), Host::new());
        let rejecting = options(protocol).disconnected_behavior(DisconnectedBehavior::Reject);
        let client: RedisCommandClient = open_in(&host, &cluster, rejecting);
        let keys = key_of_each(&cluster);
        for key in &keys {
            let () = client.commands().set(key, 1).unwrap();
        }
        let dead = cluster.owner_of(&keys[0]);
        dead.kill().unwrap();
        eventually("it is noticed", || client.state().is_disconnected());
        for _ in 0..3 {
            let outcome = verdict(client.commands().incr::<_, _, i64>(&keys[0], 1));
            assert_eq!(outcome, (ErrorKind::Disconnected, Some(Delivery::NotSent)));
            let _: i64 = client.commands().incr(&keys[1], 1).unwrap();
        }
        dead.restart().unwrap();
        cluster.wait_until_whole();
        eventually("it is there again", || {
            client.commands().incr::<_, _, i64>(&keys[0], 1).is_ok()
        });
        expect_unloaded(&host, &cluster);
    }
}

#[test]
fn a_node_that_is_not_connected_to_again_fails_its_calls_and_no_others() {
    for protocol in PROTOCOLS {
        let cluster = TestCluster::builder().replicas(0).start_or_panic();
        let host = Host::new();
        let once = options(protocol).auto_reconnect(false);
        let client: RedisCommandClient = open_in(&host, &cluster, once);
        let keys = key_of_each(&cluster);
        for key in &keys {
            let () = client.commands().set(key, 1).unwrap();
        }
        let node = cluster.owner_of(&keys[0]);
        for socket in sockets(&host, &cluster) {
            let id = socket.id.to_string();
            if socket
                .field("laddr")
                .is_some_and(|at| at.ends_with(&format!(":{}", node.port())))
            {
                node.run(&["CLIENT", "KILL", "ID", &id]);
            }
        }
        eventually("it is noticed", || client.state().is_disconnected());
        let outcome = verdict(client.commands().incr::<_, _, i64>(&keys[0], 1));
        assert_eq!(outcome, (ErrorKind::Disconnected, Some(Delivery::NotSent)));
        let _: i64 = client.commands().incr(&keys[1], 1).unwrap();
        expect_unloaded(&host, &cluster);
    }
}
