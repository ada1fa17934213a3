//! The connection over which tests look at their server from outside.

use std::io::{self, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use crate::reply::Reply;

/// How `CLIENT LIST` shows it.
pub(crate) const ADMIN_NAME: &str = "redis-manager-support-admin";

/// Longer than any command of a test, short enough that a hung server ends the test.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

#[derive(Debug)]
pub(crate) struct Admin {
    stream: BufReader<TcpStream>,
}

impl Admin {
    /// Connects and authenticates. What the server says to AUTH is not looked at: the next reply
    /// tells.
    pub(crate) fn connect(
        port: u16,
        password: Option<&str>,
        timeout: Duration,
    ) -> io::Result<Self> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let stream = TcpStream::connect_timeout(&address, timeout)?;
        // A port of the ephemeral range can connect to itself while nobody listens on it.
        if stream.local_addr()? == address {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(timeout))?;
        stream.set_write_timeout(Some(timeout))?;
        let mut admin = Self {
            stream: BufReader::new(stream),
        };
        if let Some(password) = password {
            admin.command(&["AUTH", password])?;
        }
        Ok(admin)
    }

    /// Names the connection and lets its commands take their time.
    pub(crate) fn settle(&mut self) -> io::Result<()> {
        self.stream
            .get_ref()
            .set_read_timeout(Some(ANSWER_TIMEOUT))?;
        self.stream
            .get_ref()
            .set_write_timeout(Some(ANSWER_TIMEOUT))?;
        self.command(&["CLIENT", "SETNAME", ADMIN_NAME]).map(drop)
    }

    /// One command, one reply.
    pub(crate) fn command<A: AsRef<[u8]>>(&mut self, arguments: &[A]) -> io::Result<Reply> {
        if arguments.is_empty() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "a command has a name",
            ));
        }
        let mut request = format!("*{}\r\n", arguments.len()).into_bytes();
        for argument in arguments.iter().map(AsRef::as_ref) {
            request.extend_from_slice(format!("${}\r\n", argument.len()).as_bytes());
            request.extend_from_slice(argument);
            request.extend_from_slice(b"\r\n");
        }
        self.stream.get_mut().write_all(&request)?;
        Reply::read(&mut self.stream)
    }

    /// Whether the server hung up (a restart, `CLIENT KILL`). Looked at before a command, so that
    /// none is sent twice.
    pub(crate) fn is_closed(&self) -> bool {
        let stream = self.stream.get_ref();
        let peek = || {
            stream.set_nonblocking(true)?;
            let peeked = stream.peek(&mut [0]);
            stream.set_nonblocking(false)?;
            peeked
        };
        !matches!(peek(), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }
}
