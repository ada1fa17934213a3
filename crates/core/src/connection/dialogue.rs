//! A conversation with a server before there are requests.

use std::fmt::Display;
use std::io;

use redis::{Cmd, RedisError, Value};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::connect::{Peer, connect};
use super::endpoint::Endpoint;
use super::login::{auth, no_password};
use super::progress::Progress;
use super::scheme_hint::with_tls;
#[cfg(feature = "tls")]
use super::scheme_hint::without_tls;
use super::socket::Socket;
use crate::error::unknown_command;
use crate::resp::{DecodeError, Decoder, DecoderLimits};
use crate::{Credentials, Error, ErrorKind, RedisTopology, RedisUri, Result};

/// How many words a command has, and how long they are together, if names are not unusual.
const WORDS: usize = 5;
const WORDS_LENGTH: usize = 64;
/// How long all commands are then.
const USUAL_LENGTH: usize = 256;

/// What a server with TLS says to who speaks Redis begins with this, and nothing that a Redis says does.
const TLS_ALERT: u8 = 0x15;

/// One command after the other, each with its answer; errors name the server and never a password.
pub(super) struct Dialogue<'a> {
    pub(super) endpoint: Endpoint,
    /// What to say there.
    pub(super) uri: &'a RedisUri,
    pub(super) credentials: Option<Credentials>,
    /// Whether they were accepted. What is answered after that is answered to other words.
    pub(super) is_logged_in: bool,
    pub(super) socket: Socket,
    pub(super) decoder: Decoder,
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
    pub(super) refusal: Option<Error>,
}

impl<'a> Dialogue<'a> {
    /// Connects to `endpoint`.
    pub(super) async fn open(
        endpoint: Endpoint,
        peer: Peer<'a>,
        progress: &Progress,
    ) -> Result<Self> {
        let socket = connect(&endpoint, peer, progress).await?;
        Ok(Self {
            endpoint,
            uri: peer.uri,
            credentials: None,
            is_logged_in: false,
            socket,
            decoder: Decoder::new(DecoderLimits {
                max_reply_size: peer.options.max_reply_size(),
                buffer_usage_ratio: peer.options.buffer_usage_ratio(),
                ..DecoderLimits::default()
            }),
            cmd: Cmd::with_capacity(WORDS, WORDS_LENGTH),
            unsent: Vec::with_capacity(USUAL_LENGTH),
            unconfirmed: 0,
            was_heard: false,
            failure: None,
            refusal: None,
        })
    }

    /// Logs in under RESP2, if there are credentials.
    pub(super) async fn log_in(&mut self) -> Result<()> {
        if let Some(credentials) = &self.credentials {
            auth(credentials).write_packed_command(&mut self.unsent);
            self.unconfirmed += 1;
        }
        self.confirmed().await?;
        self.is_logged_in = self.credentials.is_some();
        Ok(())
    }

    /// Says what is to be answered with a plain yes.
    pub(super) fn require(&mut self, words: &[&str]) {
        self.say(words);
        self.unconfirmed += 1;
    }

    /// Takes the answers to what is required.
    pub(super) async fn confirmed(&mut self) -> Result<()> {
        for _ in 0..std::mem::take(&mut self.unconfirmed) {
            let answer = self.next(Decoder::next_value).await?;
            self.check(answer)?;
        }
        Ok(())
    }

    pub(super) fn say(&mut self, words: &[&str]) {
        self.cmd.clear();
        self.cmd.arg(words).write_packed_command(&mut self.unsent);
    }

    /// Sends what is said, and takes an answer.
    pub(super) async fn next<T>(
        &mut self,
        take: impl Fn(&mut Decoder) -> Result<Option<T>, DecodeError>,
    ) -> Result<T> {
        if !self.unsent.is_empty() {
            self.failure = self.socket.write_all(&self.unsent).await.err();
            self.unsent.clear();
        }
        loop {
            if self.decoder.begun() == Some(TLS_ALERT) {
                let secure = with_tls(self.uri, &self.endpoint);
                return Err(self.not_redis(format_args!("it speaks TLS, for which {secure}")));
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
                    let plain = without_tls(self.uri, &self.endpoint);
                    let topology = self.uri.topology();
                    return Err(crate::tls::explain(&self.endpoint, topology, &plain, error));
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
        let is_plain = !matches!(self.endpoint, Endpoint::Unix(_)) && !self.uri.is_tls();
        let hint = match is_plain && !self.was_heard {
            true => {
                let secure = with_tls(self.uri, &self.endpoint);
                format!("; does the port speak TLS? then {secure}")
            }
            false => String::new(),
        };
        Error::new(
            ErrorKind::Connect,
            format!(
                "{} closed the connection during the handshake{hint}",
                self.endpoint
            ),
        )
    }

    pub(super) fn check(&self, answer: Value) -> Result<()> {
        match answer {
            Value::Okay | Value::SimpleString(_) => Ok(()),
            Value::ServerError(error) => Err(self.explain(error.into())),
            // A port that sends back what it gets, for one.
            _ => Err(self.not_redis("it answered with something else")),
        }
    }

    /// The error of a server that is no master, although it was said to be.
    pub(super) fn no_master(&self, reason: &str) -> Error {
        Error::new(
            ErrorKind::Connect,
            format!("{} is no master: {reason}", self.endpoint),
        )
    }

    pub(super) fn not_redis(&self, reason: impl Display) -> Error {
        Error::new(
            ErrorKind::Protocol,
            format!("{} does not speak Redis: {reason}", self.endpoint),
        )
    }

    pub(super) fn explain(&self, error: RedisError) -> Error {
        let told = match self.is_logged_in {
            true => Told::Before,
            false => Told::Now,
        };
        let credentials = self.credentials.as_ref();
        let error = explain(&self.endpoint, credentials.map(|it| (it, told)), error);
        // What is said of sentinels is said once for all of them.
        let is_sentinel = self.uri.topology() == RedisTopology::Sentinel
            && !matches!(self.endpoint, Endpoint::Master { .. });
        if error.code() == Some("NOAUTH") && credentials.is_none() && !is_sentinel {
            let message = format!("{}; {}", error.message(), no_password(self.uri));
            return error.with_message(message);
        }
        error
    }
}

/// When credentials were sent that a server may repeat.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// With what it answers now.
    Now,
    /// It has answered that already, and accepted them.
    Before,
}

/// Says what a failed handshake means, with the address. `login` is what was sent of credentials, and when.
pub(super) fn explain(
    address: impl Display,
    login: Option<(&Credentials, Told)>,
    error: RedisError,
) -> Error {
    let credentials = login.map(|(credentials, _)| credentials);
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
    if login.is_some_and(|(credentials, told)| may_contain_password(credentials, told, &error)) {
        return Error::new(
            kind,
            format!(
                "{address} {what}; its answer is withheld, because it may contain the password"
            ),
        );
    }
    let answer = Error::from(error.clone());
    Error::new(kind, format!("{address} {what}: {}", answer.message())).with_source(error)
}

/// redis knows the words of old servers only, which quote the command differently.
fn lacks_resp3(credentials: Option<&Credentials>, error: &RedisError) -> bool {
    let unknown = error.detail().and_then(unknown_command);
    let unknown_hello = unknown == Some("HELLO");
    // To a stranger Valkey does not tell that it does not know a command; to a HELLO with credentials
    // no server that knows it says so.
    let taken_for_stranger = error.code() == Some("NOAUTH") && credentials.is_some();
    unknown_hello || taken_for_stranger || error.code() == Some("NOPROTO")
}

/// A server repeats the arguments of a command that it does not know, cut at some length, and whoever
/// does not speak Redis may send back anything.
fn may_contain_password(credentials: &Credentials, told: Told, error: &RedisError) -> bool {
    const REPEATED: &str = ", with args beginning with";

    let text = error.to_string();
    matches!(
        error.kind(),
        redis::ErrorKind::Parse | redis::ErrorKind::UnexpectedReturnType
    ) || text.contains(credentials.password())
        || told == Told::Now && text.contains(REPEATED)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(line: &str) -> RedisError {
        let reply = redis::parse_redis_value(format!("-{line}\r\n").as_bytes());
        reply.and_then(Value::extract_error).unwrap_err()
    }

    #[test]
    fn what_may_have_the_password_is_withheld_and_what_was_answered_to_other_words_is_not() {
        const UNKNOWN: &str = "ERR unknown command 'X', with args beginning with: 'main'";
        let login = Credentials::new("s3cret");
        for (told, line, is_withheld) in [
            (Told::Now, UNKNOWN, true),
            (Told::Before, UNKNOWN, false),
            (Told::Now, "ERR you said s3cret", true),
            (Told::Before, "ERR you said s3cret", true),
            (Told::Now, "WRONGPASS no", false),
        ] {
            let error = explain("h:1", Some((&login, told)), refused(line));
            let message = error.message();
            assert_eq!(message.contains("is withheld"), is_withheld, "{message}");
            assert!(!message.contains("s3cret"), "{message}");
        }
        let error = explain("h:1", None, refused(UNKNOWN));
        assert!(error.message().contains("'main'"), "{error}");
    }
}
