//! How many of something there are at a time.

use std::sync::atomic::{AtomicUsize, Ordering};

pub(super) struct Gauge {
    pub(super) limit: usize,
    used: AtomicUsize,
}

impl Gauge {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            used: AtomicUsize::new(0),
        }
    }

    /// Takes `count`, if they are not too many with those that are taken; otherwise none.
    pub(super) fn take(&self, count: usize) -> bool {
        // Added first, because that is one atomic step. Who is refused may cause another to be, which would have fitted
        // a moment later.
        let before = self.used.fetch_add(count, Ordering::Relaxed);
        let fits = before.saturating_add(count) <= self.limit;
        if !fits {
            self.give_back(count);
        }
        fits
    }

    pub(super) fn give_back(&self, count: usize) {
        self.used.fetch_sub(count, Ordering::Relaxed);
    }

    pub(super) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }
}
