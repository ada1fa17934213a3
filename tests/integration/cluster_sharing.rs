//! Clients that share the connection to a cluster of which a node is missing.

use std::sync::mpsc;
use std::time::Instant;

use redis_manager::prelude::*;
use redis_manager::{OpenRedisClient, Protocol};
use redis_manager_support::{TestCluster, TestServer};

use crate::cluster_fixture::{key_of, key_of_each};
use crate::fixture::{Host, PATIENCE, PROTOCOLS, eventually, unique};
use crate::reconnect::open;
use crate::sharing::{open_for_another, sharing};

/// By which time a client has opened that waits for nobody.
const SOON: Duration = Duration::from_secs(2);

/// One of which a master stays missing.
fn start_without_replicas() -> TestCluster {
    let builder = TestCluster::builder().replicas(0);
    // Nobody finds out: it is about the client.
    builder.node_timeout(PATIENCE).start_or_panic()
}

/// Clients that have a connection to every master; that which listens only where there are shard channels.
fn open_first(
    host: &Host,
    cluster: &TestCluster,
    url: &str,
    protocol: Protocol,
) -> (RedisCommandClient, RedisPubSubClient) {
    let commands: RedisCommandClient = open(host, url, sharing(protocol));
    let pubsub: RedisPubSubClient = open(host, url, sharing(protocol));
    let has_shards = TestServer::shared().is_tried_with("SSUBSCRIBE");
    for key in key_of_each(cluster) {
        let () = commands.commands().set(&key, 1).unwrap();
        if has_shards {
            let ignore = |_: &Message| Ok(());
            pubsub
                .register_listener(Channel::shard(&*key), ignore)
                .unwrap();
        }
    }
    (commands, pubsub)
}

fn other_than<'a>(cluster: &'a TestCluster, node: &TestServer) -> Vec<&'a TestServer> {
    let others = cluster.masters().into_iter();
    others.filter(|other| other.port() != node.port()).collect()
}

#[track_caller]
fn open_soon<C>(host: &Host, url: &str, protocol: Protocol) -> C
where
    C: OpenRedisClient + Into<AnyClient>,
{
    let began = Instant::now();
    let (_, client) = open_for_another(host, url, sharing(protocol));
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
    client
}

/// Has the new clients work with all nodes but the one that is missing.
#[track_caller]
fn expect_of_use(
    cluster: &TestCluster,
    commands: &RedisCommandClient,
    pubsub: &RedisPubSubClient,
    nodes: &[&TestServer],
) {
    for node in nodes {
        let key = key_of(cluster, node);
        assert_eq!(commands.commands().incr(&key, 1).ok(), Some(1));
    }
    let channel = unique("channel");
    let (sender, heard) = mpsc::channel();
    pubsub
        .register_listener(&*channel, move |message: &Message| {
            Ok(sender.send(message.payload().to_vec())?)
        })
        .unwrap();
    nodes[0].run(&["PUBLISH", &channel, "x"]);
    assert_eq!(heard.recv_timeout(PATIENCE).unwrap(), b"x");
}

#[test]
fn others_open_at_once_while_a_master_is_missing_that_the_uri_does_not_name() {
    for protocol in PROTOCOLS {
        let cluster = start_without_replicas();
        let host = Host::new();
        let missing = cluster.owner(0);
        let others = other_than(&cluster, missing);
        let url = cluster.url_of(others[0]);
        let (commands, pubsub) = open_first(&host, &cluster, &url, protocol);
        missing.kill().unwrap();
        eventually("the loss is known", || commands.state().is_disconnected());
        if TestServer::shared().is_tried_with("SSUBSCRIBE") {
            eventually("the loss is known", || pubsub.state().is_disconnected());
        }
        for _ in 0..3 {
            let commands = open_soon(&host, &url, protocol);
            let pubsub = open_soon(&host, &url, protocol);
            expect_of_use(&cluster, &commands, &pubsub, &others);
        }
        let name = unique("script");
        for _ in 0..2 {
            let reload = host.manager.reload_script(&name).unwrap();
            let began = Instant::now();
            let options = sharing(protocol).build().unwrap();
            let commands: RedisCommandClient = host
                .manager
                .open_with(reload.script(), url.as_str(), options.clone())
                .unwrap();
            let pubsub: RedisPubSubClient = host
                .manager
                .open_with(reload.script(), url.as_str(), options)
                .unwrap();
            assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
            expect_of_use(&cluster, &commands, &pubsub, &others);
            reload.finish().unwrap();
        }
    }
}

#[test]
fn others_open_by_the_nodes_that_are_known_while_that_of_the_uri_is_missing() {
    let cluster = start_without_replicas();
    let host = Host::new();
    let missing = cluster.owner(0);
    let others = other_than(&cluster, missing);
    let url = cluster.url_of(missing);
    // Connected to nothing but what will be missing.
    let commands: RedisCommandClient = open(&host, &url, sharing(Protocol::Auto));
    let key = key_of(&cluster, missing);
    let () = commands.commands().set(&key, 1).unwrap();
    missing.kill().unwrap();
    eventually("the loss is known", || commands.state().is_disconnected());
    let commands = open_soon(&host, &url, Protocol::Auto);
    let pubsub: RedisPubSubClient = open(&host, cluster.url(), sharing(Protocol::Auto));
    expect_of_use(&cluster, &commands, &pubsub, &others);
}

#[test]
fn while_all_nodes_are_missing_none_opens_and_the_error_says_why() {
    let cluster = start_without_replicas();
    let host = Host::new();
    let options = || sharing(Protocol::Auto).connect_timeout(Duration::from_secs(5));
    let first: RedisCommandClient = open(&host, cluster.url(), options());
    let key = unique("key");
    let () = first.commands().set(&key, 1).unwrap();
    for node in cluster.masters() {
        node.kill().unwrap();
    }
    eventually("the loss is known", || first.state().is_disconnected());
    let script = host.manager.load_script(unique("script")).unwrap();
    let open = || -> Result<RedisCommandClient, Error> {
        let options = options().build().unwrap();
        host.manager.open_with(&script, cluster.url(), options)
    };
    let error = open().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect, "{error}");
    assert!(error.message().contains("refused"), "{error}");
    for node in cluster.nodes() {
        assert!(
            error.message().contains(&node.port().to_string()),
            "{error}"
        );
    }
    assert!(first.state().is_disconnected());
}
