//! The one error type of the library.

mod from_redis;
mod hint;
mod kind;

use std::any::Any;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

pub(crate) use hint::{Hint, unknown_command};
pub use kind::{Delivery, ErrorKind};

use crate::ClientId;

/// The result of every fallible function of this library.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, to which command of which client, and whether the server may have seen it.
///
/// An error that the server answered to a typed command of `redis` is made by `redis`, and names
/// neither command nor client.
///
/// Cheap to clone. It contains no password: addresses are written without credentials.
///
/// The typed command traits of `redis` return [`redis::RedisError`]; an `Error` travels inside it
/// and comes out again with `Error::from`:
///
/// ```
/// use redis_manager_core::{Error, ErrorKind, redis::RedisError};
///
/// let ours = Error::new(ErrorKind::Closed, "the client is closed");
/// let theirs = RedisError::from(ours);
/// assert_eq!(Error::from(theirs).kind(), ErrorKind::Closed);
/// ```
#[derive(Clone)]
pub struct Error(Arc<Details>);

#[derive(Clone)]
struct Details {
    kind: ErrorKind,
    message: String,
    command: Option<String>,
    client_id: Option<ClientId>,
    delivery: Option<Delivery>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

impl Error {
    /// Makes an error of `kind`; `message` says what happened, in lower case and without a full stop.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Arc::new(Details {
            kind,
            message: message.into(),
            command: None,
            client_id: None,
            delivery: None,
            source: None,
        }))
    }

    /// Keeps `source` as the cause, to be read through [`std::error::Error::source`]. If that is an `Error` whose message
    /// this one repeats, it is the cause of that one instead: who prints all causes reads nothing three times.
    #[must_use]
    pub fn with_source(self, source: impl StdError + Send + Sync + 'static) -> Self {
        let any: &dyn Any = &source;
        let repeated = any.downcast_ref::<Self>();
        let source = match repeated.filter(|it| self.message().contains(it.message())) {
            Some(repeated) => repeated.0.source.clone(),
            None => Some(Arc::new(source) as Arc<dyn StdError + Send + Sync>),
        };
        self.edit(|details| details.source = source)
    }

    /// Names the command that failed. Only its name: arguments may be secrets.
    #[must_use]
    pub fn with_command(self, command: impl Into<String>) -> Self {
        self.edit(|details| details.command = Some(command.into()))
    }

    /// Names the client that failed.
    #[must_use]
    pub fn with_client(self, client_id: ClientId) -> Self {
        self.edit(|details| details.client_id = Some(client_id))
    }

    /// Says whether the server may have run the command.
    #[must_use]
    pub fn with_delivery(self, delivery: Delivery) -> Self {
        self.edit(|details| details.delivery = Some(delivery))
    }

    /// The same with other words.
    pub(crate) fn with_message(self, message: impl Into<String>) -> Self {
        self.edit(|details| details.message = message.into())
    }

    /// The same with `hint` behind its words.
    pub(crate) fn with_hint(self, hint: Hint) -> Self {
        let message = format!("{}; {}", self.message(), hint.text());
        self.with_message(message)
    }

    fn edit(mut self, change: impl FnOnce(&mut Details)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }

    /// The failure of a call that found no connection, because of this.
    pub(crate) fn to_disconnected(&self) -> Self {
        match self.kind() {
            ErrorKind::Disconnected | ErrorKind::Closed => self.clone(),
            _ => Self::new(ErrorKind::Disconnected, self.message()).with_source(self.clone()),
        }
    }

    /// The kind of failure, stable across versions, for a host that maps it to its own exceptions.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What happened, without the command and the client.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The name of the command that failed, if the failure is about one.
    #[must_use]
    pub fn command(&self) -> Option<&str> {
        self.0.command.as_deref()
    }

    /// The code of an error that the server answered: `WRONGTYPE`, `NOPERM`, `ERR`.
    ///
    /// ```
    /// use redis_manager_core::{Error, redis};
    ///
    /// let reply = redis::parse_redis_value(b"-WRONGTYPE not a list\r\n")?;
    /// let error = Error::from(reply.extract_error().unwrap_err());
    /// assert_eq!(error.code(), Some("WRONGTYPE"));
    /// # Ok::<(), redis::RedisError>(())
    /// ```
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        let source = self.0.source.as_deref()?;
        source.downcast_ref::<redis::RedisError>()?.code()
    }

    /// What the server answered, without the code: `not a list` of `WRONGTYPE not a list`. The [message](Self::message)
    /// has both, as the redis crate writes them.
    ///
    /// ```
    /// use redis_manager_core::{Error, redis};
    ///
    /// let reply = redis::parse_redis_value(b"-WRONGTYPE not a list\r\n")?;
    /// let error = Error::from(reply.extract_error().unwrap_err());
    /// assert_eq!(error.answer(), Some("not a list"));
    /// # Ok::<(), redis::RedisError>(())
    /// ```
    #[must_use]
    pub fn answer(&self) -> Option<&str> {
        let source = self.0.source.as_deref()?;
        let error = source.downcast_ref::<redis::RedisError>()?;
        error.code().and(error.detail())
    }

    /// The client that failed, if the failure is about one.
    #[must_use]
    pub fn client_id(&self) -> Option<ClientId> {
        self.0.client_id
    }

    /// Whether the server may have run the command; `None` where the failure is not about a command.
    #[must_use]
    pub fn delivery(&self) -> Option<Delivery> {
        self.0.delivery
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(command) = &self.0.command {
            write!(f, "{command}: ")?;
        }
        f.write_str(&self.0.message)?;
        if let Some(client_id) = self.0.client_id {
            write!(f, " (client {client_id})")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("message", &self.0.message)
            .field("command", &self.0.command)
            .field("client_id", &self.0.client_id)
            .field("delivery", &self.0.delivery)
            .field("source", &self.0.source)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0
            .source
            .as_deref()
            .map(|source| source as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(error: &Error) -> Vec<String> {
        let first: &dyn StdError = error;
        let causes = std::iter::successors(Some(first), |error| StdError::source(*error));
        causes.map(ToString::to_string).collect()
    }

    #[test]
    fn a_cause_of_ours_that_is_repeated_is_left_out_and_its_own_cause_is_kept() {
        let io = || std::io::Error::other("refused");
        let connect = Error::new(ErrorKind::Connect, "cannot connect: refused").with_source(io());
        let lost = connect.to_disconnected();
        let late = Error::new(ErrorKind::Timeout, format!("{}; not sent", lost.message()));
        let late = late.with_source(lost);
        assert_eq!(
            chain(&late),
            ["cannot connect: refused; not sent", "refused"]
        );
        let other = Error::new(ErrorKind::Timeout, "late").with_source(connect);
        assert_eq!(
            chain(&other),
            ["late", "cannot connect: refused", "refused"]
        );
    }

    #[test]
    fn the_code_of_an_answer_outlives_the_words_around_it() {
        let reply = redis::parse_redis_value(b"-NOAUTH no login\r\n").unwrap();
        let answered = Error::from(reply.extract_error().unwrap_err());
        let message = format!("h:1 refused to log in: {}", answered.message());
        let refused = Error::new(ErrorKind::Authentication, message).with_source(answered);
        let lost = refused.to_disconnected();
        assert_eq!(
            (lost.code(), lost.answer()),
            (Some("NOAUTH"), Some("no login"))
        );
    }
}
