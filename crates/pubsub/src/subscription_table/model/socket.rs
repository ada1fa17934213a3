//! A socket of the model, and what is on its way by it.

use std::collections::{HashSet, VecDeque};

use redis_manager_core::{Channel, ClientId, ListenerId, SocketId};

use crate::subscription_table::{Step, StepNumber};

pub(super) struct Told {
    pub(super) channel: Channel,
    /// `None` if the channel belongs elsewhere, and ends at this socket alone.
    pub(super) step: Option<(Step, StepNumber)>,
    /// The listener whose registration waits for it.
    pub(super) registers: Option<ListenerId>,
    /// The client that has left and waits for it.
    pub(super) leaves: Option<ClientId>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Answer {
    Done,
    /// The server refused, or is not connected any more.
    No,
    GivenUp,
}

/// A socket that subscribes, and its server.
pub(super) struct Socket {
    pub(super) id: SocketId,
    pub(super) is_connected: bool,
    /// What was left to be sent and is not answered.
    pub(super) outbox: VecDeque<Told>,
    /// What this connection is to be told before that.
    pub(super) restored: VecDeque<Channel>,
    pub(super) server: HashSet<Channel>,
}

impl Socket {
    pub(super) fn new(id: SocketId) -> Self {
        Self {
            id,
            is_connected: true,
            outbox: VecDeque::new(),
            restored: VecDeque::new(),
            server: HashSet::new(),
        }
    }
}
