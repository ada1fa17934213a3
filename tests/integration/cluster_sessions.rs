//! Sessions, transactions and blocking commands in a cluster.

use std::cell::Cell;
use std::thread;

use redis_manager::Protocol;
use redis_manager::prelude::*;
use redis_manager::redis::{Value, cmd};
use redis_manager_support::TestCluster;

use crate::cluster_fixture::{expect_unloaded, key_of, key_of_each, open_in, sockets};
use crate::fixture::{Host, PROTOCOLS, eventually};
use crate::reconnect::options;

fn each_protocol(test: impl Fn(&TestCluster, &Host, &RedisCommandClient)) {
    let cluster = TestCluster::shared();
    for protocol in PROTOCOLS {
        let host = Host::new();
        let client: RedisCommandClient = open_in(&host, cluster, options(protocol));
        test(cluster, &host, &client);
        expect_unloaded(&host, cluster);
    }
}

#[test]
fn a_session_goes_where_its_keys_are_as_long_as_nothing_is_left_on_it() {
    each_protocol(|cluster, _, client| {
        let keys = key_of_each(cluster);
        let mut session = client.session().unwrap();
        for key in keys.iter().chain(&keys) {
            let () = session.set(key, key).unwrap();
            assert_eq!(session.get::<_, String>(key).unwrap(), *key);
        }
        cmd("WATCH").arg(&keys[0]).exec(&mut session).unwrap();
        let elsewhere = session.get::<_, Value>(&keys[1]).unwrap_err();
        assert_eq!(elsewhere.code(), Some("MOVED"), "{elsewhere}");
        cmd("UNWATCH").exec(&mut session).unwrap();
        assert_eq!(session.get::<_, String>(&keys[1]).unwrap(), keys[1]);
        pollster::block_on(async {
            let mut session = client.session_async().await.unwrap();
            for key in &keys {
                assert_eq!(session.get::<_, String>(key).await.unwrap(), *key);
            }
        });
    });
}

#[test]
fn what_goes_to_all_masters_is_refused_in_a_session() {
    each_protocol(|_, _, client| {
        let mut session = client.session().unwrap();
        for command in ["DBSIZE", "FLUSHALL"] {
            let refused = cmd(command).exec(&mut session).unwrap_err();
            let refused = Error::from(refused);
            assert_eq!(refused.kind(), ErrorKind::Refused, "{refused}");
            assert!(refused.message().contains("use commands()"), "{refused}");
        }
    });
}

#[test]
fn a_transaction_runs_on_the_node_of_its_keys_and_notices_who_changed_them() {
    each_protocol(|cluster, _, client| {
        for key in key_of_each(cluster) {
            let (tries, mut session) = (Cell::new(0), client.session().unwrap());
            let (sum,): (i64,) = session
                .transaction(&key, |tx| {
                    let value: Option<i64> = tx.get(&key)?;
                    tries.set(tries.get() + 1);
                    if tries.get() == 1 {
                        let () = client.commands().set(&key, 40)?;
                    }
                    tx.queue().incr(&key, value.unwrap_or(0) + 2);
                    Ok(())
                })
                .unwrap();
            assert_eq!((sum, tries.get()), (82, 2));
        }
    });
}

#[test]
fn a_transaction_over_several_slots_is_refused_at_once_and_leaves_the_session_as_it_was() {
    each_protocol(|cluster, _, client| {
        let keys = key_of_each(cluster);
        let mut session = client.session().unwrap();
        for queued in [&keys[..2], &keys[1..2]] {
            let tries = Cell::new(0);
            let refused: redis_manager::Result<Value> = session.transaction(&keys[0], |tx| {
                tries.set(tries.get() + 1);
                for key in queued {
                    tx.queue().set(key, "never");
                }
                Ok(())
            });
            assert_eq!(refused.unwrap_err().code(), Some("CROSSSLOT"));
            assert_eq!(tries.get(), 1);
            for key in &keys {
                assert_eq!(session.get::<_, Value>(key).unwrap(), Value::Nil);
            }
        }
        // The server refuses this one when it is queued.
        let aborted: redis_manager::Result<Value> = session.transaction(&keys[0], |tx| {
            tx.queue().cmd("SET").arg(&keys[0]);
            Ok(())
        });
        assert_eq!(aborted.unwrap_err().code(), Some("EXECABORT"));
        for key in &keys {
            assert_eq!(session.get::<_, Value>(key).unwrap(), Value::Nil);
        }
    });
}

#[test]
fn blocking_commands_wait_on_the_node_of_their_key_and_hold_up_nobody() {
    each_protocol(|cluster, host, client| {
        let keys = key_of_each(cluster);
        thread::scope(|scope| {
            let waiting: Vec<_> = keys
                .iter()
                .map(|key| {
                    scope.spawn(move || {
                        let popped: (String, String) = client.commands().blpop(key, 30.0).unwrap();
                        assert_eq!(popped, (key.clone(), "late".to_owned()));
                    })
                })
                .collect();
            eventually("all three block", || {
                let sockets = sockets(host, cluster);
                sockets
                    .iter()
                    .filter(|socket| socket.cmd == "blpop")
                    .count()
                    == 3
            });
            for key in &keys {
                let other = format!("{{{key}}}other");
                let () = client.commands().set(&other, 1).unwrap();
            }
            for key in &keys {
                let () = client.commands().rpush(key, "late").unwrap();
            }
            for waiting in waiting {
                waiting.join().unwrap();
            }
        });
        let nothing: Option<(String, String)> = client.commands().blpop(&keys[0], 0.1).unwrap();
        assert_eq!(nothing, None);
        let error = client.commands().blpop::<_, Value>(&keys, 0.1).unwrap_err();
        assert_eq!(error.code(), Some("CROSSSLOT"), "{error}");
    });
}

#[test]
fn a_transaction_whose_slot_goes_elsewhere_before_its_body_reads_begins_anew() {
    let cluster = TestCluster::builder().replicas(0).start_or_panic();
    for protocol in PROTOCOLS {
        let host = Host::new();
        let client: RedisCommandClient = open_in(&host, &cluster, options(protocol));
        let key = key_of_each(&cluster).swap_remove(0);
        let () = client.commands().set(&key, 5).unwrap();
        let go_elsewhere = || {
            let from = cluster.owner_of(&key).port();
            let masters = cluster.masters().into_iter();
            let to = masters.into_iter().find(|node| node.port() != from);
            cluster.migrate(cluster.slot(&key), to.unwrap());
        };
        let (tries, mut session) = (Cell::new(0), client.session().unwrap());
        let begin = || {
            tries.set(tries.get() + 1);
            if tries.get() == 1 {
                go_elsewhere();
            }
        };
        let (sum,): (i64,) = session
            .transaction(&key, |tx| {
                begin();
                let value: i64 = tx.get(&key)?;
                tx.queue().incr(&key, value);
                Ok(())
            })
            .unwrap();
        assert_eq!((sum, tries.replace(0)), (10, 2));
        let (sum,): (i64,) = pollster::block_on(async {
            let mut session = client.session_async().await.unwrap();
            let transaction = session.transaction_async(&key, async |tx| {
                begin();
                let value: i64 = tx.get(&key).await?;
                tx.queue().incr(&key, value);
                Ok(())
            });
            transaction.await.unwrap()
        });
        assert_eq!((sum, tries.get()), (20, 2));
        // An error of the body's own ends it.
        let mine = session.transaction::<Value>(&key, |tx| {
            tries.set(tries.get() + 1);
            let _: Value = tx.get(&key)?;
            Err(Error::new(ErrorKind::Conflict, "mine"))
        });
        assert_eq!(mine.unwrap_err().message(), "mine");
        assert_eq!(tries.get(), 3);
        drop(session);
        expect_unloaded(&host, &cluster);
    }
}

#[test]
fn what_was_connected_to_a_node_that_is_none_any_more_is_not_kept_for_the_next_session() {
    let (cluster, host) = (TestCluster::start(), Host::new());
    let client: RedisCommandClient = open_in(&host, &cluster, options(Protocol::Auto));
    let master = cluster.owner(0);
    let key = key_of(&cluster, master);
    let () = client.session().unwrap().set(&key, 1).unwrap();
    assert_eq!(client.snapshot().sessions.idle, 1);
    cluster.failover(cluster.replicas_of(master)[0]);
    eventually("the one before is left", || {
        let () = client.commands().set(&key, 2).unwrap();
        client.snapshot().sessions.idle == 0
    });
    let () = client.session().unwrap().set(&key, 3).unwrap();
    assert_eq!(client.snapshot().sessions.idle, 1);
    expect_unloaded(&host, &cluster);
}
