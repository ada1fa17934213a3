//! Starting a server: port, arguments, and the wait until it answers.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::admin::Admin;
use crate::binary::ServerBinary;
use crate::bounded;
use crate::builder::TestServerBuilder;
use crate::error::SupportError;
use crate::process::Process;
use crate::reply::Reply;

/// Starting takes some 20 ms; a machine under full load is given time.
pub(crate) const START_LIMIT: Duration = Duration::from_secs(30);
/// One look whether the server answers.
pub(crate) const PING_LIMIT: Duration = Duration::from_secs(1);
pub(crate) const POLL: Duration = Duration::from_millis(5);
/// How many ports are tried: somebody else may take one between our look and the server's bind.
const PORT_CHOICES: usize = 5;
/// Below the ephemeral ports of Linux and macOS: a client that reconnects to a port of that range
/// while its server is down may be given the very same port as its own, connects to itself and
/// keeps the server from coming back.
const PORTS: Range<u16> = 16_384..32_768;
/// From the port of a cluster's node to that of its bus.
const TO_BUS: u16 = 10_000;
const PORT_TAKEN: &str = "Address already in use";
/// The last line of a start, by all versions of Redis and Valkey.
const LISTENING: &str = "Ready to accept connections";

/// One start: the first, or one after a kill.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Launch<'server> {
    pub(crate) port: u16,
    /// The port with TLS, if there is one.
    pub(crate) tls_port: Option<u16>,
    pub(crate) options: &'server TestServerBuilder,
    pub(crate) binary: &'server ServerBinary,
    pub(crate) folder: &'server Path,
}

/// Starts a server in a new folder, on the port that the options name or on a free one.
pub(crate) fn on_a_free_port(
    options: &TestServerBuilder,
    binary: &ServerBinary,
) -> Result<Started, SupportError> {
    let choose = if options.has_bus {
        free_port_with_bus
    } else {
        free_port
    };
    let mut choices = if options.port.is_some() {
        1
    } else {
        PORT_CHOICES
    };
    loop {
        choices -= 1;
        let port = match options.port {
            Some(port) => port,
            None => choose()?,
        };
        let tls_port = options.tls.as_ref().map(|_| choose()).transpose()?;
        let folder = tempfile::Builder::new()
            .prefix("redis-manager-support-")
            .tempdir()
            .map_err(SupportError::io("making the server's folder"))?;
        let launch = Launch {
            port,
            tls_port,
            options,
            binary,
            folder: folder.path(),
        };
        let mut process = launch.spawn()?;
        match launch.wait_until_ready(&mut process) {
            Ok(admin) => {
                return Ok(Started {
                    folder,
                    port,
                    tls_port,
                    process,
                    admin,
                });
            }
            Err(SupportError::Exited { log, .. }) if tls_port.is_some() && lacks_tls(&log) => {
                return Err(SupportError::NoTls {
                    server: binary.to_string(),
                });
            }
            Err(SupportError::Exited { log, .. }) if choices > 0 && log.contains(PORT_TAKEN) => {}
            Err(error) => return Err(error),
        }
    }
}

/// A server that answers.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) folder: TempDir,
    pub(crate) port: u16,
    pub(crate) tls_port: Option<u16>,
    pub(crate) process: Process,
    pub(crate) admin: Admin,
}

/// What Valkey says that was built without TLS, and Redis.
fn lacks_tls(log: &str) -> bool {
    log.contains("Failed finding TLS support") || log.contains("Bad directive")
}

impl Launch<'_> {
    fn command(&self) -> Command {
        let mut command = Command::new(self.binary.path());
        command.args(["--bind", "127.0.0.1", "--port", &self.port.to_string()]);
        // Nothing is kept, and nothing is written outside of the folder. The stand-in keeps
        // nothing anyway and knows no such options.
        if !self.binary.is_stand_in() {
            command
                .args(["--save", "", "--appendonly", "no", "--dir"])
                .arg(self.folder);
        }
        if let Some(password) = &self.options.password {
            command.args(["--requirepass", password]);
        }
        if self.options.unix_socket {
            command.arg("--unixsocket").arg(socket_path(self.folder));
        }
        if let (Some(tls), Some(port)) = (&self.options.tls, self.tls_port) {
            let wants = if tls.wants_certificates { "yes" } else { "no" };
            command
                .args(["--tls-port", &port.to_string()])
                .args(["--tls-auth-clients", wants]);
            for (option, file) in tls.files() {
                command.arg(format!("--{option}")).arg(file);
            }
        }
        if self.options.debug_commands && self.binary.version().at_least(7, 0) {
            command.args(["--enable-debug-command", "yes"]);
        }
        command.args(&self.options.arguments);
        command
    }

    /// Starts the process.
    pub(crate) fn spawn(&self) -> Result<Process, SupportError> {
        let path = log_path(self.folder);
        // Each start has a log of its own, so that an old error is not taken for a new one.
        let log = File::create(&path).map_err(SupportError::file("making", &path))?;
        let twin = log
            .try_clone()
            .map_err(SupportError::file("opening", &path))?;
        Process::spawn(
            &self.command(),
            self.folder,
            [Stdio::from(log), Stdio::from(twin)],
        )
        .map_err(SupportError::file("starting", self.binary.path()))
    }

    /// Polls with PING until the server answers or has ended.
    pub(crate) fn wait_until_ready(&self, process: &mut Process) -> Result<Admin, SupportError> {
        let started = Instant::now();
        loop {
            let last = match self.ping(process.pid()) {
                Ok(admin) => return Ok(admin),
                Err(error) => error.to_string(),
            };
            let ended = process
                .ended()
                .map_err(SupportError::io("waiting for the server"))?;
            if let Some(status) = ended {
                return Err(SupportError::Exited {
                    status,
                    log: self.log_tail(),
                });
            }
            let waited = started.elapsed();
            if waited >= START_LIMIT {
                return Err(SupportError::NotReady {
                    waited,
                    last,
                    log: self.log_tail(),
                });
            }
            thread::sleep(POLL);
        }
    }

    /// One look. Up is who answers PING, be it with a refusal (NOAUTH, NOPERM, too many clients),
    /// and is the process that we started: another server that took the port before ours would
    /// answer as well. Who answers tells its pid; for who refuses our log must do.
    fn ping(&self, pid: u32) -> io::Result<Admin> {
        let mut admin = Admin::connect(self.port, self.options.password.as_deref(), PING_LIMIT)?;
        match admin.command(&["PING"])? {
            Reply::Error(error) if error.starts_with("LOADING") || !self.listens() => {
                return Err(io::Error::other(error));
            }
            Reply::Error(_) => {}
            _ => {
                let info = admin.command(&["INFO", "server"])?.text();
                let told = info
                    .lines()
                    .find_map(|line| line.strip_prefix("process_id:"));
                if let Some(other) = told.filter(|told| told.trim() != pid.to_string()) {
                    let other = format!("process {} answers on our port", other.trim());
                    return Err(io::Error::other(other));
                }
            }
        }
        admin.settle()?;
        Ok(admin)
    }

    fn listens(&self) -> bool {
        fs::read_to_string(log_path(self.folder)).is_ok_and(|log| log.contains(LISTENING))
    }

    fn log_tail(&self) -> String {
        bounded::tail_of(&log_path(self.folder))
    }
}

pub(crate) fn log_path(folder: &Path) -> PathBuf {
    folder.join("server.log")
}

pub(crate) fn socket_path(folder: &Path) -> PathBuf {
    folder.join("redis.sock")
}

/// A port that was free a moment ago, by chance: processes that start together choose different
/// ones. None is given twice in a process: one whose server is down still belongs to its test.
pub(crate) fn free_port() -> Result<u16, SupportError> {
    choose_port(PORTS, &[0])
}

/// One whose cluster bus is free as well. Before 7.0 there is no other place for that.
fn free_port_with_bus() -> Result<u16, SupportError> {
    choose_port(PORTS.start..PORTS.end - TO_BUS, &[0, TO_BUS])
}

/// A port so that it and those at these distances are free.
fn choose_port(ports: Range<u16>, distances: &[u16]) -> Result<u16, SupportError> {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut refused = io::ErrorKind::AddrInUse.into();
    for _ in 0..100 {
        let chance = RandomState::new().hash_one("port") % ports.len() as u64;
        let port = ports.start + chance as u16;
        let mut wanted = distances.iter().map(|distance| port + distance);
        if wanted.clone().any(|port| given.contains(&port)) {
            continue;
        }
        match wanted.try_for_each(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map(drop)) {
            Ok(()) => {
                given.extend(distances.iter().map(|distance| port + distance));
                return Ok(port);
            }
            Err(error) => refused = error,
        }
    }
    Err(SupportError::io("choosing a free port")(refused))
}
