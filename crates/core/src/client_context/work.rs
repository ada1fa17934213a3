//! What a client has under way, counted, and what that takes of its script's limits.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::statistics::Statistics;
use crate::usage::Usage;
use crate::{LimitName, Result};

/// Counts what is under way. Every call begins and ends here, so both cost one atomic operation: the count is that of
/// the references to one value, whose end is the end of all.
pub(super) struct Work {
    under_way: Weak<UnderWay>,
    /// Keeps `under_way` alive until it is closed.
    open: Mutex<Option<Arc<UnderWay>>>,
    over: CancellationToken,
}

/// Proof that something is under way. What it has taken of the script's limits is given back when it is dropped.
#[derive(Debug)]
pub(crate) struct WorkToken {
    counted: Arc<UnderWay>,
    commands: usize,
    bytes: usize,
}

impl WorkToken {
    fn new(counted: Arc<UnderWay>) -> Self {
        Self {
            counted,
            commands: 0,
            bytes: 0,
        }
    }

    /// Takes what `commands` commands need that begin at `began`.
    pub(super) fn take_commands(&mut self, commands: usize, began: Instant) -> Result<()> {
        if let Some(usage) = &self.counted.usage {
            usage.take(LimitName::CommandsInFlight, commands)?;
            self.commands += commands;
            usage.spend(LimitName::OperationsPerSecond, commands, began)?;
        }
        Ok(())
    }

    /// Takes what `bytes` of them need.
    pub(crate) fn take_bytes(&mut self, bytes: usize) -> Result<()> {
        if let Some(usage) = &self.counted.usage {
            usage.take(LimitName::BytesQueued, bytes)?;
            self.bytes += bytes;
        }
        Ok(())
    }

    /// What is counted of the calls of the client whose token it is.
    #[inline]
    pub(crate) fn statistics(&self) -> Option<&Statistics> {
        self.counted.statistics.as_deref()
    }
}

impl Drop for WorkToken {
    fn drop(&mut self) {
        if let Some(usage) = &self.counted.usage {
            usage.give_back(LimitName::CommandsInFlight, self.commands);
            usage.give_back(LimitName::BytesQueued, self.bytes);
        }
    }
}

impl WorkToken {
    /// One that counts for nobody, and that no closing waits for.
    pub(crate) fn uncounted() -> Self {
        let over = CancellationToken::new();
        Self::new(UnderWay::new(&over, None, None))
    }
}

#[cfg(test)]
impl WorkToken {
    /// Another one of the same client.
    pub(crate) fn another(&self) -> Self {
        let counted = Arc::clone(&self.counted);
        Self::new(counted)
    }

    /// Its client is closed, and waits no more.
    pub(crate) fn cut(&self) {
        self.counted.is_cut.store(true, Ordering::Release);
    }
}

#[derive(Debug)]
struct UnderWay {
    /// Nobody waits for it any more.
    is_cut: AtomicBool,
    over: CancellationToken,
    usage: Option<Arc<Usage>>,
    statistics: Option<Arc<Statistics>>,
}

impl UnderWay {
    fn new(
        over: &CancellationToken,
        usage: Option<Arc<Usage>>,
        statistics: Option<Arc<Statistics>>,
    ) -> Arc<Self> {
        Arc::new(Self {
            is_cut: AtomicBool::new(false),
            over: over.clone(),
            usage,
            statistics,
        })
    }
}

impl WorkToken {
    /// Whether its client waits for nothing any more.
    pub(crate) fn is_cut(&self) -> bool {
        self.counted.is_cut.load(Ordering::Acquire)
    }
}

impl Work {
    /// What is under way counts for `usage` too, and for `statistics` once it is answered.
    pub(super) fn new(usage: Option<&Arc<Usage>>, statistics: Option<Arc<Statistics>>) -> Self {
        let over = CancellationToken::new();
        let open = UnderWay::new(&over, usage.cloned(), statistics);
        Self {
            under_way: Arc::downgrade(&open),
            open: Mutex::new(Some(open)),
            over,
        }
    }

    /// Counts something until the token is dropped; `None` if it is closed and all is over.
    pub(super) fn begin(&self) -> Option<WorkToken> {
        self.under_way.upgrade().map(WorkToken::new)
    }

    /// From now on it is over once nothing is under way.
    pub(super) fn close(&self) {
        drop(self.open.lock().take());
    }

    /// Has everything that is under way know that nobody waits for it any more.
    pub(super) fn cut(&self) {
        if let Some(under_way) = self.under_way.upgrade() {
            under_way.is_cut.store(true, Ordering::Release);
        }
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
    fn what_is_cut_knows_it() {
        let work = Work::new(None, None);
        let token = work.begin().unwrap();
        assert!(!token.is_cut());
        work.close();
        work.cut();
        assert!(token.is_cut());
        drop(token);
        work.cut();
        assert!(work.over.is_cancelled());
    }

    #[test]
    fn it_is_over_when_it_is_closed_and_nothing_is_under_way() {
        let work = Work::new(None, None);
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
