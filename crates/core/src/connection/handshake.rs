//! From an open socket to a connection that is known to answer.

use redis::{Cmd, ProtocolVersion, RedisError, Value};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::connect::connect;
use super::socket::Socket;
use crate::connection_info::{library_name, library_version};
use crate::resp::{Decoder, DecoderLimits};
use crate::{ClientContext, Error, ErrorKind, Protocol, RedisUri, Result};

/// A socket on which the server has answered, ready for requests.
pub(super) struct Greeted {
    pub(super) socket: Socket,
    pub(super) decoder: Decoder,
    pub(super) protocol: ProtocolVersion,
}

/// Opens a connection in `protocol`.
pub(super) async fn greet(context: &ClientContext, protocol: Protocol) -> Result<Greeted> {
    let uri = context.uri();
    let mut dialogue = Dialogue {
        uri,
        pings: context.options().ping_before_activate(),
        socket: connect(uri, context.options()).await?,
        decoder: Decoder::new(DecoderLimits {
            max_reply_size: context.options().max_reply_size(),
            buffer_usage_ratio: context.options().buffer_usage_ratio(),
            ..DecoderLimits::default()
        }),
    };
    let protocol = match protocol {
        Protocol::Resp2 => ProtocolVersion::RESP2,
        Protocol::Resp3 => dialogue.hello().await.map(|()| ProtocolVersion::RESP3)?,
        Protocol::Auto => match dialogue.hello().await {
            Ok(()) => ProtocolVersion::RESP3,
            // A server from before Redis 6, or one whose HELLO is renamed.
            Err(error) if error.kind() == ErrorKind::Unsupported => ProtocolVersion::RESP2,
            Err(error) => return Err(error),
        },
    };
    dialogue.introduce(protocol).await?;
    Ok(Greeted {
        socket: dialogue.socket,
        decoder: dialogue.decoder,
        protocol,
    })
}

struct Dialogue<'a> {
    uri: &'a RedisUri,
    pings: bool,
    socket: Socket,
    decoder: Decoder,
}

impl Dialogue<'_> {
    /// Changes to RESP3 and logs in.
    async fn hello(&mut self) -> Result<()> {
        let mut hello = redis::cmd("HELLO");
        hello.arg(3);
        if let Some(password) = self.uri.password() {
            // HELLO wants a name; this is that of whoever gives none.
            let username = self.uri.username().unwrap_or("default");
            hello.arg("AUTH").arg(username).arg(password);
        }
        self.ask(&[hello])
            .await?
            .pop()
            .map_or(Ok(()), |reply| self.check(reply))
    }

    /// Says what the URI has to say, and makes sure that the server answers commands: under RESP2 one
    /// that wants a password says so only to the first of them.
    async fn introduce(&mut self, protocol: ProtocolVersion) -> Result<()> {
        let mut required = Vec::new();
        if protocol == ProtocolVersion::RESP2
            && let Some(password) = self.uri.password()
        {
            let mut auth = redis::cmd("AUTH");
            if let Some(username) = self.uri.username() {
                auth.arg(username);
            }
            auth.arg(password);
            required.push(auth);
        }
        if self.uri.database() != 0 {
            required.push(command(&["SELECT", &self.uri.database().to_string()]));
        }
        if let Some(name) = self.uri.client_name() {
            required.push(command(&["CLIENT", "SETNAME", name]));
        }
        let ping = required.len();
        if self.pings {
            required.push(redis::cmd("PING"));
        }
        let required_replies = required.len();
        // Servers before Redis 7.2 do not know it, and a user may not be allowed to.
        let optional = [
            command(&["CLIENT", "SETINFO", "LIB-NAME", library_name(self.uri)]),
            command(&["CLIENT", "SETINFO", "LIB-VER", library_version(self.uri)]),
        ];
        let commands: Vec<Cmd> = required.into_iter().chain(optional).collect();
        let replies = self.ask(&commands).await?;
        for (index, reply) in replies.into_iter().take(required_replies).enumerate() {
            match reply {
                // A user who may not PING is logged in all the same.
                Value::ServerError(error) if index == ping && error.code() == "NOPERM" => {}
                Value::ServerError(_) | Value::Okay | Value::SimpleString(_) => {
                    self.check(reply)?
                }
                // A port that sends back what it gets, for one.
                _ => return Err(self.not_redis("it answered with something else")),
            }
        }
        Ok(())
    }

    /// Sends `commands` in one write and returns their replies.
    async fn ask(&mut self, commands: &[Cmd]) -> Result<Vec<Value>> {
        let mut bytes = Vec::new();
        for command in commands {
            command.write_packed_command(&mut bytes);
        }
        // A server that has no place for a client says so and hangs up, perhaps before it was asked
        // anything. So a failure, to send too, only counts once all that it said is read.
        let mut failure = self.socket.write_all(&bytes).await.err();
        let mut replies = Vec::with_capacity(commands.len());
        while replies.len() < commands.len() {
            match self
                .decoder
                .next_value()
                .map_err(|error| self.not_redis(error))?
            {
                Some(reply) => replies.push(reply),
                None => {
                    let read = self.socket.read_buf(&mut self.decoder.space()).await;
                    match read {
                        Ok(0) => return self.hung_up(replies, failure),
                        Ok(_) => {}
                        Err(error) => {
                            failure.get_or_insert(error);
                            return self.hung_up(replies, failure);
                        }
                    }
                }
            }
        }
        Ok(replies)
    }

    fn hung_up(&self, replies: Vec<Value>, failure: Option<std::io::Error>) -> Result<Vec<Value>> {
        for reply in replies {
            self.check(reply)?;
        }
        Err(match failure {
            Some(failure) => explain(self.uri, failure.into()),
            None => hung_up(self.uri),
        })
    }

    fn check(&self, reply: Value) -> Result<()> {
        match reply.extract_error() {
            Ok(_) => Ok(()),
            Err(error) => Err(explain(self.uri, error)),
        }
    }

    fn not_redis(&self, reason: impl std::fmt::Display) -> Error {
        let address = self.uri.address();
        Error::new(
            ErrorKind::Protocol,
            format!("{address} does not speak Redis: {reason}"),
        )
    }
}

fn command(words: &[&str]) -> Cmd {
    let mut cmd = Cmd::new();
    cmd.arg(words);
    cmd
}

fn hung_up(uri: &RedisUri) -> Error {
    Error::new(
        ErrorKind::Connect,
        format!(
            "{} closed the connection during the handshake",
            uri.address()
        ),
    )
}

/// Says what a failed handshake means, with the address.
fn explain(uri: &RedisUri, error: RedisError) -> Error {
    let address = uri.address();
    let (kind, what) = match error.kind() {
        redis::ErrorKind::AuthenticationFailed => (ErrorKind::Authentication, "refused to log in"),
        redis::ErrorKind::RESP3NotSupported => (ErrorKind::Unsupported, "does not speak RESP3"),
        _ if lacks_resp3(uri, &error) => (ErrorKind::Unsupported, "does not speak RESP3"),
        redis::ErrorKind::Parse | redis::ErrorKind::UnexpectedReturnType => {
            (ErrorKind::Protocol, "does not speak Redis")
        }
        redis::ErrorKind::Io if error.is_connection_refusal() => {
            (ErrorKind::Connect, "cannot be reached")
        }
        redis::ErrorKind::Io if error.is_connection_dropped() => return hung_up(uri),
        redis::ErrorKind::Io => (ErrorKind::Connect, "cannot be reached"),
        _ => match error.code() {
            Some("NOAUTH" | "WRONGPASS") => (ErrorKind::Authentication, "refused to log in"),
            _ => (ErrorKind::Server, "refused the connection"),
        },
    };
    if may_contain_password(uri, &error) {
        return Error::new(
            kind,
            format!(
                "{address} {what}; its answer is withheld, because it may contain the password"
            ),
        );
    }
    Error::new(kind, format!("{address} {what}: {error}")).with_source(error)
}

/// redis knows the words of old servers only, which quote the command differently.
fn lacks_resp3(uri: &RedisUri, error: &RedisError) -> bool {
    let unknown_hello = error
        .detail()
        .and_then(|detail| detail.strip_prefix("unknown command "))
        .is_some_and(|rest| rest.trim_start_matches(['\'', '`']).starts_with("HELLO"));
    // To a stranger Valkey does not tell that it does not know a command; to a HELLO with credentials
    // no server that knows it says so.
    let taken_for_stranger = error.code() == Some("NOAUTH") && uri.password().is_some();
    unknown_hello || taken_for_stranger || error.code() == Some("NOPROTO")
}

/// A server repeats the arguments of a command that it does not know, cut at some length, and whoever
/// does not speak Redis may send back anything.
fn may_contain_password(uri: &RedisUri, error: &RedisError) -> bool {
    let Some(password) = uri.password() else {
        return false;
    };
    matches!(
        error.kind(),
        redis::ErrorKind::Parse | redis::ErrorKind::UnexpectedReturnType
    ) || [", with args beginning with", password]
        .iter()
        .any(|secret| error.to_string().contains(secret))
}
