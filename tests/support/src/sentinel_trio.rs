//! A primary, two replicas, and three sentinels that care for them.

mod builder;

use std::thread;

pub use builder::SentinelTrioBuilder;

use crate::error::SupportError;
use crate::notice;
use crate::sentinel::TestSentinel;
use crate::server::TestServer;
use crate::set_up;

/// The name by which the sentinels know the master.
const NAME: &str = "main";

/// Three servers, one of which is the master at a time, and three sentinels, of which two have to agree.
#[derive(Debug)]
pub struct SentinelTrio {
    sentinels: Vec<TestSentinel>,
    servers: Vec<TestServer>,
    uses_tls: bool,
}

impl SentinelTrio {
    /// Without passwords and TLS; panics with the reason if they cannot be started.
    #[track_caller]
    pub fn start() -> Self {
        Self::builder().start_or_panic()
    }

    /// For one with passwords, TLS, …
    pub fn builder() -> SentinelTrioBuilder {
        SentinelTrioBuilder::default()
    }

    fn form(options: SentinelTrioBuilder) -> Result<Self, SupportError> {
        let primary = options.server.clone().start()?;
        let binary = primary.binary().clone();
        let mut trio = Self {
            sentinels: Vec::new(),
            servers: vec![primary],
            uses_tls: options.uses_tls,
        };
        let port = trio.port(&trio.servers[0]);
        let replica = options.server.binary(binary.clone());
        let replica = replica.args(["--replicaof", "127.0.0.1", &port.to_string()]);
        for _ in 0..2 {
            trio.servers.push(replica.clone().start()?);
        }
        trio.wait("the replicas are in sync", |trio| {
            let info = trio.servers[0].run(&["INFO", "replication"]).text();
            info.matches("state=online").count() == 2
        });
        for _ in 0..3 {
            let sentinel = options.sentinel.clone().monitor(NAME, port, 2);
            trio.sentinels.push(sentinel.start(&binary)?);
        }
        trio.wait_until_whole();
        Ok(trio)
    }

    /// `127.0.0.1:port` of each sentinel, separated by commas; with TLS the ports of that.
    pub fn addresses(&self) -> String {
        let of = |sentinel: &TestSentinel| {
            let port = match sentinel.tls_port() {
                Some(port) if self.uses_tls => port,
                _ => sentinel.port(),
            };
            format!("127.0.0.1:{port}")
        };
        self.sentinels.iter().map(of).collect::<Vec<_>>().join(",")
    }

    /// The URI of the master, without a password.
    pub fn url(&self) -> String {
        let scheme = match self.uses_tls {
            true => "rediss-sentinel",
            false => "redis-sentinel",
        };
        format!("{scheme}://{}#{NAME}", self.addresses())
    }

    /// Where clients and sentinels reach it.
    pub fn port(&self, server: &TestServer) -> u16 {
        match server.tls_port() {
            Some(port) if self.uses_tls => port,
            _ => server.port(),
        }
    }

    /// The name by which the sentinels know the master.
    pub fn name(&self) -> &'static str {
        NAME
    }

    /// The sentinels.
    pub fn sentinels(&self) -> &[TestSentinel] {
        &self.sentinels
    }

    /// All servers.
    pub fn servers(&self) -> &[TestServer] {
        &self.servers
    }

    /// The server that all sentinels that run take for the master, once they agree.
    #[track_caller]
    pub fn primary(&self) -> &TestServer {
        let mut port = None;
        self.wait("the sentinels agree", |trio| {
            let mut ports = trio
                .sentinels
                .iter()
                .filter_map(|one| one.master_port(NAME));
            port = ports.next();
            port.is_some() && ports.all(|other| Some(other) == port)
        });
        let found = self
            .servers
            .iter()
            .find(|server| Some(self.port(server)) == port);
        #[expect(clippy::expect_used, reason = "a test whose set-up failed has failed")]
        found.expect("the master is one of the servers")
    }

    /// Tells the first sentinel that runs to have another master, as soon as it does. Does not wait for that.
    #[track_caller]
    pub fn begin_failover(&self) {
        self.wait("a failover begins", |trio| {
            let failover = ["SENTINEL", "FAILOVER", NAME];
            let mut answers = trio.sentinels.iter().map(|one| one.command(&failover));
            let answer = answers.find_map(Result::ok);
            answer.is_some_and(|reply| !reply.is_error())
        });
    }

    /// Whether the first sentinel that runs still has `master`, and is about no other one: a failover that it was told to
    /// begin has failed.
    pub fn has_given_up(&self, master: &TestServer) -> bool {
        let mut sentinels = self.sentinels.iter();
        // In this order, because both change at once when it succeeds.
        let found = sentinels.find_map(|one| Some((one.field(NAME, "flags")?, one)));
        found.is_some_and(|(flags, one)| {
            !flags.contains("failover_in_progress")
                && one.master_port(NAME) == Some(self.port(master))
        })
    }

    /// Waits until all servers and sentinels that were started know of each other, and another failover could begin.
    #[track_caller]
    pub fn wait_until_whole(&self) {
        self.wait("all know each other", |trio| {
            trio.sentinels.iter().all(|sentinel| {
                let is = |field, value: &str| sentinel.field(NAME, field).as_deref() == Some(value);
                is("num-slaves", "2") && is("num-other-sentinels", "2") && is("flags", "master")
            })
        });
        self.wait("the replicas follow the master", |trio| {
            let port = trio.sentinels[0].master_port(NAME);
            trio.servers.iter().all(|server| {
                // A sentinel that makes a server a replica hangs up on everybody there.
                let Ok(info) = server.command(&["INFO", "replication"]) else {
                    return false;
                };
                let info = info.text();
                Some(trio.port(server)) == port && info.contains("role:master")
                    || info.contains("master_link_status:up")
                        && port.is_some_and(|port| info.contains(&format!("master_port:{port}")))
            })
        });
    }

    #[track_caller]
    fn wait(&self, what: &str, mut condition: impl FnMut(&Self) -> bool) {
        set_up::wait(what, || condition(self));
    }
}

/// A test that fails shows what the sentinels did.
impl Drop for SentinelTrio {
    fn drop(&mut self) {
        if thread::panicking() {
            for sentinel in &self.sentinels {
                notice::say(&format!(
                    "sentinel {}:\n{}",
                    sentinel.port(),
                    sentinel.log_tail()
                ));
            }
        }
    }
}
