//! What the tests of clusters have in common.

use redis_manager::prelude::*;
use redis_manager::{ClientOptionsBuilder, OpenRedisClient};
use redis_manager_support::{ClientInfo, TestCluster, TestClusterBuilder, TestServer};

use crate::fixture::{Host, eventually, unique};
use crate::reconnect::{open, options};

/// For tests that need shard channels: `None`, before any node is started, where the server has none.
#[track_caller]
pub(crate) fn start_with_shard_channels(builder: TestClusterBuilder) -> Option<TestCluster> {
    let is_tried = TestServer::shared().is_tried_with("SSUBSCRIBE");
    is_tried.then(|| builder.start_or_panic())
}

/// A client whose connections carry the name of `host`.
#[track_caller]
pub(crate) fn open_in<C>(host: &Host, cluster: &TestCluster, options: ClientOptionsBuilder) -> C
where
    C: OpenRedisClient + Into<AnyClient>,
{
    open(host, named(host, &cluster.url_with_password()), options)
}

/// One that listens, and does not take long to come back.
#[track_caller]
pub(crate) fn open_subscriber(
    host: &Host,
    cluster: &TestCluster,
    protocol: Protocol,
) -> RedisPubSubClient {
    open_in(host, cluster, options(protocol))
}

/// `url` with the name of `host` for its connections.
pub(crate) fn named(host: &Host, url: &str) -> String {
    format!("{url}?clientName={}", host.name)
}

/// A key that nobody else has, in a slot of `node`.
#[track_caller]
pub(crate) fn key_of(cluster: &TestCluster, node: &TestServer) -> String {
    let view = cluster.view(node);
    let itself = view.iter().find(|line| line.is("myself")).unwrap();
    loop {
        let key = unique("key");
        if itself.has(cluster.slot(&key)) {
            return key;
        }
    }
}

/// A key of each master.
#[track_caller]
pub(crate) fn key_of_each(cluster: &TestCluster) -> Vec<String> {
    let masters = cluster.masters();
    masters
        .into_iter()
        .map(|node| key_of(cluster, node))
        .collect()
}

/// Waits until every node tells clients of all replicas. One to whose master nothing was ever written is told of by none.
#[track_caller]
pub(crate) fn show_replicas(cluster: &TestCluster) {
    for key in key_of_each(cluster) {
        cluster.owner_of(&key).run(&["SET", &key, "1"]);
    }
    cluster.wait_until_replicas_are_shown();
}

/// The connections of `host` to all nodes that are up.
pub(crate) fn sockets(host: &Host, cluster: &TestCluster) -> Vec<ClientInfo> {
    let of = |node: &TestServer| node.clients().unwrap_or_default();
    let all = cluster.nodes_up().flat_map(of);
    all.filter(|client| client.name == host.name).collect()
}

/// Unloads the script of `host` and waits until no node has a connection of it.
#[track_caller]
pub(crate) fn expect_unloaded(host: &Host, cluster: &TestCluster) {
    assert!(host.manager.unload_script(&host.script).is_clean());
    eventually("no node has a socket", || sockets(host, cluster).is_empty());
}
