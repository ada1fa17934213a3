//! All scripts at one moment, in figures.

mod printed;
mod table;
#[cfg(test)]
pub(crate) mod tests;
mod totals;
mod units;

use std::fmt;
use std::time::{Duration, SystemTime};

use redis_manager_core::{CallbackThreadsSnapshot, ClientSnapshot, Latencies, LimitName};
use serde::{Deserialize, Serialize};

pub use printed::ByClient;
pub use totals::Totals;

/// What [`RedisManager::snapshot`](crate::RedisManager::snapshot) saw: figures, and nothing of the scripts themselves.
///
/// Its `Display` is a table with a line for each script, and that of [`by_client`](Self::by_client) one with a line for
/// each client. Through serde it is stored or sent: times as RFC 3339, durations as "2m 3s". A later version may have
/// more figures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ManagerSnapshot {
    /// When it was taken.
    #[serde(with = "humantime_serde")]
    pub when: SystemTime,
    /// The loaded scripts, in the order of loading.
    pub scripts: Vec<ScriptSnapshot>,
    /// The sums over all scripts.
    pub totals: Totals,
    /// The tasks of the I/O runtime, those of other managers on the same resources included.
    pub tasks: usize,
    /// The threads for synchronous callbacks, likewise.
    pub callback_threads: CallbackThreadsSnapshot,
}

/// One generation of a script, and its clients.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ScriptSnapshot {
    /// The name that it was loaded by.
    pub name: String,
    /// The number of this load.
    pub generation: u64,
    /// Whether the name is its alone.
    pub standing: ScriptStanding,
    /// How long ago it was loaded, in whole milliseconds.
    #[serde(with = "humantime_serde")]
    pub age: Duration,
    /// The limits that it has, and what it has of each.
    pub limits: Vec<LimitSnapshot>,
    /// Its clients, in the order of opening. Those that are closing are among them, and those that are closed are not.
    pub clients: Vec<ClientSnapshot>,
    /// The sums over its clients.
    pub totals: Totals,
}

/// Whether a script is being reloaded, and which of its generations it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ScriptStanding {
    /// It has the name.
    Loaded,
    /// It is the new generation of a script that is being reloaded, before the hand-over.
    Arriving,
    /// It is the old one, after the hand-over.
    Leaving,
}

impl fmt::Display for ScriptStanding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Loaded => "loaded",
            Self::Arriving => "arriving",
            Self::Leaving => "leaving",
        })
    }
}

/// One limit of a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LimitSnapshot {
    /// What it bounds.
    pub name: LimitName,
    /// How much of that the script may have.
    pub limit: usize,
    /// How much it has; `None` for a rate.
    pub used: Option<usize>,
}

impl LimitSnapshot {
    pub(crate) fn new(name: LimitName, limit: usize, used: Option<usize>) -> Self {
        Self { name, limit, used }
    }
}

impl ManagerSnapshot {
    pub(crate) fn new(
        when: SystemTime,
        scripts: Vec<ScriptSnapshot>,
        latencies: &Latencies,
        tasks: usize,
        callback_threads: CallbackThreadsSnapshot,
    ) -> Self {
        let clients = scripts.iter().flat_map(|script| &script.clients);
        Self {
            when,
            totals: Totals::of(clients, latencies),
            scripts,
            tasks,
            callback_threads,
        }
    }

    /// Prints a line for each client, instead of one for each script.
    #[must_use]
    pub fn by_client(&self) -> ByClient<'_> {
        ByClient(self)
    }
}

impl ScriptSnapshot {
    pub(crate) fn new(
        (name, generation, standing): (&str, u64, ScriptStanding),
        age: Duration,
        limits: Vec<LimitSnapshot>,
        clients: Vec<ClientSnapshot>,
        latencies: &Latencies,
    ) -> Self {
        Self {
            name: name.to_owned(),
            generation,
            standing,
            age,
            limits,
            totals: Totals::of(&clients, latencies),
            clients,
        }
    }
}

/// Of an age nobody wants to read nanoseconds.
pub(crate) fn whole_millis(age: Duration) -> Duration {
    Duration::new(age.as_secs(), age.subsec_millis() * 1_000_000)
}
