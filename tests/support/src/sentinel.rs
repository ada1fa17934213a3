//! A sentinel of a test's own.

use std::fs::{self, File};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use tempfile::TempDir;

use crate::admin::{ADMIN_NAME, Admin};
use crate::binary::ServerBinary;
use crate::bounded;
use crate::builder::TlsServer;
use crate::client_info::ClientInfo;
use crate::error::SupportError;
use crate::launch::{PING_LIMIT, POLL, START_LIMIT, free_port, log_path};
use crate::process::Process;
use crate::reply::Reply;
use crate::set_up::started;

/// How long a server is silent before a sentinel takes it for down, in milliseconds. A failover ends the sentinels' own
/// connections too; so it must be longer than a ping period, which is a second before 7.0, and the time to connect anew.
const DOWN_AFTER: u64 = 1500;
/// Within which a sentinel must see that its candidate was promoted, or it gives up, and half of what it waits before it has
/// another failover, in milliseconds. It looks once a second, and on a busy machine later.
const FAILOVER_TIMEOUT: u64 = 3000;
/// The rhythm of a sentinel, in milliseconds. Its defaults of 10, 2, 1 and 1 s, and 30 s for the pause that it makes after it
/// got no processor for 2 s, are for production.
///
/// The pings must not be more frequent. While the master is down, replicas are asked for INFO once a second, whatever is
/// set, and one whose INFO is older than 5 ping periods is no candidate: with 100 ms every second election ends with
/// `-failover-abort-no-good-slave`, and the next one is seconds later.
///
/// Nor must they publish more often. Who has seen a replica be a master for four such periods, and has not heard that it was
/// promoted, makes it a replica again (`+convert-to-slave`): what was written is lost, and there is another failover. The one
/// that had it promoted looks once a second, and tells then.
const PERIODS: [(&str, &str); 5] = [
    ("info-period", "200"),
    ("publish-period", "500"),
    ("ping-period", "400"),
    ("ask-period", "100"),
    ("tilt-period", "1000"),
];

/// Made by [`TestSentinel::builder`].
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct TestSentinelBuilder {
    monitors: Vec<(String, u16, usize)>,
    lines: Vec<String>,
    password: Option<String>,
    admin: Option<(String, String)>,
    tls: Option<TlsServer>,
}

impl TestSentinelBuilder {
    /// The master of a name, at a port of 127.0.0.1; so many sentinels have to find it down.
    pub fn monitor(mut self, name: &str, port: u16, quorum: usize) -> Self {
        self.monitors.push((name.to_owned(), port, quorum));
        self
    }

    /// Its own password (`requirepass`).
    pub fn password(mut self, password: &str) -> Self {
        self.password = Some(password.to_owned());
        self
    }

    /// The user, and the password, with which the test looks at it, if not the default user.
    pub fn admin(mut self, username: &str, password: &str) -> Self {
        self.admin = Some((username.to_owned(), password.to_owned()));
        self
    }

    /// Listens with TLS too, on a port of its own, and speaks TLS with the servers and the other sentinels.
    pub fn tls(mut self, tls: TlsServer) -> Self {
        self.tls = Some(tls);
        self
    }

    /// A further line of its configuration.
    pub fn line(mut self, line: impl Into<String>) -> Self {
        self.lines.push(line.into());
        self
    }

    fn configuration(&self, port: u16, tls_port: Option<u16>) -> String {
        let mut lines = vec![
            format!("port {port}"),
            "bind 127.0.0.1".to_owned(),
            "protected-mode no".to_owned(),
        ];
        for (name, port, quorum) in &self.monitors {
            lines.push(format!("sentinel monitor {name} 127.0.0.1 {port} {quorum}"));
            lines.push(format!(
                "sentinel down-after-milliseconds {name} {DOWN_AFTER}"
            ));
            lines.push(format!(
                "sentinel failover-timeout {name} {FAILOVER_TIMEOUT}"
            ));
            lines.push(format!("sentinel parallel-syncs {name} 2"));
        }
        lines.extend(
            self.password
                .iter()
                .map(|password| format!("requirepass {password}")),
        );
        if let (Some(tls), Some(port)) = (&self.tls, tls_port) {
            let wants = if tls.wants_certificates { "yes" } else { "no" };
            lines.push(format!("tls-port {port}"));
            lines.push("tls-replication yes".to_owned());
            lines.push(format!("tls-auth-clients {wants}"));
            for (option, file) in tls.files() {
                lines.push(format!("{option} {}", file.display()));
            }
        }
        lines.extend(self.lines.iter().cloned());
        lines.join("\n") + "\n"
    }

    /// Starts `binary` as a sentinel and waits until it answers.
    pub fn start(self, binary: &ServerBinary) -> Result<TestSentinel, SupportError> {
        let port = free_port()?;
        let tls_port = self.tls.as_ref().map(|_| free_port()).transpose()?;
        let folder = tempfile::Builder::new()
            .prefix("redis-manager-support-")
            .tempdir()
            .map_err(SupportError::io("making the sentinel's folder"))?;
        let path = folder.path().join("sentinel.conf");
        fs::write(&path, self.configuration(port, tls_port))
            .map_err(SupportError::file("writing", &path))?;
        let log = log_path(folder.path());
        let out = File::create(&log).map_err(SupportError::file("making", &log))?;
        let twin = out
            .try_clone()
            .map_err(SupportError::file("opening", &log))?;
        let mut command = Command::new(binary.path());
        command.arg(&path).arg("--sentinel");
        let process = Process::spawn(
            &command,
            folder.path(),
            [Stdio::from(out), Stdio::from(twin)],
        )
        .map_err(SupportError::file("starting", binary.path()))?;
        let mut sentinel = TestSentinel {
            process: Mutex::new(process),
            folder,
            port,
            tls_port,
            password: self.password,
            admin: self.admin,
        };
        sentinel.wait_until_ready()?;
        Ok(sentinel)
    }

    /// [`start`](Self::start) for tests: panics with the reason.
    #[track_caller]
    pub fn start_or_panic(self, binary: &ServerBinary) -> TestSentinel {
        started(self.start(binary))
    }
}

/// A running sentinel on 127.0.0.1. It dies with this value.
#[derive(Debug)]
pub struct TestSentinel {
    // Dropped in this order: the process, its folder.
    process: Mutex<Process>,
    folder: TempDir,
    port: u16,
    tls_port: Option<u16>,
    password: Option<String>,
    admin: Option<(String, String)>,
}

impl TestSentinel {
    /// For one that knows some masters, or none.
    pub fn builder() -> TestSentinelBuilder {
        TestSentinelBuilder::default()
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its port with TLS, if the builder asked for one.
    pub fn tls_port(&self) -> Option<u16> {
        self.tls_port
    }

    /// SIGKILL.
    pub fn kill(&self) -> Result<(), SupportError> {
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        process
            .kill()
            .map_err(SupportError::io("killing the sentinel"))
    }

    /// Sends a command over a connection of its own.
    pub fn command(&self, arguments: &[&str]) -> Result<Reply, SupportError> {
        let run = || {
            let mut admin = Admin::connect(self.port, self.password.as_deref(), PING_LIMIT)?;
            if let Some((username, password)) = &self.admin {
                admin.command(&["AUTH", username, password])?;
            }
            admin.settle()?;
            admin.command(arguments)
        };
        run().map_err(SupportError::io("asking the sentinel"))
    }

    /// The port of the master of that name, as far as it knows.
    pub fn master_port(&self, name: &str) -> Option<u16> {
        let asked = self
            .command(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", name])
            .ok()?;
        asked.items().get(1)?.text().parse().ok()
    }

    /// Who is connected and is neither ours nor another sentinel.
    pub fn clients(&self) -> Result<Vec<ClientInfo>, SupportError> {
        let text = self.command(&["CLIENT", "LIST"])?.text();
        let clients = text.lines().filter_map(ClientInfo::parse);
        let is_strange = |client: &ClientInfo| {
            client.name != ADMIN_NAME && !client.name.starts_with("sentinel-")
        };
        Ok(clients.filter(is_strange).collect())
    }

    /// What it knows of the master of that name: a field of `SENTINEL MASTER`.
    pub fn field(&self, name: &str, field: &str) -> Option<String> {
        let told = self.command(&["SENTINEL", "MASTER", name]).ok()?;
        let mut pairs = told.items().chunks_exact(2);
        let found = pairs.find(|pair| pair.first().is_some_and(|key| key.text() == field));
        found.and_then(|pair| pair.get(1)).map(Reply::text)
    }

    /// The end of what it printed.
    pub fn log_tail(&self) -> String {
        bounded::tail_of(&log_path(self.folder.path()))
    }

    fn wait_until_ready(&mut self) -> Result<(), SupportError> {
        let started = Instant::now();
        loop {
            let last = match self.command(&["PING"]) {
                Ok(Reply::Simple(_)) => break,
                Ok(other) => other.text(),
                Err(error) => error.to_string(),
            };
            let waited = started.elapsed();
            if waited >= START_LIMIT {
                let log = self.log_tail();
                return Err(SupportError::NotReady { waited, last, log });
            }
            thread::sleep(POLL);
        }
        for (period, milliseconds) in PERIODS {
            // Before 7.0 there is no such command, and a failover takes some seconds longer.
            self.command(&["SENTINEL", "DEBUG", period, milliseconds])?;
        }
        Ok(())
    }
}
