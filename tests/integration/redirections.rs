//! Calls to one node of a cluster, which says that another one has the key: the error says who goes there, and is
//! otherwise as the server made it.

use redis_manager::prelude::*;
use redis_manager::redis::{self, RedisError, ServerErrorKind, Value, cmd, pipe};
use redis_manager::{Delivery, ScriptCommand};
use redis_manager_support::TestCluster;

use crate::cluster_fixture::{expect_unloaded, key_of, key_of_each, open_in};
use crate::fixture::{Host, PROTOCOLS};
use crate::reconnect::{open, options};

/// `redis://` to one node, and a key of another.
fn stray() -> (&'static TestCluster, String, String) {
    let cluster = TestCluster::shared();
    let masters = cluster.masters();
    let url = cluster.url_of(masters[0]).replace("redis-cluster", "redis");
    (cluster, url, key_of(cluster, masters[1]))
}

#[track_caller]
fn expect_moved(theirs: &RedisError, hint: &str) {
    let moved = redis::ErrorKind::Server(ServerErrorKind::Moved);
    assert_eq!((theirs.kind(), theirs.code()), (moved, Some("MOVED")));
    assert!(theirs.redirect_node().is_some(), "{theirs}");
    assert!(theirs.to_string().contains(hint), "{theirs}");
    let ours = Error::from(theirs.clone());
    assert_eq!(ours.kind(), ErrorKind::Server, "{ours}");
    assert_eq!(ours.delivery(), Some(Delivery::Replied));
    assert_eq!(
        (ours.code(), ours.answer()),
        (Some("MOVED"), theirs.detail())
    );
    assert!(ours.message().contains(hint), "{ours}");
}

#[test]
fn a_call_by_the_uri_of_one_server_says_that_it_is_a_cluster() {
    let (_cluster, url, key) = stray();
    const HINT: &str = "with a URI that begins with redis-cluster://";
    for protocol in PROTOCOLS {
        let host = Host::new();
        let client: RedisCommandClient = open(&host, &url, options(protocol));
        let mut session = client.session().unwrap();
        let asynchronous = pollster::block_on(async {
            let mut session = client.session_async().await.unwrap();
            let one = client.async_commands().get::<_, Value>(&key).await;
            [one, session.get::<_, Value>(&key).await]
        });
        let outcomes = [
            client.commands().get::<_, Value>(&key),
            client.commands().set(&key, 1),
            client.commands().blpop(&key, 1.0),
            session.get(&key),
        ];
        for outcome in outcomes.into_iter().chain(asynchronous) {
            expect_moved(&outcome.unwrap_err(), HINT);
        }
        let error = ScriptCommand::new("get", [&*key]).unwrap();
        let error = error.call(&client).unwrap_err();
        assert!(error.message().contains(HINT), "{error}");
        assert_eq!(error.command(), Some("GET"));
        // What is no error of a call but a reply stays one.
        let raw = client.connection().request(cmd("GET").arg(&key)).unwrap();
        assert!(matches!(raw, Value::ServerError(_)), "{raw:?}");
    }
}

#[test]
fn an_error_of_a_pipeline_or_of_a_shard_channel_names_the_scheme_too() {
    let (cluster, url, key) = stray();
    for protocol in PROTOCOLS {
        let host = Host::new();
        let client: RedisCommandClient = open(&host, &url, options(protocol));
        let mut commands = client.commands();
        let plain = pipe().get(&key).query::<Value>(&mut commands).unwrap_err();
        let mut atomic = pipe();
        let atomic = atomic.atomic().set(&key, 1).query::<Value>(&mut commands);
        let mut errors = vec![Error::from(plain), Error::from(atomic.unwrap_err())];
        if cluster.masters()[0].is_tried_with("SSUBSCRIBE") {
            let pubsub: RedisPubSubClient = open(&host, &url, options(protocol));
            let channel = Channel::shard(&key);
            errors.push(pubsub.publish(&channel, "m").unwrap_err());
            let registered = pubsub.register_listener(&channel, |_| Ok(()));
            errors.push(registered.unwrap_err());
        }
        for error in errors {
            assert!(error.message().contains("redis-cluster://"), "{error}");
            assert_eq!(error.kind(), ErrorKind::Server, "{error}");
        }
    }
}

#[test]
fn a_session_that_watches_says_why_it_stays() {
    let cluster = TestCluster::shared();
    for protocol in PROTOCOLS {
        let host = Host::new();
        let client: RedisCommandClient = open_in(&host, cluster, options(protocol));
        let keys = key_of_each(cluster);
        let mut session = client.session().unwrap();
        cmd("WATCH").arg(&keys[0]).exec(&mut session).unwrap();
        let elsewhere = session.get::<_, Value>(&keys[1]).unwrap_err();
        expect_moved(&elsewhere, "a session stays on its own");
        assert!(!elsewhere.to_string().contains("redis-cluster://"));
        drop(session);
        expect_unloaded(&host, cluster);
    }
}
