//! Keys in several slots where one is wanted: whoever finds it, we or the server, the error says what brings them together.

use redis_manager::prelude::*;
use redis_manager::redis::{RedisError, Value, cmd, pipe};
use redis_manager_support::TestCluster;

use crate::cluster_fixture::{expect_unloaded, key_of_each, open_in};
use crate::fixture::{Host, PROTOCOLS};
use crate::reconnect::{open, options};

#[track_caller]
fn expect_cross_slot(error: impl Into<Error>, delivery: Delivery) {
    let error = error.into();
    assert_eq!(error.code(), Some("CROSSSLOT"), "{error}");
    assert_eq!(error.kind(), ErrorKind::Server);
    assert_eq!(error.delivery(), Some(delivery), "{error}");
    let hints = error.message().matches("hash tag").count();
    assert_eq!(hints, 1, "{error}");
    let theirs = RedisError::from(error);
    assert_eq!(theirs.code(), Some("CROSSSLOT"));
}

#[test]
fn a_transaction_on_keys_of_two_slots_is_not_begun() {
    let cluster = TestCluster::shared();
    for protocol in PROTOCOLS {
        let host = Host::new();
        let client: RedisCommandClient = open_in(&host, cluster, options(protocol));
        let keys = key_of_each(cluster);
        let (one, two) = (&keys[0], &keys[1]);
        let mut session = client.session().unwrap();
        let watched = session.transaction::<Value>(&[one, two], |_| Ok(()));
        expect_cross_slot(watched.unwrap_err(), Delivery::NotSent);
        let queued = session.transaction::<Value>(one, |tx| {
            tx.queue().incr(one, 1).incr(two, 1);
            Ok(())
        });
        // It came by way of redis, whose typed error is an answer wherever it was found.
        expect_cross_slot(queued.unwrap_err(), Delivery::Replied);
        let asynchronous = pollster::block_on(async {
            let mut session = client.session_async().await.unwrap();
            let both = [one, two];
            let watching = session.transaction_async::<Value>(&both, async |_| Ok(()));
            watching.await
        });
        expect_cross_slot(asynchronous.unwrap_err(), Delivery::NotSent);
        for key in [one, two] {
            assert!(!session.exists::<_, bool>(key).unwrap());
        }
        drop(session);
        expect_unloaded(&host, cluster);
    }
}

#[test]
fn a_node_that_is_asked_for_keys_of_two_slots_is_explained() {
    let cluster = TestCluster::shared();
    for protocol in PROTOCOLS {
        let host = Host::new();
        let client: RedisCommandClient = open_in(&host, cluster, options(protocol));
        let keys = key_of_each(cluster);
        let (one, two) = (&keys[0], &keys[1]);
        // It stays where it watches, and nobody but the server looks at the next keys.
        let mut session = client.session().unwrap();
        cmd("WATCH").arg(one).exec(&mut session).unwrap();
        let watched = cmd("WATCH").arg(one).arg(two).exec(&mut session);
        let watched = watched.unwrap_err();
        assert!(watched.to_string().contains("hash tag"), "{watched}");
        expect_cross_slot(watched, Delivery::Replied);
        drop(session);
        let url = cluster.url_of(cluster.masters()[0]);
        let url = url.replace("redis-cluster", "redis");
        let single: RedisCommandClient = open(&host, &url, options(protocol));
        let mut commands = single.commands();
        let renamed = commands.rename::<_, _, Value>(one, two).unwrap_err();
        expect_cross_slot(renamed, Delivery::Replied);
        let mut pipeline = pipe();
        let pipeline = pipeline.rename(one, two).query::<Value>(&mut commands);
        expect_cross_slot(pipeline.unwrap_err(), Delivery::Replied);
        expect_unloaded(&host, cluster);
    }
}
