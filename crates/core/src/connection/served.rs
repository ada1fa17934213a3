//! An outbox that somebody empties.

use std::sync::Arc;

use super::outbox::Outbox;
use crate::Error;

/// An outbox that is served. Once it is not any more, whatever ended that, it takes nothing.
pub(super) struct Served {
    pub(super) outbox: Arc<Outbox>,
    cause: Error,
}

impl Served {
    /// `closed` is why, if nothing else ends it.
    pub(super) fn new(outbox: &Arc<Outbox>, closed: Error) -> Self {
        Self {
            outbox: Arc::clone(outbox),
            cause: closed,
        }
    }

    /// Ends it because of `cause`.
    pub(super) fn end(mut self, cause: Error) {
        self.cause = cause;
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.outbox.end(&self.cause);
    }
}
