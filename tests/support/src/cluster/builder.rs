//! How a test's cluster is started.

use std::time::Duration;

use crate::builder::{TestServerBuilder, TlsServer};
use crate::cluster::TestCluster;
use crate::error::SupportError;
use crate::set_up::{started, started_with_tls};

/// Made by [`TestCluster::builder`].
#[derive(Debug, Clone)]
#[must_use]
pub struct TestClusterBuilder {
    pub(crate) masters: usize,
    pub(crate) replicas: usize,
    pub(crate) node_timeout: Duration,
    pub(crate) server: TestServerBuilder,
    pub(crate) uses_tls: bool,
}

impl Default for TestClusterBuilder {
    fn default() -> Self {
        // Both ends of a replication keep little, and begin at once. A replica may follow a master however long it has
        // not heard of it: what a test killed is to come back.
        let server = TestServerBuilder::default().with_bus().args([
            "--cluster-enabled",
            "yes",
            "--cluster-config-file",
            "nodes.conf",
            "--cluster-replica-validity-factor",
            "0",
            "--repl-diskless-sync-delay",
            "0",
            "--repl-backlog-size",
            "1mb",
        ]);
        Self {
            masters: 3,
            replicas: 1,
            node_timeout: Duration::from_millis(1500),
            server,
            uses_tls: false,
        }
    }
}

impl TestClusterBuilder {
    /// How many masters share the slots; 3 if it is not said. With less than 3 no failover finds a majority.
    pub fn masters(mut self, masters: usize) -> Self {
        self.masters = masters;
        self
    }

    /// How many replicas each has; 1 if it is not said.
    pub fn replicas(mut self, replicas: usize) -> Self {
        self.replicas = replicas;
        self
    }

    /// How long a node is silent before the others take it for down (`cluster-node-timeout`); 1.5 s if it is not said.
    pub fn node_timeout(mut self, timeout: Duration) -> Self {
        self.node_timeout = timeout;
        self
    }

    /// The default user's password, of all nodes.
    pub fn password(mut self, password: &str) -> Self {
        self.server = self
            .server
            .password(password)
            .args(["--masterauth", password]);
        self
    }

    /// Clients and nodes speak TLS with the nodes. The certificate is shown to other nodes too.
    pub fn tls(mut self, tls: TlsServer) -> Self {
        self.uses_tls = true;
        let args = ["--tls-cluster", "yes", "--tls-replication", "yes"];
        self.server = self.server.tls(tls).args(args);
        self
    }

    /// Further arguments of every node.
    pub fn args<I: IntoIterator<Item: Into<String>>>(mut self, arguments: I) -> Self {
        self.server = self.server.args(arguments);
        self
    }

    /// What is written stays when a node is killed and restarted (`appendonly`).
    pub fn durable(self) -> Self {
        self.args(["--appendonly", "yes"])
    }

    /// Starts the nodes, lets them meet, and waits until they are a cluster whose replicas are in sync.
    pub fn start(self) -> Result<TestCluster, SupportError> {
        TestCluster::form(self)
    }

    /// [`start`](Self::start) for tests of TLS: `None`, and a line that says so, if no server that there is speaks it.
    #[track_caller]
    pub fn start_with_tls(self) -> Option<TestCluster> {
        started_with_tls(self.start())
    }

    /// [`start`](Self::start) for tests: panics with the reason.
    #[track_caller]
    pub fn start_or_panic(self) -> TestCluster {
        started(self.start())
    }
}
