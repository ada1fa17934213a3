//! Slots that go to another node while a client has to do with their keys.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;

use redis_manager::prelude::*;
use redis_manager::redis::{Value, cmd, pipe};
use redis_manager_support::{TestCluster, TestServer};

use crate::cluster_fixture::{expect_unloaded, key_of, open_in};
use crate::fixture::{Host, PROTOCOLS, eventually};
use crate::reconnect::options;

/// A client, and a key of a slot of the first of two masters.
fn each_protocol(test: impl Fn(&TestCluster, &RedisCommandClient, &str, [&TestServer; 2])) {
    let cluster = TestCluster::builder().replicas(0).start_or_panic();
    for protocol in PROTOCOLS {
        let host = Host::new();
        let client: RedisCommandClient = open_in(&host, &cluster, options(protocol));
        let masters = cluster.masters();
        let key = key_of(&cluster, masters[0]);
        test(&cluster, &client, &key, [masters[0], masters[1]]);
        expect_unloaded(&host, &cluster);
    }
}

#[test]
fn a_slot_that_has_moved_is_followed_by_calls_pipelines_and_sessions() {
    each_protocol(|cluster, client, key, [from, to]| {
        let (mut commands, slot) = (client.commands(), cluster.slot(key));
        let () = commands.set(key, 1).unwrap();
        let mut session = client.session().unwrap();
        assert_eq!(session.get::<_, i64>(key).unwrap(), 1);
        cluster.migrate(slot, to);
        assert_eq!(commands.incr::<_, _, i64>(key, 1).unwrap(), 2);
        assert_eq!(to.run(&["GET", key]).text(), "2");
        cluster.migrate(slot, from);
        let (three,): (i64,) = pipe().incr(key, 1).query(&mut commands).unwrap();
        cluster.migrate(slot, to);
        let mut atomic = pipe();
        atomic.atomic().incr(key, 1);
        let (four,): (i64,) = atomic.query(&mut commands).unwrap();
        cluster.migrate(slot, from);
        let five: i64 = session.incr(key, 1).unwrap();
        cluster.migrate(slot, to);
        let asynchronous = async { client.async_commands().incr(key, 1).await };
        let six: i64 = pollster::block_on(asynchronous).unwrap();
        assert_eq!([three, four, five, six], [3, 4, 5, 6]);
        cluster.migrate(slot, from);
    });
}

#[test]
fn while_a_slot_migrates_each_key_is_found_where_it_is() {
    each_protocol(|cluster, client, key, [from, to]| {
        let (mut commands, slot) = (client.commands(), cluster.slot(key));
        let [gone, here, new] = ["gone", "here", "new"].map(|name| format!("{{{key}}}{name}"));
        let () = commands.mset(&[(&gone, 1), (&here, 1)]).unwrap();
        cluster.begin_migration(slot, to);
        cluster.migrate_key(&gone, to);
        for (name, value) in [(&gone, 2), (&here, 2), (&new, 1)] {
            assert_eq!(commands.incr::<_, _, i64>(name, 1).unwrap(), value);
        }
        let mut all = pipe();
        all.incr(&gone, 1).incr(&here, 1).incr(&new, 1);
        assert_eq!(all.query::<Vec<i64>>(&mut commands).unwrap(), [3, 3, 2]);
        for (name, value) in [(&gone, 4), (&here, 4), (&new, 3)] {
            let mut atomic = pipe();
            atomic.atomic().incr(name, 1);
            assert_eq!(atomic.query::<(i64,)>(&mut commands).unwrap(), (value,));
        }
        let mut session = client.session().unwrap();
        for (name, value) in [(&gone, 5), (&here, 5), (&new, 4)] {
            assert_eq!(session.incr::<_, _, i64>(name, 1).unwrap(), value);
        }
        let list = format!("{{{key}}}list");
        let () = commands.rpush(&list, "x").unwrap();
        let popped: (String, String) = commands.blpop(&list, 5.0).unwrap();
        assert_eq!(popped.1, "x");
        // Nothing was learnt from ASK: what is still here is asked for here.
        assert_eq!(from.run(&["GET", &here]).text(), "5");
        cluster.finish_migration(slot, to);
        let values: Vec<i64> = commands.mget(&[&gone, &here, &new]).unwrap();
        assert_eq!(values, [5, 5, 4]);
        cluster.migrate(slot, from);
    });
}

#[test]
fn a_call_for_keys_that_are_apart_meanwhile_waits_until_they_are_together() {
    each_protocol(|cluster, client, key, [from, to]| {
        let slot = cluster.slot(key);
        let [one, two] = [1, 2].map(|end| format!("{{{key}}}{end}"));
        let () = client.commands().mset(&[(&one, 1), (&two, 2)]).unwrap();
        cluster.begin_migration(slot, to);
        cluster.migrate_key(&one, to);
        let refused = from.command(&["MGET", &one, &two]).unwrap().text();
        assert!(is_of_apart(&refused), "{refused}");
        thread::scope(|scope| {
            let waiting = scope.spawn(|| client.commands().mget::<_, Vec<i64>>(&[&one, &two]));
            eventually("it was refused", || refusals(from) + refusals(to) >= 3);
            assert!(!waiting.is_finished());
            cluster.finish_migration(slot, to);
            assert_eq!(waiting.join().unwrap().unwrap(), [1, 2]);
        });
        cluster.migrate(slot, from);
        for node in [from, to] {
            node.run(&["CONFIG", "RESETSTAT"]);
        }
    });
}

/// What is said of keys that are apart: by Redis 6.2 the node that they leave says ASK, and the other one TRYAGAIN.
fn is_of_apart(refusal: &str) -> bool {
    refusal.starts_with("TRYAGAIN") || refusal.starts_with("ASK")
}

/// How often a node has said TRYAGAIN.
fn refusals(node: &TestServer) -> u64 {
    let told = node.run(&["INFO", "errorstats"]).text();
    let line = told.lines().find(|line| line.contains("TRYAGAIN"));
    let count = line.and_then(|line| line.split("count=").nth(1));
    count.map_or(0, |count| count.trim().parse().unwrap())
}

#[test]
fn such_a_call_ends_with_what_the_server_says_once_its_time_is_over() {
    let cluster = TestCluster::builder().replicas(0).start_or_panic();
    for protocol in PROTOCOLS {
        let host = Host::new();
        let short = options(protocol).command_timeout(Duration::from_millis(500));
        let client: RedisCommandClient = open_in(&host, &cluster, short);
        let masters = cluster.masters();
        let key = key_of(&cluster, masters[0]);
        let [one, two] = [1, 2].map(|end| format!("{{{key}}}{end}"));
        let () = client.commands().mset(&[(&one, 1), (&two, 2)]).unwrap();
        cluster.begin_migration(cluster.slot(&key), masters[1]);
        cluster.migrate_key(&one, masters[1]);
        let error = client
            .commands()
            .mget::<_, Value>(&[&one, &two])
            .unwrap_err();
        assert!(error.code().is_some_and(is_of_apart), "{error}");
        assert_eq!(Error::from(error).delivery(), Some(Delivery::Replied));
        cluster.finish_migration(cluster.slot(&key), masters[1]);
    }
}

#[test]
fn under_resharding_no_call_fails_and_each_runs_once() {
    each_protocol(|cluster, client, key, [from, to]| {
        let slot = cluster.slot(key);
        let keys: Vec<_> = (0..4).map(|end| format!("{{{key}}}{end}")).collect();
        let stop = AtomicBool::new(false);
        let counted = thread::scope(|scope| {
            let callers: Vec<_> = keys
                .iter()
                .map(|key| {
                    let stop = &stop;
                    scope.spawn(move || {
                        let (mut commands, mut count) = (client.commands(), 0);
                        while !stop.load(SeqCst) {
                            count += 1;
                            let value: i64 = commands.incr(key, 1).unwrap();
                            assert_eq!(value, count);
                            let mut atomic = pipe();
                            atomic.atomic().incr(key, 1).incr(key, 1);
                            let both: (i64, i64) = atomic.query(&mut commands).unwrap();
                            assert_eq!(both, (count + 1, count + 2));
                            count += 2;
                        }
                        count
                    })
                })
                .collect();
            for _ in 0..10 {
                cluster.migrate(slot, to);
                cluster.migrate(slot, from);
            }
            stop.store(true, SeqCst);
            let counts = callers.into_iter().map(|caller| caller.join().unwrap());
            counts.collect::<Vec<i64>>()
        });
        let values: Vec<i64> = client.commands().mget(&keys).unwrap();
        assert_eq!(values, counted);
        let _: Value = cmd("PING").query(&mut client.commands()).unwrap();
    });
}
