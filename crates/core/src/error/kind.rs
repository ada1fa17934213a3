//! The stable classification of failures.

/// The kind of a failure.
///
/// Stable, so that a script host can map each to an exception of its language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A Redis URI, or a part given to its builder, is not allowed.
    InvalidUri,
    /// A client option is out of its range.
    InvalidOptions,
    /// An argument of a call is not allowed: an empty command, bytes that are no request, no keys, a pattern to
    /// publish to, a listener's queue without room.
    InvalidArgument,
    /// What was asked for is known and not available here: a feature, a platform, a server's ability.
    Unsupported,
    /// No connection could be made: unknown host, refused, unreachable, or nobody had the credentials for it.
    Connect,
    /// The server refused the credentials, or asks for some.
    Authentication,
    /// The peer does not speak Redis, or broke the protocol.
    Protocol,
    /// The deadline passed.
    Timeout,
    /// The connection was lost.
    Disconnected,
    /// Too much waits to be sent already.
    QueueFull,
    /// The script has as much as its limit allows; the message names it. See
    /// [`ScriptLimits`](crate::ScriptLimits).
    LimitExceeded,
    /// The client is closed.
    Closed,
    /// The script was unloaded.
    ScriptUnloaded,
    /// The script is loaded already, belongs to another manager, or has a key prefix that is not apart from another's.
    ScriptConflict,
    /// The command must not run here: on a shared connection, or for this script. The message says why, and where it
    /// may.
    Refused,
    /// All connections of the client's pool are in use.
    PoolExhausted,
    /// A transaction was given up because its watched keys kept changing until the deadline.
    Conflict,
    /// The server answered with an error.
    Server,
    /// The reply, or a payload, is not of the type that was asked for.
    Conversion,
    /// A blocking call was made on one of the library's own I/O threads, where it could never return.
    WouldDeadlock,
    /// A thread or a runtime could not be started, or a task of ours failed.
    Internal,
}

impl ErrorKind {
    /// Its name, as it is written here, for a script that tells failures apart.
    ///
    /// ```
    /// assert_eq!(redis_manager_core::ErrorKind::Timeout.name(), "Timeout");
    /// ```
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::InvalidUri => "InvalidUri",
            Self::InvalidOptions => "InvalidOptions",
            Self::InvalidArgument => "InvalidArgument",
            Self::Unsupported => "Unsupported",
            Self::Connect => "Connect",
            Self::Authentication => "Authentication",
            Self::Protocol => "Protocol",
            Self::Timeout => "Timeout",
            Self::Disconnected => "Disconnected",
            Self::QueueFull => "QueueFull",
            Self::LimitExceeded => "LimitExceeded",
            Self::Closed => "Closed",
            Self::ScriptUnloaded => "ScriptUnloaded",
            Self::ScriptConflict => "ScriptConflict",
            Self::Refused => "Refused",
            Self::PoolExhausted => "PoolExhausted",
            Self::Conflict => "Conflict",
            Self::Server => "Server",
            Self::Conversion => "Conversion",
            Self::WouldDeadlock => "WouldDeadlock",
            Self::Internal => "Internal",
        }
    }
}

/// Whether the server may have run a command that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Delivery {
    /// It was not sent, so it has not run.
    NotSent,
    /// It may have been sent, so it may have run.
    Unknown,
    /// The server answered: the answer is the error, or is not of the type that was asked for.
    Replied,
}

impl Delivery {
    /// Its name, as it is written here, for a script that tells failures apart.
    ///
    /// ```
    /// assert_eq!(redis_manager_core::Delivery::NotSent.name(), "NotSent");
    /// ```
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NotSent => "NotSent",
            Self::Unknown => "Unknown",
            Self::Replied => "Replied",
        }
    }
}
