//! What an operator sees of a client.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::time::Instant;

use super::ClientContext;
use crate::statistics::Latencies;
use crate::{
    ClientEvent, ClientSnapshot, ClientState, Error, PoolSnapshot, StateSnapshot, Waiting,
};

/// Counts what is rare, and so is counted always.
pub(super) struct Tally {
    began: Instant,
    dropped: AtomicU64,
    listener_failures: AtomicU64,
}

impl Tally {
    pub(super) fn new() -> Self {
        Self {
            began: Instant::now(),
            dropped: AtomicU64::new(0),
            listener_failures: AtomicU64::new(0),
        }
    }

    pub(super) fn note(&self, event: &ClientEvent) {
        if let ClientEvent::ListenerFailed { .. } = event {
            self.listener_failures.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl ClientContext {
    /// The part that all clients have in common; a layer adds what it knows of queues, pools and listeners. Does not
    /// block.
    #[must_use]
    pub fn snapshot(&self) -> ClientSnapshot {
        let (state, losses, reconnects) = {
            let state = self.state.lock();
            (state.client.clone(), state.losses, state.reconnects)
        };
        let millis = u64::try_from(self.tally.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        ClientSnapshot {
            id: self.client_id.number(),
            client_type: self.client_type,
            address: self.current_address(),
            database: self.uri.database(),
            state: StateSnapshot::from(&state),
            cause: match &state {
                ClientState::Disconnected { cause } => Some(cause.message().to_owned()),
                _ => None,
            },
            age: std::time::Duration::from_millis(millis),
            shares: self
                .membership()
                .map(|membership| membership.carrier().client_id().number()),
            in_flight: self.work.len(),
            requests: Waiting::default(),
            sessions: PoolSnapshot::default(),
            blocking: PoolSnapshot::default(),
            listeners: 0,
            channels: 0,
            messages: Waiting::default(),
            dropped: self.tally.dropped.load(Ordering::Relaxed),
            listener_failures: self.tally.listener_failures.load(Ordering::Relaxed),
            losses,
            reconnects,
            statistics: self.statistics.as_ref().map(|counted| counted.snapshot()),
        }
    }

    /// How long the client's answered calls took; `None` unless the option
    /// [`statistics`](crate::ClientResourcesBuilder::statistics) is on. Those of several clients can be added up,
    /// unlike the percentiles in their snapshots.
    #[must_use]
    pub fn latencies(&self) -> Option<Latencies> {
        self.statistics.as_ref().map(|counted| counted.latencies())
    }

    /// Notes messages that listeners lost.
    pub fn note_dropped(&self, messages: u64) {
        self.tally.dropped.fetch_add(messages, Ordering::Relaxed);
    }

    /// Notes messages that were handed to listeners, if that is to be counted.
    pub fn note_heard(&self, messages: usize) {
        if let Some(statistics) = &self.statistics {
            statistics.heard(messages);
        }
    }

    /// Notes the error that a caller is given, if that is to be counted.
    pub fn note_failure(&self, error: &Error) {
        if let Some(statistics) = &self.statistics {
            statistics.failed(error);
        }
    }
}
