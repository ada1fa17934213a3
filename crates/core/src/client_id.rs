//! Identity of one open client.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// The number of one client, unique within the process and never used twice.
///
/// It appears in errors, events and reports, so that a line in a log can be traced to the client it
/// came from. It is not the server's `CLIENT ID`.
///
/// ```
/// use redis_manager_core::ClientId;
///
/// assert_ne!(ClientId::next(), ClientId::next());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientId(u64);

impl ClientId {
    /// Returns a number that no other client of this process has.
    #[must_use]
    pub fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    pub(crate) fn number(self) -> u64 {
        self.0
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}
