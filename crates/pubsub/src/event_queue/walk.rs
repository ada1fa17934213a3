//! A burst that is heard message by message, without the queue that it came from.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::Message;
use crate::burst::Burst;

/// Behind the end of every burst, with room for those who ask again.
const NOWHERE: usize = usize::MAX / 2;

/// Which message of a burst is next. Who hears them advances it; the queue can end that at any time, and knows then what
/// was not heard.
pub(super) struct Cursor(AtomicUsize);

impl Cursor {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(AtomicUsize::new(NOWHERE)))
    }

    /// Lets a walk begin.
    pub(super) fn set(&self, next: usize) {
        self.0.store(next, Ordering::Release);
    }

    pub(super) fn next(&self) -> usize {
        self.0.load(Ordering::Acquire)
    }

    /// Ends the walk, and returns which message would have been next.
    pub(super) fn withdraw(&self) -> usize {
        self.0.swap(NOWHERE, Ordering::AcqRel)
    }
}

/// The way through a burst. One at a time of a queue.
pub(crate) struct Walk {
    burst: Burst,
    end: usize,
    cursor: Arc<Cursor>,
}

impl Walk {
    pub(super) fn new(burst: Burst, end: usize, cursor: &Arc<Cursor>) -> Self {
        Self {
            burst,
            end,
            cursor: Arc::clone(cursor),
        }
    }

    /// Takes the next message, which from here on does not wait any more, and returns which one it is; `None` if the
    /// queue is to be asked again.
    #[inline]
    pub(crate) fn advance(&self) -> Option<usize> {
        let next = self.cursor.0.fetch_add(1, Ordering::AcqRel);
        (next < self.end).then_some(next)
    }

    #[inline]
    pub(crate) fn message(&self, index: usize) -> Option<&Message> {
        self.burst.messages().get(index)
    }
}
