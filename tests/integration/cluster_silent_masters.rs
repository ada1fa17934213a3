//! Masters that fall silent and hang up on nobody, until a replica has taken over.

use std::thread;
use std::time::Instant;

use redis_manager::prelude::*;
use redis_manager::redis::Value;
use redis_manager_support::{TestCluster, TestServer};

use crate::cluster_fixture::{expect_unloaded, key_of, open_in, sockets};
use crate::fixture::{Host, PATIENCE, PROTOCOLS, eventually};
use crate::reconnect::{options, verdict};

#[test]
fn sessions_and_blocking_calls_leave_it_as_other_calls_do() {
    for protocol in PROTOCOLS {
        let cluster = TestCluster::start();
        let host = Host::new();
        let patient = options(protocol).command_timeout(PATIENCE);
        let client: RedisCommandClient = open_in(&host, &cluster, patient.session_pool_size(1));
        let master = cluster.owner(0);
        let key = key_of(&cluster, master);
        let list = format!("{{{key}}}:list");
        let mut session = client.session().unwrap();
        let () = session.set(&key, 1).unwrap();
        thread::scope(|scope| {
            let blocked = scope.spawn(|| verdict(client.commands().blpop::<_, Value>(&list, 0.0)));
            eventually("it blocks", || {
                let sockets = sockets(&host, &cluster);
                sockets.iter().any(|socket| socket.cmd == "blpop")
            });
            let began = Instant::now();
            master.pause().unwrap();
            let place = scope.spawn(|| client.session().unwrap().get::<_, Value>(&key));
            let connection = scope.spawn(|| client.commands().blpop::<_, Value>(&list, 0.1));
            // What was sent is not sent again.
            let lost = (ErrorKind::Disconnected, Some(Delivery::Unknown));
            assert_eq!(verdict(session.incr::<_, _, i64>(&key, 1)), lost);
            assert_eq!(blocked.join().unwrap(), lost);
            // Who waited for a place there, or for a connection, goes elsewhere.
            assert!(place.join().unwrap().is_ok());
            assert_eq!(connection.join().unwrap().unwrap(), Value::Nil);
            assert!(began.elapsed() < PATIENCE);
        });
        assert_ne!(cluster.owner_of(&key).port(), master.port());
        drop(session);
        let () = client.session().unwrap().set(&key, 5).unwrap();
        master.resume().unwrap();
        cluster.wait_until_whole();
        expect_unloaded(&host, &cluster);
    }
}

#[test]
fn a_transaction_whose_watching_connection_was_given_up_begins_anew() {
    for protocol in PROTOCOLS {
        let cluster = TestCluster::start();
        let host = Host::new();
        let client: RedisCommandClient = open_in(&host, &cluster, options(protocol));
        let master = cluster.owner(0);
        let key = key_of(&cluster, master);
        let (mut session, mut tries) = (client.session().unwrap(), 0);
        let (sum,): (i64,) = session
            .transaction(&key, |transaction| {
                tries += 1;
                if tries == 1 {
                    master.pause().unwrap();
                    let of_host = |node: &TestServer| {
                        let clients = node.clients().unwrap_or_default();
                        clients.into_iter().any(|it| it.name == host.name)
                    };
                    cluster.take_over(cluster.replicas_of(master)[0]);
                    master.resume().unwrap();
                    cluster.wait_until_whole();
                    // It has noticed, by a call like any other.
                    let () = client.commands().set(&key, 1).unwrap();
                    eventually("it is connected there no more", || !of_host(master));
                }
                transaction.queue().incr(&key, 1);
                Ok(())
            })
            .unwrap();
        assert_eq!((sum, tries), (2, 2));
        expect_unloaded(&host, &cluster);
    }
}
