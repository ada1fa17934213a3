//! What a client has under way, counted.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

/// Counts what is under way. Every call begins and ends here, so both cost one atomic operation: the count is that of
/// the references to one value, whose end is the end of all.
pub(super) struct Work {
    under_way: Weak<UnderWay>,
    /// Keeps `under_way` alive until it is closed.
    open: Mutex<Option<Arc<UnderWay>>>,
    over: CancellationToken,
}

/// Proof that something is under way.
#[derive(Debug)]
pub(crate) struct WorkToken {
    _counted: Arc<UnderWay>,
}

#[cfg(test)]
impl WorkToken {
    /// One that nobody waits for.
    pub(crate) fn uncounted() -> Self {
        let over = CancellationToken::new();
        Self {
            _counted: Arc::new(UnderWay { over }),
        }
    }
}

#[derive(Debug)]
struct UnderWay {
    over: CancellationToken,
}

impl Work {
    pub(super) fn new() -> Self {
        let over = CancellationToken::new();
        let open = Arc::new(UnderWay { over: over.clone() });
        Self {
            under_way: Arc::downgrade(&open),
            open: Mutex::new(Some(open)),
            over,
        }
    }

    /// Counts something until the token is dropped; `None` if it is closed and all is over.
    pub(super) fn begin(&self) -> Option<WorkToken> {
        let counted = self.under_way.upgrade()?;
        Some(WorkToken { _counted: counted })
    }

    /// From now on it is over once nothing is under way.
    pub(super) fn close(&self) {
        drop(self.open.lock().take());
    }

    /// Completes when it is closed and nothing is under way.
    pub(super) async fn over(&self) {
        self.over.cancelled().await;
    }

    /// How much is under way.
    pub(super) fn len(&self) -> usize {
        let open = usize::from(self.open.lock().is_some());
        self.under_way.strong_count().saturating_sub(open)
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.over.cancel();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_over_when_it_is_closed_and_nothing_is_under_way() {
        let work = Work::new();
        drop(work.begin());
        let one = work.begin();
        assert_eq!(work.len(), 1);
        work.close();
        let other = work.begin();
        assert_eq!(work.len(), 2);
        drop(one);
        assert!(!work.over.is_cancelled());
        drop(other);
        assert!(work.over.is_cancelled());
        assert!(work.begin().is_none());
        assert_eq!(work.len(), 0);
    }
}
