//! A listener of the model.

use std::time::SystemTime;

use redis_manager_core::{ClientId, ListenerId};

use crate::subscription_table::OfClient;

/// What a listener has a right to expect.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Hearing {
    NotYet,
    Yes,
    LostAt(SystemTime),
    /// Its client has left: it hears what was sent by then.
    Leaving,
    Left,
    /// Its client listens again, from some time on.
    Again,
}

/// A listener of a client.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Owned {
    pub(super) id: ListenerId,
    pub(super) client: ClientId,
}

impl OfClient for Owned {
    fn client(&self) -> ClientId {
        self.client
    }
}
