//! A primary, two replicas, and three sentinels that care for them.

use std::thread;
use std::time::Instant;

use crate::launch::{POLL, START_LIMIT};
use crate::notice;
use crate::sentinel::TestSentinel;
use crate::server::TestServer;

/// The name by which the sentinels know the master.
const NAME: &str = "main";

/// Three servers, one of which is the master at a time, and three sentinels, of which two have to agree.
#[derive(Debug)]
pub struct SentinelTrio {
    sentinels: Vec<TestSentinel>,
    servers: Vec<TestServer>,
}

impl SentinelTrio {
    /// Starts them, and waits until each knows the others; panics with the reason if they cannot be started.
    #[track_caller]
    pub fn start() -> Self {
        // Both ends of a replication keep little, and begin at once.
        let args = [
            "--repl-diskless-sync-delay",
            "0",
            "--repl-backlog-size",
            "1mb",
        ];
        let primary = TestServer::builder().args(args).start_or_panic();
        let of = primary.port().to_string();
        let mut servers = vec![primary];
        for _ in 0..2 {
            let replica = TestServer::builder().args(args);
            let replica = replica.args(["--replicaof", "127.0.0.1", &of]);
            servers.push(replica.start_or_panic());
        }
        let mut trio = Self {
            sentinels: Vec::new(),
            servers,
        };
        trio.wait("the replicas are in sync", |trio| {
            let primary = trio.servers.first();
            let info = primary.map(|primary| primary.run(&["INFO", "replication"]).text());
            info.is_some_and(|info| info.matches("state=online").count() == 2)
        });
        let ports: Vec<u16> = trio.servers.iter().map(TestServer::port).collect();
        for _ in 0..3 {
            let sentinel = TestSentinel::builder().monitor(NAME, ports[0], 2);
            trio.sentinels
                .push(sentinel.start_or_panic(trio.servers[0].binary()));
        }
        trio.wait_until_whole();
        trio
    }

    /// `127.0.0.1:port` of each sentinel, separated by commas.
    pub fn addresses(&self) -> String {
        let of = |sentinel: &TestSentinel| format!("127.0.0.1:{}", sentinel.port());
        self.sentinels.iter().map(of).collect::<Vec<_>>().join(",")
    }

    /// The URI of the master.
    pub fn url(&self) -> String {
        format!("redis-sentinel://{}#{NAME}", self.addresses())
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
            .find(|server| Some(server.port()) == port);
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
            !flags.contains("failover_in_progress") && one.master_port(NAME) == Some(master.port())
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
                Some(server.port()) == port && info.contains("role:master")
                    || info.contains("master_link_status:up")
                        && port.is_some_and(|port| info.contains(&format!("master_port:{port}")))
            })
        });
    }

    #[track_caller]
    #[expect(clippy::panic, reason = "a test whose set-up failed has failed")]
    fn wait(&self, what: &str, mut condition: impl FnMut(&Self) -> bool) {
        let started = Instant::now();
        while !condition(self) {
            if started.elapsed() > START_LIMIT {
                panic!("not within {START_LIMIT:?}: {what}");
            }
            thread::sleep(POLL);
        }
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
