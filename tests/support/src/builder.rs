//! How a test's server is started.

use crate::binary::ServerBinary;
use crate::error::SupportError;
use crate::lookup::Lookup;
use crate::server::TestServer;

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

    /// Starts the server and waits until it answers.
    pub fn start(self) -> Result<TestServer, SupportError> {
        let binary = match &self.binary {
            Some(binary) => binary.clone(),
            None => Lookup::once(self.stand_in)?,
        };
        TestServer::launch(self, binary)
    }

    /// [`start`](Self::start) for tests: panics with the reason.
    #[track_caller]
    #[expect(clippy::panic, reason = "a test without its server has failed")]
    pub fn start_or_panic(self) -> TestServer {
        match self.start() {
            Ok(server) => server,
            Err(error) => panic!("{error}"),
        }
    }
}
