//! One client at one moment.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{ClientState, ClientType};

/// A client at the moment that [`snapshot`](crate::ScriptRedisClient::snapshot) was called: figures, and nothing of the
/// client itself. No secret is in it.
///
/// The figures are read one after the other while the client goes on, so that they may differ by what happened
/// meanwhile; each for itself is exact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ClientSnapshot {
    /// The client's number, as its [`ClientId`](crate::ClientId) shows it.
    pub id: u64,
    /// The client's kind.
    pub client_type: ClientType,
    /// Where it connects to: `host:port`, several with commas between them, or the path of a socket. With sentinels the
    /// master of this moment and its name, `10.0.0.7:6379 (master main)`; until they have named one, they themselves.
    pub address: String,
    /// Which database it uses.
    pub database: u32,
    /// What it is doing.
    pub state: StateSnapshot,
    /// Why it is disconnected, if it is.
    pub cause: Option<String>,
    /// How long ago it was opened, in whole milliseconds.
    #[serde(with = "humantime_serde")]
    pub age: Duration,
    /// The connection that it shares, as a number that all have who share it; `None` if it has one of its own.
    pub shares: Option<u64>,
    /// Calls that are not answered yet.
    pub in_flight: usize,
    /// Requests that wait to be sent; on a connection that is shared, those of all who share it.
    pub requests: Waiting,
    /// The connections behind `session()`, or a BASIC client's pool.
    pub sessions: PoolSnapshot,
    /// The connections on which commands block.
    pub blocking: PoolSnapshot,
    /// Listeners that are registered.
    pub listeners: usize,
    /// What they listen to: channels, patterns and shard channels.
    pub channels: usize,
    /// Messages that wait for listeners. One that several have to hear counts for each.
    pub messages: Waiting,
    /// Messages that listeners lost because their queue was full, since the client was opened.
    pub dropped: u64,
    /// Calls of listeners that failed, since the client was opened.
    pub listener_failures: u64,
    /// How often the connection was lost.
    pub losses: u64,
    /// How often it was made again.
    pub reconnects: u64,
    /// What is counted of each call; `None` unless the option
    /// [`statistics`](crate::ClientResourcesBuilder::statistics) is on.
    pub statistics: Option<StatisticsSnapshot>,
}

/// What waits in queues.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Waiting {
    /// How much of it.
    pub count: usize,
    /// Its bytes.
    pub bytes: usize,
}

/// The connections of a pool, each for one caller at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PoolSnapshot {
    /// Those that somebody has.
    pub out: usize,
    /// Those that are there for the next one.
    pub idle: usize,
    /// Callers that wait for one.
    pub waiting: usize,
}

/// What was counted of a client's calls since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StatisticsSnapshot {
    /// Commands that were answered, also with an error, subscriptions included. A pipeline counts as its commands, and a
    /// transaction as those between MULTI and EXEC.
    pub commands: u64,
    /// Those of them that were answered with an error.
    pub errors: u64,
    /// Calls that failed at their deadline.
    pub timeouts: u64,
    /// Calls that failed otherwise, also before they were sent: no connection, a full queue, a limit, a closed client.
    pub failures: u64,
    /// The bytes of the answered commands.
    pub bytes_sent: u64,
    /// Messages that were handed to listeners. One that several heard counts for each.
    pub messages_heard: u64,
    /// How long calls took, from when they were made to when their reply was there; `None` if none was answered. A
    /// pipeline is one.
    pub latency: Option<LatencySnapshot>,
}

/// How long calls took, in microseconds. The percentiles are wrong by 6.25 % at most, the longest is exact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LatencySnapshot {
    /// Half of the calls took no longer.
    pub p50_us: u64,
    /// 90 of 100 took no longer.
    pub p90_us: u64,
    /// 99 of 100 took no longer.
    pub p99_us: u64,
    /// 999 of 1 000 took no longer.
    pub p999_us: u64,
    /// None took longer.
    pub max_us: u64,
}

/// What a client is doing: [`ClientState`] without its cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StateSnapshot {
    /// Open, and without a connection so far.
    Idle,
    /// Open and connected.
    Connected,
    /// Open and without the connection that it should have.
    Disconnected,
    /// Refusing new work and waiting for what is in flight.
    Closing,
    /// Closed.
    Closed,
}

impl From<&ClientState> for StateSnapshot {
    fn from(state: &ClientState) -> Self {
        match state {
            ClientState::Idle => Self::Idle,
            ClientState::Connected => Self::Connected,
            ClientState::Disconnected { .. } => Self::Disconnected,
            ClientState::Closing => Self::Closing,
            ClientState::Closed => Self::Closed,
        }
    }
}

impl fmt::Display for StateSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Idle => "idle",
            Self::Connected => "connected",
            Self::Disconnected => "disconnected",
            Self::Closing => "closing",
            Self::Closed => "closed",
        })
    }
}

impl Waiting {
    /// So much, of so many bytes.
    #[must_use]
    pub fn new(count: usize, bytes: usize) -> Self {
        Self { count, bytes }
    }

    /// Adds what waits elsewhere.
    pub fn add(&mut self, other: Self) {
        self.count += other.count;
        self.bytes += other.bytes;
    }
}

impl PoolSnapshot {
    /// A pool of which so many connections are out and idle, and for which so many wait.
    #[must_use]
    pub fn new(out: usize, idle: usize, waiting: usize) -> Self {
        Self { out, idle, waiting }
    }

    /// Adds the connections of another pool.
    pub fn add(&mut self, other: Self) {
        self.out += other.out;
        self.idle += other.idle;
        self.waiting += other.waiting;
    }
}
