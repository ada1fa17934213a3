//! Masters that hand over to a replica, and masters that die.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;

use redis_manager::prelude::*;
use redis_manager_support::TestCluster;

use crate::cluster_fixture::{expect_unloaded, key_of, key_of_each, open_in, sockets};
use crate::fixture::{Host, PROTOCOLS, eventually};
use crate::reconnect::{options, verdict};

#[test]
fn when_a_master_hands_over_no_call_fails_and_none_runs_twice() {
    let cluster = TestCluster::start();
    // Each has a shard of its own, because no node is to be elected twice within seconds.
    for (protocol, slot) in PROTOCOLS.into_iter().zip([0, 16_383]) {
        let host = Host::new();
        let client: RedisCommandClient = open_in(&host, &cluster, options(protocol));
        let master = cluster.owner(slot);
        let key = key_of(&cluster, master);
        let replica = cluster.replicas_of(master)[0];
        let mut session = client.session().unwrap();
        let () = session.set(&key, 0).unwrap();
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            let calling = scope.spawn(|| {
                let (mut commands, mut count) = (client.commands(), 0);
                while !stop.load(SeqCst) {
                    count += 1;
                    assert_eq!(commands.incr::<_, _, i64>(&key, 1).unwrap(), count);
                }
                count
            });
            cluster.failover(replica);
            cluster.failover(master);
            stop.store(true, SeqCst);
            let count = calling.join().unwrap();
            assert_eq!(session.get::<_, i64>(&key).unwrap(), count);
            assert_eq!(master.run(&["GET", &key]).text(), count.to_string());
        });
        eventually("only masters are connected to", || {
            let names = |node| host_sockets(&host, node);
            cluster.replicas().into_iter().map(names).sum::<usize>() == 0
        });
        expect_unloaded(&host, &cluster);
    }
}

fn host_sockets(host: &Host, node: &redis_manager_support::TestServer) -> usize {
    let clients = node.clients().unwrap();
    clients
        .iter()
        .filter(|client| client.name == host.name)
        .count()
}

#[test]
fn when_a_master_is_killed_its_calls_wait_for_the_replica_and_others_go_on() {
    let cluster = TestCluster::start();
    for protocol in PROTOCOLS {
        let host = Host::new();
        let client: RedisCommandClient = open_in(&host, &cluster, options(protocol));
        let mut commands = client.commands();
        let master = cluster.owner(0);
        let key = key_of(&cluster, master);
        let other = key_of(&cluster, cluster.owner(16_383));
        let () = commands.set(&key, 1).unwrap();
        let mut session = client.session().unwrap();
        assert_eq!(session.get::<_, i64>(&key).unwrap(), 1);
        eventually("the replica has it", || replicated(&cluster, &key));
        master.kill().unwrap();
        thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                eventually("it is answered", || {
                    match client.commands().get::<_, i64>(&key) {
                        Ok(value) => value == 1,
                        // It was on its way when the master died.
                        Err(error) => {
                            let error = Error::from(error);
                            assert_eq!(error.kind(), ErrorKind::Disconnected, "{error}");
                            false
                        }
                    }
                });
            });
            let mut answered = 0;
            while !waiting.is_finished() {
                let () = client.commands().set(&other, answered).unwrap();
                answered += 1;
            }
            waiting.join().unwrap();
            assert!(answered > 10, "{answered}");
        });
        eventually("the session is served anew", || {
            session.get::<_, i64>(&key).is_ok_and(|value| value == 1)
        });
        master.restart().unwrap();
        cluster.wait_until_whole();
        assert_eq!(commands.get::<_, i64>(&key).unwrap(), 1);
        expect_unloaded(&host, &cluster);
    }
}

fn replicated(cluster: &TestCluster, key: &str) -> bool {
    let master = cluster.owner_of(key);
    let told = master.run(&["WAIT", "1", "100"]);
    told.as_int() == Some(1)
}

#[test]
fn increments_run_at_most_once_when_their_master_is_killed() {
    let cluster = TestCluster::start();
    for protocol in PROTOCOLS {
        let host = Host::new();
        let client: RedisCommandClient = open_in(&host, &cluster, options(protocol));
        let master = cluster.owner(0);
        let key = key_of(&cluster, master);
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            let calling: Vec<_> = (0..8)
                .map(|thread| {
                    let (client, stop, key) = (&client, &stop, &key);
                    scope.spawn(move || {
                        let (mut commands, mut acknowledged) = (client.commands(), Vec::new());
                        for number in 0.. {
                            if stop.load(SeqCst) {
                                break;
                            }
                            let member = format!("{thread}.{number}");
                            match commands.rpush::<_, _, i64>(key, &member) {
                                Ok(_) => acknowledged.push(member),
                                Err(error) => {
                                    let lost = (ErrorKind::Disconnected, Some(Delivery::Unknown));
                                    assert_eq!(verdict(Err::<(), _>(error)), lost);
                                }
                            }
                        }
                        acknowledged
                    })
                })
                .collect();
            eventually("there are some", || {
                client.commands().llen::<_, i64>(&key).unwrap() > 100
            });
            master.kill().unwrap();
            let before = cluster_length(&cluster, &key);
            eventually("there are more", || {
                cluster_length(&cluster, &key) > before + 100
            });
            stop.store(true, SeqCst);
            let acknowledged: usize = calling
                .into_iter()
                .map(|calling| calling.join().unwrap().len())
                .sum();
            let mut members: Vec<String> = client.commands().lrange(&key, 0, -1).unwrap();
            let all = members.len();
            members.sort_unstable();
            members.dedup();
            assert_eq!(members.len(), all, "none is there twice");
            assert!(acknowledged > 200);
        });
        master.restart().unwrap();
        cluster.wait_until_whole();
        expect_unloaded(&host, &cluster);
    }
}

/// How long the list is where its slot is now.
fn cluster_length(cluster: &TestCluster, key: &str) -> i64 {
    cluster.owner_of(key).run(&["LLEN", key]).as_int().unwrap()
}

#[test]
fn a_master_that_comes_back_as_a_replica_is_let_go() {
    let cluster = TestCluster::start();
    let host = Host::new();
    let client: RedisCommandClient = open_in(&host, &cluster, options(Protocol::Auto));
    for key in key_of_each(&cluster) {
        let () = client.commands().set(&key, 1).unwrap();
    }
    assert_eq!(sockets(&host, &cluster).len(), 3);
    let master = cluster.owner(0);
    master.kill().unwrap();
    eventually("a replica has its slots", || {
        cluster.owner(0).port() != master.port()
    });
    master.restart().unwrap();
    cluster.wait_until_whole();
    for key in key_of_each(&cluster) {
        let () = client.commands().set(&key, 1).unwrap();
    }
    eventually("nobody is connected to it", || {
        host_sockets(&host, master) == 0
    });
    assert_eq!(sockets(&host, &cluster).len(), 3);
    assert_eq!(client.state(), ClientState::Connected);
    expect_unloaded(&host, &cluster);
}
