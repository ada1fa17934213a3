//! What a session, or a blocking call, in a cluster is told: by which node it failed, and why it cannot begin there.

use redis_manager::prelude::*;
use redis_manager::redis::{Value, cmd};
use redis_manager_support::TestCluster;

use crate::cluster_fixture::{expect_unloaded, key_of, key_of_each, open_in};
use crate::fixture::{Host, PROTOCOLS};
use crate::reconnect::options;

const SHORT: Duration = Duration::from_millis(700);

#[test]
fn a_node_that_answers_no_session_is_named_and_no_other() {
    let cluster = TestCluster::builder().replicas(0).start_or_panic();
    let (silent, key) = (cluster.masters()[1], key_of(&cluster, cluster.masters()[1]));
    for protocol in PROTOCOLS {
        let host = Host::new();
        let short = options(protocol).command_timeout(SHORT);
        let client: RedisCommandClient = open_in(&host, &cluster, short);
        silent.pause().unwrap();
        let mut session = client.session().unwrap();
        let asynchronous = pollster::block_on(async {
            let mut session = client.session_async().await.unwrap();
            session.get::<_, Value>(&key).await
        });
        let transaction = session.transaction::<Value>(&key, |_| Ok(()));
        let errors = [
            Error::from(session.get::<_, Value>(&key).unwrap_err()),
            Error::from(client.commands().blpop::<_, Value>(&key, 0.1).unwrap_err()),
            Error::from(asynchronous.unwrap_err()),
            transaction.unwrap_err(),
        ];
        silent.resume().unwrap();
        for (error, command) in errors.iter().zip(["GET", "BLPOP", "GET", "WATCH"]) {
            assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
            assert_eq!(error.delivery(), Some(Delivery::NotSent));
            assert_eq!(error.command(), Some(command));
            for node in cluster.nodes() {
                let address = format!("127.0.0.1:{}", node.port());
                let is_named = error.message().contains(&address);
                assert_eq!(is_named, node.port() == silent.port(), "{error}");
            }
        }
        expect_unloaded(&host, &cluster);
    }
}

#[test]
fn a_pool_that_is_empty_says_of_which_node() {
    let cluster = TestCluster::shared();
    let keys = key_of_each(cluster);
    for protocol in PROTOCOLS {
        let host = Host::new();
        let small = options(protocol).command_timeout(SHORT);
        let client: RedisCommandClient = open_in(&host, cluster, small.session_pool_size(1));
        let [mut first, mut second] = [(); 2].map(|()| client.session().unwrap());
        cmd("WATCH").arg(&keys[0]).exec(&mut first).unwrap();
        let error = Error::from(second.get::<_, Value>(&keys[0]).unwrap_err());
        assert_eq!(error.kind(), ErrorKind::PoolExhausted, "{error}");
        let address = format!("127.0.0.1:{}", cluster.owner_of(&keys[0]).port());
        let said = format!("no connection to {address} became free");
        assert!(error.message().contains(&said), "{error}");
        assert_eq!(error.command(), Some("GET"));
        // There are others for the other nodes.
        let _: Value = second.get(&keys[1]).unwrap();
        drop((first, second));
        expect_unloaded(&host, cluster);
    }
}

#[track_caller]
fn expect_refused(outcome: Result<Value, redis_manager::redis::RedisError>) {
    let refused = Error::from(outcome.unwrap_err());
    assert_eq!(refused.kind(), ErrorKind::Refused, "{refused}");
    assert_eq!(refused.delivery(), Some(Delivery::NotSent));
    assert_eq!(refused.command(), Some("MULTI"));
    for way in ["WATCH a key first", "session.transaction(keys, …)"] {
        assert!(refused.message().contains(way), "{refused}");
    }
}

#[test]
fn a_multi_that_does_not_say_which_node_it_is_for_is_refused() {
    let cluster = TestCluster::shared();
    for protocol in PROTOCOLS {
        let host = Host::new();
        let client: RedisCommandClient = open_in(&host, cluster, options(protocol));
        for key in key_of_each(cluster) {
            let mut session = client.session().unwrap();
            expect_refused(cmd("MULTI").query(&mut session));
            // Where it has just been says nothing of where it is to be.
            let () = session.set(&key, 1).unwrap();
            expect_refused(cmd("multi").query(&mut session));
            cmd("WATCH").arg(&key).exec(&mut session).unwrap();
            cmd("MULTI").exec(&mut session).unwrap();
            let queued: String = cmd("INCR").arg(&key).query(&mut session).unwrap();
            assert_eq!(queued, "QUEUED");
            let (sum,): (i64,) = cmd("EXEC").query(&mut session).unwrap();
            assert_eq!(sum, 2);
            expect_refused(cmd("MULTI").query(&mut session));
            assert_eq!(session.get::<_, i64>(&key).unwrap(), 2);
            pollster::block_on(async {
                let mut session = client.session_async().await.unwrap();
                expect_refused(cmd("MULTI").query_async(&mut session).await);
            });
        }
        expect_unloaded(&host, cluster);
    }
}
