//! A cluster of a test's own.

mod builder;
mod forming;
mod migration;
mod node;
mod view;

use std::sync::OnceLock;

pub use builder::TestClusterBuilder;
pub use node::ClusterNode;

use crate::server::{TestServer, percent_encoded};
use crate::set_up;

/// How many slots there are.
const SLOTS: u16 = 16_384;

/// Masters and their replicas on 127.0.0.1, which share the slots. They die with this value. Who is a master and who has a
/// slot is asked whenever it is wanted; [`kill`](TestServer::kill), [`restart`](TestServer::restart),
/// [`pause`](TestServer::pause) and [`resume`](TestServer::resume) are those of the nodes.
#[derive(Debug)]
pub struct TestCluster {
    nodes: Vec<TestServer>,
    /// By what the nodes know each other, as long as the cluster lives.
    ids: Vec<String>,
    uses_tls: bool,
}

impl TestCluster {
    /// Three masters and a replica of each, without a password; panics with the reason if they cannot be started.
    #[track_caller]
    pub fn start() -> Self {
        Self::builder().start_or_panic()
    }

    /// For one with a password, TLS, another number of nodes, …
    pub fn builder() -> TestClusterBuilder {
        TestClusterBuilder::default()
    }

    /// One for all tests of this process that only need any: use keys and channels of your own, and neither stop,
    /// configure nor reshard it. Started by the first call; dies with the process.
    #[track_caller]
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<TestCluster> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// `127.0.0.1:port` of each node, separated by commas; with TLS the ports of that.
    pub fn addresses(&self) -> String {
        let of = |node| format!("127.0.0.1:{}", self.port(node));
        self.nodes.iter().map(of).collect::<Vec<_>>().join(",")
    }

    /// `redis-cluster://` or `rediss-cluster://` with the addresses of all nodes, without the password.
    pub fn url(&self) -> String {
        format!("{}{}", self.scheme(), self.addresses())
    }

    /// [`url`](Self::url) with the password, if there is one.
    pub fn url_with_password(&self) -> String {
        match self.nodes.first().and_then(TestServer::password) {
            Some(password) => {
                let password = percent_encoded(password);
                format!("{}:{password}@{}", self.scheme(), self.addresses())
            }
            None => self.url(),
        }
    }

    /// The same with one node alone.
    pub fn url_of(&self, node: &TestServer) -> String {
        format!("{}127.0.0.1:{}", self.scheme(), self.port(node))
    }

    fn scheme(&self) -> &'static str {
        if self.uses_tls {
            "rediss-cluster://"
        } else {
            "redis-cluster://"
        }
    }

    /// Where clients reach it.
    pub fn port(&self, node: &TestServer) -> u16 {
        match node.tls_port() {
            Some(port) if self.uses_tls => port,
            _ => node.port(),
        }
    }

    /// All nodes, those that are down as well.
    pub fn nodes(&self) -> &[TestServer] {
        &self.nodes
    }

    /// Those that can be asked.
    pub fn nodes_up(&self) -> impl Iterator<Item = &TestServer> {
        self.nodes
            .iter()
            .filter(|node| node.is_running() && !node.is_paused())
    }

    /// The name that the cluster has for it.
    #[track_caller]
    pub fn id(&self, node: &TestServer) -> &str {
        let mut pairs = self.nodes.iter().zip(&self.ids);
        let found = pairs.find(|(other, _)| other.port() == node.port());
        #[expect(
            clippy::expect_used,
            reason = "a test that mixes up clusters has failed"
        )]
        found.map(|(_, id)| id).expect("a node of this cluster")
    }

    /// The node of that name.
    pub fn node(&self, id: &str) -> Option<&TestServer> {
        let mut pairs = self.nodes.iter().zip(&self.ids);
        pairs.find(|(_, own)| *own == id).map(|(node, _)| node)
    }

    /// Sends a command to each node that is up; panics when one refuses.
    #[track_caller]
    pub fn run_everywhere<A: AsRef<[u8]>>(&self, arguments: &[A]) {
        for node in self.nodes_up() {
            node.run(arguments);
        }
    }

    /// Has `replica` become the master of its shard, with its master's consent, and waits until all say so. Nothing that
    /// was acknowledged is lost, unless the same node was elected some seconds ago: Redis 7.0 counts the votes of then,
    /// and the node is a master for a moment that nobody else knows of.
    #[track_caller]
    pub fn failover(&self, replica: &TestServer) {
        self.wait("the replica stays the master", |cluster| {
            replica.run(&["CLUSTER", "FAILOVER"]);
            cluster.wait("the replica is the master", |cluster| {
                cluster.is_master(replica)
            });
            cluster.wait_until_whole();
            cluster.is_master(replica)
        });
    }

    /// Has `replica` become the master of its shard without asking anybody, its master down or not, and waits until it
    /// says so.
    #[track_caller]
    pub fn take_over(&self, replica: &TestServer) {
        replica.run(&["CLUSTER", "FAILOVER", "TAKEOVER"]);
        self.wait("the replica is the master", |cluster| {
            cluster.is_master(replica)
        });
    }

    #[track_caller]
    fn wait(&self, what: &str, mut condition: impl FnMut(&Self) -> bool) {
        set_up::wait(what, || condition(self));
    }
}
