//! How much a script may have at a time.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How much a script may have at a time, over all of its clients. What would be more is refused at once with
/// [`LimitExceeded`](crate::ErrorKind::LimitExceeded), was not sent, and disturbs nothing else.
///
/// What the library does by itself counts for nothing: connecting again, subscribing again, ending.
///
/// 0 allows nothing of a kind. In a config file a limit that is left out is none.
///
/// ```
/// use redis_manager_core::{LimitName, ScriptLimits};
///
/// let limits = ScriptLimits::none().with_commands_in_flight(64).with_blocking_calls(0);
/// assert_eq!(limits.get(LimitName::CommandsInFlight), Some(64));
/// assert_eq!(limits.get(LimitName::Clients), None);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScriptLimits {
    #[serde(skip_serializing_if = "Option::is_none")]
    clients: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    listeners: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sessions: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blocking_calls: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    callback_threads: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    commands_in_flight: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes_queued: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    operations_per_second: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    openings_per_second: Option<usize>,
}

/// Which of a script's [`ScriptLimits`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LimitName {
    /// Open clients, those that are opening or closing included.
    Clients,
    /// Registered listeners.
    Listeners,
    /// Sessions that are out, those that wait for a connection included.
    Sessions,
    /// Calls of blocking commands, those that wait for a connection included.
    BlockingCalls,
    /// Calls of synchronous listeners that run.
    CallbackThreads,
    /// Commands that wait to be sent or for their reply.
    CommandsInFlight,
    /// Bytes of those.
    BytesQueued,
    /// Commands and registrations of listeners in a second.
    OperationsPerSecond,
    /// Openings of clients in a second.
    OpeningsPerSecond,
}

impl LimitName {
    pub(crate) const COUNT: usize = 9;

    /// All of them.
    pub(crate) const ALL: [Self; Self::COUNT] = [
        Self::Clients,
        Self::Listeners,
        Self::Sessions,
        Self::BlockingCalls,
        Self::CallbackThreads,
        Self::CommandsInFlight,
        Self::BytesQueued,
        Self::OperationsPerSecond,
        Self::OpeningsPerSecond,
    ];

    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter()
    }

    /// The name of the option.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Clients => "clients",
            Self::Listeners => "listeners",
            Self::Sessions => "sessions",
            Self::BlockingCalls => "blocking_calls",
            Self::CallbackThreads => "callback_threads",
            Self::CommandsInFlight => "commands_in_flight",
            Self::BytesQueued => "bytes_queued",
            Self::OperationsPerSecond => "operations_per_second",
            Self::OpeningsPerSecond => "openings_per_second",
        }
    }
}

impl fmt::Display for LimitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl ScriptLimits {
    /// No limits. The default.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Whether there is no limit at all.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::none()
    }

    /// The limit of this name; `None`: there is none.
    #[must_use]
    pub fn get(&self, name: LimitName) -> Option<usize> {
        match name {
            LimitName::Clients => self.clients,
            LimitName::Listeners => self.listeners,
            LimitName::Sessions => self.sessions,
            LimitName::BlockingCalls => self.blocking_calls,
            LimitName::CallbackThreads => self.callback_threads,
            LimitName::CommandsInFlight => self.commands_in_flight,
            LimitName::BytesQueued => self.bytes_queued,
            LimitName::OperationsPerSecond => self.operations_per_second,
            LimitName::OpeningsPerSecond => self.openings_per_second,
        }
    }

    /// These limits, and where there is none that of `others`.
    ///
    /// ```
    /// use redis_manager_core::{LimitName, ScriptLimits};
    ///
    /// let all = ScriptLimits::none().with_clients(4).with_sessions(2);
    /// let limits = ScriptLimits::none().with_clients(8).or(&all);
    /// assert_eq!(limits.get(LimitName::Clients), Some(8));
    /// assert_eq!(limits.get(LimitName::Sessions), Some(2));
    /// ```
    #[must_use]
    pub fn or(self, others: &Self) -> Self {
        Self {
            clients: self.clients.or(others.clients),
            listeners: self.listeners.or(others.listeners),
            sessions: self.sessions.or(others.sessions),
            blocking_calls: self.blocking_calls.or(others.blocking_calls),
            callback_threads: self.callback_threads.or(others.callback_threads),
            commands_in_flight: self.commands_in_flight.or(others.commands_in_flight),
            bytes_queued: self.bytes_queued.or(others.bytes_queued),
            operations_per_second: self.operations_per_second.or(others.operations_per_second),
            openings_per_second: self.openings_per_second.or(others.openings_per_second),
        }
    }

    /// Limits the clients that are open at a time.
    #[must_use]
    pub fn with_clients(mut self, clients: usize) -> Self {
        self.clients = Some(clients);
        self
    }

    /// Limits the listeners that are registered at a time.
    #[must_use]
    pub fn with_listeners(mut self, listeners: usize) -> Self {
        self.listeners = Some(listeners);
        self
    }

    /// Limits the sessions that are out at a time. Each has a connection of its own.
    #[must_use]
    pub fn with_sessions(mut self, sessions: usize) -> Self {
        self.sessions = Some(sessions);
        self
    }

    /// Limits the blocking commands, such as BLPOP, that are under way at a time outside of sessions. Each has a
    /// connection of its own.
    #[must_use]
    pub fn with_blocking_calls(mut self, blocking_calls: usize) -> Self {
        self.blocking_calls = Some(blocking_calls);
        self
    }

    /// Limits the synchronous listeners that run at a time, each on one of the threads that all scripts
    /// [share](crate::ClientResourcesBuilder::callback_threads). Those that would be more are not refused: they wait for
    /// the script's others, with their messages in their queues. 0 counts as 1.
    #[must_use]
    pub fn with_callback_threads(mut self, callback_threads: usize) -> Self {
        self.callback_threads = Some(callback_threads);
        self
    }

    /// Limits the commands that wait to be sent or for their reply at a time. A pipeline counts as its commands.
    #[must_use]
    pub fn with_commands_in_flight(mut self, commands_in_flight: usize) -> Self {
        self.commands_in_flight = Some(commands_in_flight);
        self
    }

    /// Limits the bytes of the commands that wait to be sent or for their reply at a time.
    #[must_use]
    pub fn with_bytes_queued(mut self, bytes_queued: usize) -> Self {
        self.bytes_queued = Some(bytes_queued);
        self
    }

    /// Limits the commands, and registrations of listeners, in a second. After a second without any, as many may come
    /// at once.
    #[must_use]
    pub fn with_operations_per_second(mut self, operations_per_second: usize) -> Self {
        self.operations_per_second = Some(operations_per_second);
        self
    }

    /// Limits the openings of clients in a second, which cost the host and the server far more than a command. After a
    /// second without any, as many may come at once.
    #[must_use]
    pub fn with_openings_per_second(mut self, openings_per_second: usize) -> Self {
        self.openings_per_second = Some(openings_per_second);
        self
    }
}
