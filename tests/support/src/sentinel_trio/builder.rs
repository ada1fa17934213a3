//! How a test's trio is started.

use crate::builder::{TestServerBuilder, TlsServer};
use crate::error::SupportError;
use crate::sentinel::{TestSentinel, TestSentinelBuilder};
use crate::sentinel_trio::{NAME, SentinelTrio};
use crate::set_up::{started, started_with_tls};

/// Made by [`SentinelTrio::builder`].
#[derive(Debug, Clone)]
#[must_use]
pub struct SentinelTrioBuilder {
    pub(super) server: TestServerBuilder,
    pub(super) sentinel: TestSentinelBuilder,
    pub(super) uses_tls: bool,
}

impl Default for SentinelTrioBuilder {
    fn default() -> Self {
        // Both ends of a replication keep little, and begin at once.
        let server = TestServerBuilder::default().args([
            "--repl-diskless-sync-delay",
            "0",
            "--repl-backlog-size",
            "1mb",
        ]);
        Self {
            server,
            sentinel: TestSentinel::builder(),
            uses_tls: false,
        }
    }
}

impl SentinelTrioBuilder {
    /// The default user's password on the servers. Replicas and sentinels log in with it too, unless another user was
    /// named for them before.
    pub fn password(mut self, password: &str) -> Self {
        self.server = self.server.password(password);
        self.args(["--masterauth", password])
            .sentinel(|sentinel| sentinel.line(format!("sentinel auth-pass {NAME} {password}")))
    }

    /// Clients, servers and sentinels speak TLS with each other.
    pub fn tls(mut self, tls: TlsServer) -> Self {
        self.uses_tls = true;
        self.server = self
            .server
            .tls(tls.clone())
            .args(["--tls-replication", "yes"]);
        self.sentinel(|sentinel| sentinel.tls(tls))
    }

    /// Further arguments of every server.
    pub fn args<I: IntoIterator<Item: Into<String>>>(mut self, arguments: I) -> Self {
        self.server = self.server.args(arguments);
        self
    }

    /// What is different for every sentinel.
    pub fn sentinel(
        mut self,
        change: impl FnOnce(TestSentinelBuilder) -> TestSentinelBuilder,
    ) -> Self {
        self.sentinel = change(self.sentinel);
        self
    }

    /// Starts them, and waits until each knows the others.
    pub fn start(self) -> Result<SentinelTrio, SupportError> {
        SentinelTrio::form(self)
    }

    /// [`start`](Self::start) for tests of TLS: `None`, and a line that says so, if no server that there is speaks it.
    #[track_caller]
    pub fn start_with_tls(self) -> Option<SentinelTrio> {
        started_with_tls(self.start())
    }

    /// [`start`](Self::start) for tests: panics with the reason.
    #[track_caller]
    pub fn start_or_panic(self) -> SentinelTrio {
        started(self.start())
    }
}
