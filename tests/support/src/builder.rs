//! How a test's server is started.

use std::path::PathBuf;

use crate::binary::ServerBinary;
use crate::error::SupportError;
use crate::lookup::Lookup;
use crate::notice;
use crate::server::TestServer;
use crate::set_up::{started, started_with_tls};

/// What a server with TLS shows and wants; the files are read when it is started.
#[derive(Debug, Clone)]
pub struct TlsServer {
    /// Its certificate.
    pub certificate: PathBuf,
    /// The private key of that.
    pub key: PathBuf,
    /// The authorities of its clients.
    pub ca: PathBuf,
    /// Whether a client must have a certificate.
    pub wants_certificates: bool,
}

impl TlsServer {
    /// The files, by the names of their options.
    pub(crate) fn files(&self) -> [(&'static str, &PathBuf); 3] {
        [
            ("tls-cert-file", &self.certificate),
            ("tls-key-file", &self.key),
            ("tls-ca-cert-file", &self.ca),
        ]
    }
}

/// Made by [`TestServer::builder`].
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct TestServerBuilder {
    pub(crate) password: Option<String>,
    pub(crate) arguments: Vec<String>,
    pub(crate) unix_socket: bool,
    pub(crate) port: Option<u16>,
    pub(crate) binary: Option<ServerBinary>,
    pub(crate) stand_in: bool,
    pub(crate) tls: Option<TlsServer>,
    pub(crate) has_bus: bool,
    pub(crate) debug_commands: bool,
}

impl TestServerBuilder {
    /// The default user's password (`--requirepass`).
    pub fn password(mut self, password: impl Into<String>) -> Self {
        self.password = Some(password.into());
        self
    }

    /// A further argument of the server: `.arg("--maxclients").arg("10")`. It comes last and so
    /// wins over ours. The admin connection counts as a client.
    pub fn arg(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Several arguments.
    pub fn args<I: IntoIterator<Item: Into<String>>>(mut self, arguments: I) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Allows `DEBUG`, which servers from 7.0 on do not by themselves.
    pub fn debug_commands(mut self) -> Self {
        self.debug_commands = true;
        self
    }

    /// Listens on a Unix socket too: [`TestServer::socket_path`].
    pub fn unix_socket(mut self) -> Self {
        self.unix_socket = true;
        self
    }

    /// This port instead of any free one.
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// This binary instead of the one that [`Lookup`] finds.
    pub fn binary(mut self, binary: ServerBinary) -> Self {
        self.binary = Some(binary);
        self
    }

    /// Takes meebis where nothing better can be had: for examples, no Redis for tests.
    pub fn allow_stand_in(mut self) -> Self {
        self.stand_in = true;
        self
    }

    /// Listens with TLS too, on a port of its own: [`TestServer::tls_port`]. If the server that [`Lookup`] finds was
    /// built without, another one on `PATH` is taken.
    pub fn tls(mut self, tls: TlsServer) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Chooses ports that leave room for a cluster's bus, which is 10 000 above.
    pub(crate) fn with_bus(mut self) -> Self {
        self.has_bus = true;
        self
    }

    /// Starts the server and waits until it answers.
    pub fn start(self) -> Result<TestServer, SupportError> {
        let mut binaries = match &self.binary {
            Some(binary) => vec![binary.clone()],
            None => vec![Lookup::once(self.stand_in)?],
        };
        if self.tls.is_some() && self.binary.is_none() {
            binaries.extend(Lookup::from_env().others());
        }
        let mut without = Vec::new();
        for binary in binaries {
            match TestServer::launch(self.clone(), binary) {
                Err(SupportError::NoTls { server }) => without.push(server),
                Ok(server) if !without.is_empty() => {
                    let (binary, without) = (server.binary(), without.join(", "));
                    notice::say_once(format!("with TLS: {binary}, because {without} has none"));
                    return Ok(server);
                }
                started => return started,
            }
        }
        Err(SupportError::NoTls {
            server: without.join(", "),
        })
    }

    /// [`start`](Self::start) for tests of TLS: `None`, and a line that says so, if no server that there is speaks it. The
    /// one that is fetched where there is none does not. Panics with any other reason.
    #[track_caller]
    pub fn start_with_tls(self) -> Option<TestServer> {
        started_with_tls(self.start())
    }

    /// [`start`](Self::start) for tests: panics with the reason.
    #[track_caller]
    pub fn start_or_panic(self) -> TestServer {
        started(self.start())
    }
}
