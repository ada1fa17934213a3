//! How many operations come in a second. Pure.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// A leaky bucket that holds the operations of one second: the generic cell rate algorithm of ATM, in one atomic number.
/// Where many come, they are put in by batches, so that most need no clock.
pub(super) struct Rate {
    per_second: usize,
    /// When the bucket is empty again if nothing more comes, in nanoseconds.
    empty_at: AtomicU64,
    /// How many are in the bucket already and have not come yet.
    credit: AtomicUsize,
}

const SECOND: u64 = 1_000_000_000;
/// How many batches there are in a second, at most. As much more than a second's may come at once.
const BATCHES: usize = 64;

impl Rate {
    pub(super) fn new(per_second: usize) -> Self {
        Self {
            per_second,
            empty_at: AtomicU64::new(0),
            credit: AtomicUsize::new(0),
        }
    }

    pub(super) fn per_second(&self) -> usize {
        self.per_second
    }

    /// Puts `count` operations into the bucket, `now` being the time since some beginning; false, and nothing is
    /// changed, if they do not fit.
    pub(super) fn admits(&self, count: usize, now: impl FnOnce() -> Duration) -> bool {
        if self.spend_credit(count) {
            return true;
        }
        let now = u64::try_from(now().as_nanos()).unwrap_or(u64::MAX);
        let batch = self.per_second / BATCHES;
        if batch > count && self.fill(batch, now) {
            self.credit.fetch_add(batch - count, Ordering::Relaxed);
            return true;
        }
        self.fill(count, now)
    }

    fn spend_credit(&self, count: usize) -> bool {
        let spend = |credit: usize| credit.checked_sub(count);
        let credit = &self.credit;
        let spent = credit.fetch_update(Ordering::Relaxed, Ordering::Relaxed, spend);
        spent.is_ok()
    }

    fn fill(&self, count: usize, now: u64) -> bool {
        let Some(cost) = self.cost(count) else {
            return false;
        };
        let fill = |empty_at: u64| {
            let filled = empty_at.max(now).saturating_add(cost);
            (filled - now <= SECOND).then_some(filled)
        };
        let empty_at = &self.empty_at;
        let filled = empty_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fill);
        filled.is_ok()
    }

    /// The time that `count` operations take; `None` if they never fit.
    fn cost(&self, count: usize) -> Option<u64> {
        if count > self.per_second {
            return None;
        }
        let (count, per_second) = (count as u64, (self.per_second as u64).max(1));
        Some(count.saturating_mul(SECOND) / per_second)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admitted(rate: &Rate, at_ms: u64) -> usize {
        let now = Duration::from_millis(at_ms);
        (0..10_000).take_while(|_| rate.admits(1, || now)).count()
    }

    #[test]
    fn after_a_pause_as_many_come_at_once_as_in_a_second() {
        let rate = Rate::new(100);
        assert_eq!(admitted(&rate, 0), 100);
        assert_eq!(admitted(&rate, 0), 0);
        assert_eq!(admitted(&rate, 100), 10);
        assert_eq!(admitted(&rate, 5_000), 100);
    }

    #[test]
    fn what_does_not_fit_as_a_whole_changes_nothing() {
        let rate = Rate::new(10);
        let zero = || Duration::ZERO;
        assert!(!rate.admits(11, zero));
        assert!(rate.admits(6, zero));
        assert!(!rate.admits(5, zero));
        assert!(rate.admits(4, zero));
        assert!(!Rate::new(0).admits(1, || Duration::from_secs(9)));
    }

    #[test]
    fn in_a_longer_time_no_more_come_than_it_has_seconds() {
        let rate = Rate::new(50);
        let total: usize = (0..10_000).map(|ms| admitted(&rate, ms)).sum();
        assert!((50 * 10..=50 * 11).contains(&total), "{total}");
    }

    #[test]
    fn where_many_come_a_second_has_little_more_than_its_own() {
        let rate = Rate::new(6_400);
        assert!((6_400..=6_500).contains(&admitted(&rate, 0)));
        assert_eq!(admitted(&rate, 0), 0);
        assert!((640..=740).contains(&admitted(&rate, 100)));
        let total: usize = (0..1_000).map(|ms| admitted(&rate, 10_000 + ms)).sum();
        assert!((12_700..=12_900).contains(&total), "{total}");
    }
}
