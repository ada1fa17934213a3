//! What one poll of a mailbox came to.

/// What one [`poll`](crate::Mailbox::poll) of a mailbox came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Polled {
    calls: usize,
    more_ready: bool,
}

impl Polled {
    pub(super) fn new(calls: usize, more_ready: bool) -> Self {
        Self { calls, more_ready }
    }

    /// How many calls ran. 0 if nothing was ready, if the script was unloaded, and from a poll inside a
    /// poll.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.calls
    }

    /// Whether something was ready when the poll ended, because the budget was spent. Not from a poll
    /// inside a poll: what is ready is the outer one's.
    #[must_use]
    pub fn is_more_ready(&self) -> bool {
        self.more_ready
    }
}
