//! What is recorded: names, units, meanings, and where each number comes from.

use metrics::Unit;
use redis_manager_core::{ClientSnapshot, StateSnapshot, StatisticsSnapshot};

use crate::ManagerSnapshot;

/// A name, its unit and its meaning.
type Metric = (&'static str, Unit, &'static str);

/// The same, with the number that it is in a `T`.
type MetricOf<T> = (&'static str, Unit, &'static str, fn(&T) -> u64);

/// All of them, and whether it is a counter.
pub(super) fn described() -> impl Iterator<Item = (&'static str, Unit, &'static str, bool)> {
    fn of<T>(
        metrics: &'static [MetricOf<T>],
        is_counter: bool,
    ) -> impl Iterator<Item = (&'static str, Unit, &'static str, bool)> {
        let metrics = metrics.iter();
        metrics.map(move |(name, unit, meaning, _)| (*name, *unit, *meaning, is_counter))
    }
    let single =
        [LATENCY, LIMIT, LIMIT_USED].map(|(name, unit, meaning)| (name, unit, meaning, false));
    of(OF_THE_MANAGER, false)
        .chain(of(GAUGES, false))
        .chain(of(COUNTERS, true))
        .chain(of(CALLS, true))
        .chain(single)
}

/// As a gauge has it. Nothing that is measured here has more than 53 bits.
#[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
pub(super) fn number(number: u64) -> f64 {
    number as f64
}

pub(super) const LATENCY: Metric = (
    "redis_manager_latency_seconds",
    Unit::Seconds,
    "How long answered calls took since the client was opened",
);
pub(super) const LIMIT: Metric = (
    "redis_manager_limit",
    Unit::Count,
    "How much the script may have",
);
pub(super) const LIMIT_USED: Metric = (
    "redis_manager_limit_used",
    Unit::Count,
    "How much of that it has",
);

pub(super) const OF_THE_MANAGER: &[MetricOf<ManagerSnapshot>] = &[
    (
        "redis_manager_scripts",
        Unit::Count,
        "Loaded scripts",
        |all| all.scripts.len() as u64,
    ),
    (
        "redis_manager_clients",
        Unit::Count,
        "Clients of all scripts",
        |all| all.totals.clients as u64,
    ),
    (
        "redis_manager_tasks",
        Unit::Count,
        "Tasks of the I/O runtime",
        |all| all.tasks as u64,
    ),
    (
        "redis_manager_callback_threads_busy",
        Unit::Count,
        "Threads that run a synchronous callback",
        |all| all.callback_threads.busy as u64,
    ),
    (
        "redis_manager_callback_threads_allowed",
        Unit::Count,
        "How many of these threads there may be",
        |all| all.callback_threads.allowed as u64,
    ),
    (
        "redis_manager_callbacks_waiting",
        Unit::Count,
        "Listeners that wait for such a thread",
        |all| all.callback_threads.waiting as u64,
    ),
];

pub(super) const GAUGES: &[MetricOf<ClientSnapshot>] = &[
    (
        "redis_manager_connected",
        Unit::Count,
        "1 if the client is connected, else 0",
        |client| u64::from(client.state == StateSnapshot::Connected),
    ),
    (
        "redis_manager_in_flight",
        Unit::Count,
        "Calls that are not answered yet",
        |client| client.in_flight as u64,
    ),
    (
        "redis_manager_requests_queued",
        Unit::Count,
        "Requests that wait to be sent",
        |client| client.requests.count as u64,
    ),
    (
        "redis_manager_request_bytes_queued",
        Unit::Bytes,
        "Their bytes",
        |client| client.requests.bytes as u64,
    ),
    (
        "redis_manager_sessions_out",
        Unit::Count,
        "Sessions that somebody has",
        |client| client.sessions.out as u64,
    ),
    (
        "redis_manager_sessions_idle",
        Unit::Count,
        "Connections for the next session",
        |client| client.sessions.idle as u64,
    ),
    (
        "redis_manager_sessions_waiting",
        Unit::Count,
        "Callers that wait for a session",
        |client| client.sessions.waiting as u64,
    ),
    (
        "redis_manager_blocking_out",
        Unit::Count,
        "Connections on which a command blocks",
        |client| client.blocking.out as u64,
    ),
    (
        "redis_manager_blocking_idle",
        Unit::Count,
        "Connections for the next one",
        |client| client.blocking.idle as u64,
    ),
    (
        "redis_manager_blocking_waiting",
        Unit::Count,
        "Callers that wait for one",
        |client| client.blocking.waiting as u64,
    ),
    (
        "redis_manager_listeners",
        Unit::Count,
        "Listeners that are registered",
        |client| client.listeners as u64,
    ),
    (
        "redis_manager_channels",
        Unit::Count,
        "Channels and patterns that they listen to",
        |client| client.channels as u64,
    ),
    (
        "redis_manager_messages_queued",
        Unit::Count,
        "Messages that wait for listeners",
        |client| client.messages.count as u64,
    ),
    (
        "redis_manager_message_bytes_queued",
        Unit::Bytes,
        "Their bytes",
        |client| client.messages.bytes as u64,
    ),
];

pub(super) const COUNTERS: &[MetricOf<ClientSnapshot>] = &[
    (
        "redis_manager_messages_dropped_total",
        Unit::Count,
        "Messages that listeners lost because their queue was full",
        |client| client.dropped,
    ),
    (
        "redis_manager_listener_failures_total",
        Unit::Count,
        "Calls of listeners that failed",
        |client| client.listener_failures,
    ),
    (
        "redis_manager_losses_total",
        Unit::Count,
        "How often the connection was lost",
        |client| client.losses,
    ),
    (
        "redis_manager_reconnects_total",
        Unit::Count,
        "How often it was made again",
        |client| client.reconnects,
    ),
];

/// Those of the option `statistics`.
pub(super) const CALLS: &[MetricOf<StatisticsSnapshot>] = &[
    (
        "redis_manager_commands_total",
        Unit::Count,
        "Commands that were answered",
        |counted| counted.commands,
    ),
    (
        "redis_manager_errors_total",
        Unit::Count,
        "Those that were answered with an error",
        |counted| counted.errors,
    ),
    (
        "redis_manager_timeouts_total",
        Unit::Count,
        "Calls that failed at their deadline",
        |counted| counted.timeouts,
    ),
    (
        "redis_manager_failures_total",
        Unit::Count,
        "Calls that failed otherwise",
        |counted| counted.failures,
    ),
    (
        "redis_manager_sent_bytes_total",
        Unit::Bytes,
        "The bytes of the answered commands",
        |counted| counted.bytes_sent,
    ),
    (
        "redis_manager_messages_heard_total",
        Unit::Count,
        "Messages that listeners were handed",
        |counted| counted.messages_heard,
    ),
];
