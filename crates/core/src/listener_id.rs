//! Identity of one registered listener.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// The number of one listener, unique within the process and never used twice; a later one is greater.
///
/// It appears in events and failures, so that a line in a log can be traced to the listener it came from.
///
/// ```
/// use redis_manager_core::ListenerId;
///
/// assert!(ListenerId::next() < ListenerId::next());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ListenerId(u64);

impl ListenerId {
    /// Returns a number that no other listener of this process has.
    #[must_use]
    pub fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

impl fmt::Display for ListenerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}
