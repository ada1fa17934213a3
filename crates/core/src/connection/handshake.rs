//! From an open socket to a connection that is known to answer.

use std::fmt::Display;
use std::io;

use redis::{Cmd, ProtocolVersion, RedisError, Value};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::connect::connect;
use super::endpoint::Endpoint;
use super::login::{Login, auth};
use super::progress::Progress;
use super::socket::Socket;
use crate::connection_info::{library_name, library_version};
use crate::credentials::Announcements;
use crate::resp::{DecodeError, Decoder, DecoderLimits};
use crate::{ClientContext, Credentials, Error, ErrorKind, Protocol, RedisUri, Result};

/// A socket on which the server has answered, ready for requests.
pub(super) struct Greeted {
    pub(super) socket: Socket,
    pub(super) decoder: Decoder,
    pub(super) protocol: ProtocolVersion,
    /// How it hears that others are to log in.
    pub(super) announcements: Option<Announcements>,
}

/// Opens a connection in `protocol`.
pub(super) async fn greet(
    context: &ClientContext,
    protocol: Protocol,
    progress: &Progress,
) -> Result<Greeted> {
    let uri = context.uri();
    let endpoint = Endpoint::of(uri)?;
    let socket = connect(&endpoint, context, progress).await?;
    // Not before, or it would be asked in vain while the server is down.
    let login = Login::find(context, progress).await?;
    let mut dialogue = Dialogue {
        endpoint,
        uri,
        credentials: login.credentials,
        pings: context.options().ping_before_activate(),
        socket,
        decoder: Decoder::new(DecoderLimits {
            max_reply_size: context.options().max_reply_size(),
            buffer_usage_ratio: context.options().buffer_usage_ratio(),
            ..DecoderLimits::default()
        }),
        cmd: Cmd::with_capacity(WORDS, WORDS_LENGTH),
        unsent: Vec::with_capacity(USUAL_LENGTH),
        unconfirmed: 0,
        was_heard: false,
        failure: None,
        refusal: None,
    };
    let protocol = dialogue.hold(protocol).await?;
    Ok(Greeted {
        socket: dialogue.socket,
        decoder: dialogue.decoder,
        protocol,
        announcements: login.announcements,
    })
}

/// How many words a command has, and how long they are together, if names are not unusual.
const WORDS: usize = 5;
const WORDS_LENGTH: usize = 64;
/// How long all commands are then.
const USUAL_LENGTH: usize = 256;

/// What a server with TLS says to who speaks Redis begins with this, and nothing that a Redis says does.
const TLS_ALERT: u8 = 0x15;

struct Dialogue<'a> {
    endpoint: Endpoint,
    /// How to log in there, and what else to say.
    uri: &'a RedisUri,
    credentials: Option<Credentials>,
    pings: bool,
    socket: Socket,
    decoder: Decoder,
    /// Packs one command after the other.
    cmd: Cmd,
    /// What is said and not sent yet.
    unsent: Vec<u8>,
    /// How much of it is [`require`](Self::require)d and not answered.
    unconfirmed: usize,
    /// Whether the server has said anything.
    was_heard: bool,
    /// Why it could not be sent. A server that has no place for a client says so and hangs up, perhaps before
    /// it was asked anything. So this only counts once all that it said is read.
    failure: Option<io::Error>,
    /// What was refused and is not needed. It is why, if the server hangs up.
    refusal: Option<Error>,
}

impl Dialogue<'_> {
    /// Agrees on a protocol, logs in, says what the URI has to say, and makes sure that the server answers
    /// commands: under RESP2 one that wants a password says so only to the first of them.
    ///
    /// All of that in one write, unless there are credentials: should they be wrong, the server would refuse what
    /// follows them too, and fill its ACL LOG with it.
    async fn hold(&mut self, wanted: Protocol) -> Result<ProtocolVersion> {
        if wanted != Protocol::Resp2 {
            self.say_hello();
        }
        if self.credentials.is_none() {
            self.introduce();
        }
        let protocol = match wanted {
            Protocol::Resp2 => ProtocolVersion::RESP2,
            Protocol::Resp3 => self.greeted().await.map(|()| ProtocolVersion::RESP3)?,
            Protocol::Auto => match self.greeted().await {
                Ok(()) => ProtocolVersion::RESP3,
                // A server from before Redis 6, or one whose HELLO is renamed.
                Err(error) if error.kind() == ErrorKind::Unsupported => ProtocolVersion::RESP2,
                Err(error) => return Err(error),
            },
        };
        if let Some(credentials) = &self.credentials {
            if protocol == ProtocolVersion::RESP2 {
                auth(credentials).write_packed_command(&mut self.unsent);
                self.unconfirmed += 1;
                self.confirmed().await?;
            }
            self.introduce();
        }
        self.introduced().await?;
        Ok(protocol)
    }

    /// Asks to change to RESP3, and logs in.
    fn say_hello(&mut self) {
        match self.credentials.clone() {
            Some(credentials) => {
                // HELLO wants a name; this is that of whoever gives none.
                let username = credentials.username().unwrap_or("default");
                self.say(&["HELLO", "3", "AUTH", username, credentials.password()]);
            }
            None => self.say(&["HELLO", "3"]),
        }
    }

    /// Takes the answer to HELLO.
    async fn greeted(&mut self) -> Result<()> {
        let answer = self.next(|decoder| match decoder.begun() {
            Some(b'-' | b'!') => decoder.next_value(),
            // What the server tells of itself is not needed.
            _ => Ok(decoder.skip_value()?.map(|()| Value::Nil)),
        });
        match answer.await? {
            Value::ServerError(error) => Err(self.explain(error.into())),
            _ => Ok(()),
        }
    }

    /// Says what a login does not.
    fn introduce(&mut self) {
        let uri = self.uri;
        if uri.database() != 0 {
            self.require(&["SELECT", &uri.database().to_string()]);
        }
        if let Some(name) = uri.client_name() {
            self.require(&["CLIENT", "SETNAME", name]);
        }
        if self.pings {
            self.say(&["PING"]);
        }
        self.say(&["CLIENT", "SETINFO", "LIB-NAME", library_name(uri)]);
        self.say(&["CLIENT", "SETINFO", "LIB-VER", library_version(uri)]);
    }

    /// Takes the answers to that.
    async fn introduced(&mut self) -> Result<()> {
        self.confirmed().await?;
        if self.pings {
            match self.next(Decoder::next_value).await? {
                // A user who may not PING is logged in all the same.
                Value::ServerError(error) if error.code() == "NOPERM" => {
                    self.refusal = Some(self.explain(error.into()));
                }
                answer => self.check(answer)?,
            }
        }
        // Servers before Redis 7.2 do not know SETINFO, and a user may not be allowed to.
        for _ in 0..2 {
            self.next(Decoder::skip_value).await?;
        }
        Ok(())
    }

    /// Says what is to be answered with a plain yes.
    fn require(&mut self, words: &[&str]) {
        self.say(words);
        self.unconfirmed += 1;
    }

    /// Takes the answers to what is required.
    async fn confirmed(&mut self) -> Result<()> {
        for _ in 0..std::mem::take(&mut self.unconfirmed) {
            let answer = self.next(Decoder::next_value).await?;
            self.check(answer)?;
        }
        Ok(())
    }

    fn say(&mut self, words: &[&str]) {
        self.cmd.clear();
        self.cmd.arg(words).write_packed_command(&mut self.unsent);
    }

    /// Sends what is said, and takes an answer.
    async fn next<T>(
        &mut self,
        take: impl Fn(&mut Decoder) -> Result<Option<T>, DecodeError>,
    ) -> Result<T> {
        if !self.unsent.is_empty() {
            self.failure = self.socket.write_all(&self.unsent).await.err();
            self.unsent.clear();
        }
        loop {
            if self.decoder.begun() == Some(TLS_ALERT) {
                return Err(
                    self.not_redis("it speaks TLS, for which the URI begins with rediss://")
                );
            }
            match take(&mut self.decoder) {
                Ok(Some(answer)) => return Ok(answer),
                Ok(None) => {}
                Err(error) => return Err(self.not_redis(error)),
            }
            let read = self.socket.read_buf(&mut self.decoder.space()).await;
            match read {
                Ok(0) => return Err(self.hung_up()),
                Ok(_) => self.was_heard = true,
                #[cfg(feature = "tls")]
                Err(error) if crate::tls::is_from_tls(&error) => {
                    // Under TLS 1.3 a server judges the client's certificate when the client thinks it is done.
                    return Err(crate::tls::explain(&self.endpoint, error));
                }
                Err(error) => {
                    self.failure.get_or_insert(error);
                    return Err(self.hung_up());
                }
            }
        }
    }

    fn hung_up(&mut self) -> Error {
        match (self.refusal.take(), self.failure.take()) {
            (Some(refusal), _) => refusal,
            (None, Some(failure)) => {
                let error = RedisError::from(failure);
                match error.is_connection_dropped() {
                    true => self.lost(),
                    false => self.explain(error),
                }
            }
            (None, None) => self.lost(),
        }
    }

    fn lost(&self) -> Error {
        let is_plain = matches!(self.endpoint, Endpoint::Tcp { .. }) && !self.uri.is_tls();
        let hint = match is_plain && !self.was_heard {
            true => "; does the port speak TLS? then the URI begins with rediss://",
            false => "",
        };
        Error::new(
            ErrorKind::Connect,
            format!(
                "{} closed the connection during the handshake{hint}",
                self.endpoint
            ),
        )
    }

    fn check(&self, answer: Value) -> Result<()> {
        match answer {
            Value::Okay | Value::SimpleString(_) => Ok(()),
            Value::ServerError(error) => Err(self.explain(error.into())),
            // A port that sends back what it gets, for one.
            _ => Err(self.not_redis("it answered with something else")),
        }
    }

    fn not_redis(&self, reason: impl Display) -> Error {
        Error::new(
            ErrorKind::Protocol,
            format!("{} does not speak Redis: {reason}", self.endpoint),
        )
    }

    fn explain(&self, error: RedisError) -> Error {
        explain(&self.endpoint, self.credentials.as_ref(), error)
    }
}

/// Says what a failed handshake means, with the address. `credentials` are those that were sent.
pub(super) fn explain(
    address: impl Display,
    credentials: Option<&Credentials>,
    error: RedisError,
) -> Error {
    let (kind, what) = match error.kind() {
        redis::ErrorKind::AuthenticationFailed => (ErrorKind::Authentication, "refused to log in"),
        redis::ErrorKind::RESP3NotSupported => (ErrorKind::Unsupported, "does not speak RESP3"),
        _ if lacks_resp3(credentials, &error) => (ErrorKind::Unsupported, "does not speak RESP3"),
        redis::ErrorKind::Parse | redis::ErrorKind::UnexpectedReturnType => {
            (ErrorKind::Protocol, "does not speak Redis")
        }
        redis::ErrorKind::Io if error.is_connection_refusal() => {
            (ErrorKind::Connect, "cannot be reached")
        }
        redis::ErrorKind::Io => (ErrorKind::Connect, "cannot be reached"),
        _ => match error.code() {
            Some("NOAUTH" | "WRONGPASS") => (ErrorKind::Authentication, "refused to log in"),
            _ => (ErrorKind::Server, "refused the connection"),
        },
    };
    if may_contain_password(credentials, &error) {
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
fn lacks_resp3(credentials: Option<&Credentials>, error: &RedisError) -> bool {
    let unknown_hello = error
        .detail()
        .and_then(|detail| detail.strip_prefix("unknown command "))
        .is_some_and(|rest| rest.trim_start_matches(['\'', '`']).starts_with("HELLO"));
    // To a stranger Valkey does not tell that it does not know a command; to a HELLO with credentials
    // no server that knows it says so.
    let taken_for_stranger = error.code() == Some("NOAUTH") && credentials.is_some();
    unknown_hello || taken_for_stranger || error.code() == Some("NOPROTO")
}

/// A server repeats the arguments of a command that it does not know, cut at some length, and whoever
/// does not speak Redis may send back anything.
fn may_contain_password(credentials: Option<&Credentials>, error: &RedisError) -> bool {
    let Some(password) = credentials.map(Credentials::password) else {
        return false;
    };
    matches!(
        error.kind(),
        redis::ErrorKind::Parse | redis::ErrorKind::UnexpectedReturnType
    ) || [", with args beginning with", password]
        .iter()
        .any(|secret| error.to_string().contains(secret))
}
