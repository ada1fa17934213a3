//! Whose call came last.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::ClientId;

/// Which of the clients that share threads was called last.
#[derive(Debug, Default)]
pub(crate) struct LastCaller(AtomicU64);

impl LastCaller {
    /// Notes a call of `client`, and returns whether the one before was its too.
    pub(crate) fn note(&self, client: ClientId) -> bool {
        let is_same = self.0.load(Ordering::Relaxed) == client.number();
        // What all threads read stays unwritten as long as there is nothing new.
        if !is_same {
            self.0.store(client.number(), Ordering::Relaxed);
        }
        is_same
    }
}
