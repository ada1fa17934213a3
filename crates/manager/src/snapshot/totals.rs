//! The figures of many clients, added up.

use std::collections::HashSet;

use redis_manager_core::{
    ClientSnapshot, Latencies, PoolSnapshot, StateSnapshot, StatisticsSnapshot, Waiting,
};
use serde::{Deserialize, Serialize};

/// The sums over the clients of a script, or over all. What closed clients had is not in them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Totals {
    /// How many clients there are.
    pub clients: usize,
    /// Those of them that are without the connection that they should have.
    pub disconnected: usize,
    /// Calls that are not answered yet.
    pub in_flight: usize,
    /// Requests that wait to be sent. Those on a connection that clients share count once, and may be of other scripts
    /// that share it.
    pub requests: Waiting,
    /// The connections behind sessions.
    pub sessions: PoolSnapshot,
    /// The connections on which commands block.
    pub blocking: PoolSnapshot,
    /// Listeners that are registered.
    pub listeners: usize,
    /// What they listen to; a channel that two clients listen to counts twice.
    pub channels: usize,
    /// Messages that wait for listeners.
    pub messages: Waiting,
    /// Messages that listeners lost because their queue was full.
    pub dropped: u64,
    /// Calls of listeners that failed.
    pub listener_failures: u64,
    /// How often a connection was lost.
    pub losses: u64,
    /// How often one was made again.
    pub reconnects: u64,
    /// What is counted of each call; `None` if no client has it. The latencies are those of all calls together, as if one
    /// client had made them.
    pub statistics: Option<StatisticsSnapshot>,
}

impl Totals {
    /// Adds up `clients`, whose calls took `latencies`.
    pub(super) fn of<'a>(
        clients: impl IntoIterator<Item = &'a ClientSnapshot>,
        latencies: &Latencies,
    ) -> Self {
        let mut totals = Self::default();
        let mut seen = HashSet::new();
        for client in clients {
            totals.add(client);
            // What waits on a connection that is shared waits once.
            if client.shares.is_none_or(|shared| seen.insert(shared)) {
                totals.requests.add(client.requests);
            }
        }
        if let Some(statistics) = &mut totals.statistics {
            statistics.latency = latencies.summary();
        }
        totals
    }

    /// The bytes that wait in queues.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.requests.bytes + self.messages.bytes
    }

    fn add(&mut self, client: &ClientSnapshot) {
        self.clients += 1;
        self.disconnected += usize::from(client.state == StateSnapshot::Disconnected);
        self.in_flight += client.in_flight;
        self.sessions.add(client.sessions);
        self.blocking.add(client.blocking);
        self.listeners += client.listeners;
        self.channels += client.channels;
        self.messages.add(client.messages);
        self.dropped += client.dropped;
        self.listener_failures += client.listener_failures;
        self.losses += client.losses;
        self.reconnects += client.reconnects;
        if let Some(more) = &client.statistics {
            let sum = self.statistics.get_or_insert_default();
            sum.commands += more.commands;
            sum.errors += more.errors;
            sum.timeouts += more.timeouts;
            sum.failures += more.failures;
            sum.bytes_sent += more.bytes_sent;
            sum.messages_heard += more.messages_heard;
        }
    }
}
