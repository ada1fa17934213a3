//! A server of a test's own.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use tempfile::TempDir;

use crate::admin::{ADMIN_NAME, Admin};
use crate::binary::ServerBinary;
use crate::bounded;
use crate::builder::TestServerBuilder;
use crate::client_info::ClientInfo;
use crate::error::SupportError;
use crate::launch::{self, Launch, START_LIMIT};
use crate::process::Process;
use crate::reply::Reply;
use crate::version::Version;

/// A running server on 127.0.0.1 with a folder of its own. It dies with this value, and with this
/// process, however the process ends.
///
/// An admin connection looks at it from outside ([`command`](Self::command)); it is named
/// `redis-manager-support-admin`, counts towards `maxclients` and is left out of
/// [`clients`](Self::clients).
#[derive(Debug)]
pub struct TestServer {
    // Dropped in this order: the connection, the process, its folder.
    admin: Mutex<Option<Admin>>,
    process: Mutex<Process>,
    folder: TempDir,
    options: TestServerBuilder,
    binary: ServerBinary,
    port: u16,
    tls_port: Option<u16>,
}

impl TestServer {
    /// Starts a server of one's own without a password; panics with the reason if there is none to
    /// start.
    #[track_caller]
    pub fn start() -> Self {
        Self::builder().start_or_panic()
    }

    /// For a server with a password, arguments, a Unix socket, …
    pub fn builder() -> TestServerBuilder {
        TestServerBuilder::default()
    }

    /// One server for all tests of this process that only need any: use keys and channels of your
    /// own, and neither stop nor configure it. Started by the first call; dies with the process.
    #[track_caller]
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<TestServer> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    pub(crate) fn launch(
        options: TestServerBuilder,
        binary: ServerBinary,
    ) -> Result<Self, SupportError> {
        let started = launch::on_a_free_port(&options, &binary)?;
        Ok(Self {
            admin: Mutex::new(Some(started.admin)),
            process: Mutex::new(started.process),
            folder: started.folder,
            options,
            binary,
            port: started.port,
            tls_port: started.tls_port,
        })
    }

    /// Always "127.0.0.1".
    pub fn host(&self) -> &'static str {
        "127.0.0.1"
    }

    /// The port, the same after a restart.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The port with TLS, if the builder asked for one, the same after a restart.
    pub fn tls_port(&self) -> Option<u16> {
        self.tls_port
    }

    /// `redis://127.0.0.1:port`, without the password.
    pub fn url(&self) -> String {
        format!("redis://{}:{}", self.host(), self.port)
    }

    /// `redis://:password@127.0.0.1:port`, the password percent-encoded; [`url`](Self::url) where
    /// there is none.
    pub fn url_with_password(&self) -> String {
        match self.password() {
            Some(password) => format!(
                "redis://:{}@{}:{}",
                percent_encoded(password),
                self.host(),
                self.port
            ),
            None => self.url(),
        }
    }

    /// The password that it was started with.
    pub fn password(&self) -> Option<&str> {
        self.options.password.as_deref()
    }

    /// The Unix socket, if the builder asked for one.
    pub fn socket_path(&self) -> Option<PathBuf> {
        self.options
            .unix_socket
            .then(|| launch::socket_path(self.folder.path()))
    }

    /// Its folder: log, socket, dumps.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The server's version.
    pub fn version(&self) -> Version {
        self.binary.version()
    }

    /// "Redis" or "Valkey".
    pub fn server_name(&self) -> &str {
        self.binary.name()
    }

    /// The binary that it runs.
    pub fn binary(&self) -> &ServerBinary {
        &self.binary
    }

    /// The server's process id; a restart changes it.
    pub fn pid(&self) -> u32 {
        self.process().pid()
    }

    /// Whether the process is there.
    pub fn is_running(&self) -> bool {
        matches!(self.process().ended(), Ok(None))
    }

    /// Whether it was paused and neither resumed nor restarted.
    pub fn is_paused(&self) -> bool {
        self.process().is_paused()
    }

    /// The end of what the server printed.
    pub fn log_tail(&self) -> String {
        bounded::tail_of(&launch::log_path(self.folder.path()))
    }

    /// SIGKILL. Returns when the process is gone: from then on connections are refused. The rest of
    /// the data is lost.
    pub fn kill(&self) -> Result<(), SupportError> {
        *self.admin() = None;
        self.process()
            .kill()
            .map_err(SupportError::io("killing the server"))
    }

    /// Kills it if it runs, and starts it again on the same port with the same arguments: empty,
    /// without what `CONFIG SET` and `ACL SETUSER` changed. Returns when it answers.
    pub fn restart(&self) -> Result<(), SupportError> {
        self.kill()?;
        let mut process = self.process();
        let launch = Launch {
            port: self.port,
            tls_port: self.tls_port,
            options: &self.options,
            binary: &self.binary,
            folder: self.folder.path(),
        };
        *process = launch.spawn()?;
        *self.admin() = Some(launch.wait_until_ready(&mut process)?);
        Ok(())
    }

    /// SIGSTOP: the system still accepts connections and data, but nobody answers. Returns when it
    /// has stopped.
    #[cfg(unix)]
    pub fn pause(&self) -> Result<(), SupportError> {
        self.process()
            .pause()
            .map_err(SupportError::io("pausing the server"))
    }

    /// SIGCONT.
    #[cfg(unix)]
    pub fn resume(&self) -> Result<(), SupportError> {
        self.process()
            .resume()
            .map_err(SupportError::io("resuming the server"))
    }

    /// Sends a command over the admin connection (RESP2, the default user). An error that the
    /// server answers is a [`Reply::Error`], not an `Err`.
    pub fn command<A: AsRef<[u8]>>(&self, arguments: &[A]) -> Result<Reply, SupportError> {
        let mut admin = self.admin();
        let told = (|| {
            if admin.as_ref().is_none_or(Admin::is_closed) {
                *admin = None;
                let mut fresh = Admin::connect(self.port, self.password(), START_LIMIT)?;
                fresh.settle()?;
                *admin = Some(fresh);
            }
            match admin.as_mut() {
                Some(admin) => admin.command(arguments),
                None => Err(io::ErrorKind::NotConnected.into()),
            }
        })();
        told.map_err(|error| {
            // Half a reply may be on its way: the next command must not read it.
            *admin = None;
            let name = arguments
                .first()
                .map(|name| String::from_utf8_lossy(name.as_ref()).into_owned());
            SupportError::io(format!("admin command {}", name.unwrap_or_default()))(error)
        })
    }

    /// [`command`](Self::command) for a test's set-up: panics when the server refuses or does not
    /// answer.
    #[track_caller]
    #[expect(clippy::panic, reason = "a test whose set-up failed has failed")]
    pub fn run<A: AsRef<[u8]>>(&self, arguments: &[A]) -> Reply {
        match self.command(arguments) {
            Ok(Reply::Error(error)) => panic!("the server refused: {error}"),
            Ok(reply) => reply,
            Err(error) => panic!("{error}"),
        }
    }

    /// Who is connected, the admin connection left out.
    pub fn clients(&self) -> Result<Vec<ClientInfo>, SupportError> {
        match self.command(&["CLIENT", "LIST"])? {
            Reply::Error(error) => Err(SupportError::UnexpectedReply(error)),
            reply => {
                let text = reply.text();
                Ok(text
                    .lines()
                    .filter_map(ClientInfo::parse)
                    .filter(|client| client.name != ADMIN_NAME)
                    .collect())
            }
        }
    }

    // A test that panicked while it held a lock leaves nothing half-done behind it.

    fn admin(&self) -> MutexGuard<'_, Option<Admin>> {
        self.admin.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn process(&self) -> MutexGuard<'_, Process> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All but the unreserved characters of RFC 3986.
pub(crate) fn percent_encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte))
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}
