//! How much one poll of a mailbox may do.

use std::time::Duration;

/// How much one [`poll`](crate::Mailbox::poll) of a mailbox may do.
///
/// A *call* is one run of one task, up to where it waits for something. A call that has begun is never
/// cut short, so a poll takes at most one call longer than its budget of time.
///
/// A `usize` is a budget of so many calls, a [`Duration`] one of so much time.
///
/// ```
/// use redis_manager::prelude::*;
///
/// # fn example(mailbox: &Mailbox) {
/// mailbox.poll(100);
/// mailbox.poll(Duration::from_millis(2));
/// mailbox.poll(Budget::calls(100).and_time(Duration::from_millis(2)));
/// mailbox.poll(Budget::round());
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a budget does nothing until a mailbox is polled with it"]
pub struct Budget {
    calls: usize,
    time: Option<Duration>,
    round: bool,
}

impl Budget {
    /// At most so many calls.
    pub fn calls(calls: usize) -> Self {
        Self {
            calls,
            time: None,
            round: false,
        }
    }

    /// No call begins once so much time has passed since the poll began. With a time of 0 none begins.
    pub fn time(time: Duration) -> Self {
        Self::calls(usize::MAX).and_time(time)
    }

    /// Each task that is ready when the poll begins, once. So the poll ends, however fast tasks become
    /// ready again; a task that has several messages waiting takes one of them.
    pub fn round() -> Self {
        Self {
            round: true,
            ..Self::calls(usize::MAX)
        }
    }

    /// The same, and at most so many calls.
    pub fn and_calls(self, calls: usize) -> Self {
        Self {
            calls: self.calls.min(calls),
            ..self
        }
    }

    /// The same, and no call begins once so much time has passed since the poll began.
    pub fn and_time(self, time: Duration) -> Self {
        Self {
            time: Some(self.time.map_or(time, |earlier| earlier.min(time))),
            ..self
        }
    }

    /// What it comes to for a poll that finds so many tasks ready.
    pub(super) fn with_ready(self, ready: usize) -> Self {
        if self.round {
            self.and_calls(ready)
        } else {
            self
        }
    }

    /// Whether another call may begin after so many, and so much time. The clock is not looked at in vain.
    pub(super) fn allows(&self, calls: usize, elapsed: impl FnOnce() -> Duration) -> bool {
        calls < self.calls && self.time.is_none_or(|time| elapsed() < time)
    }
}

impl From<usize> for Budget {
    fn from(calls: usize) -> Self {
        Self::calls(calls)
    }
}

impl From<Duration> for Budget {
    fn from(time: Duration) -> Self {
        Self::time(time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLISECOND: Duration = Duration::from_millis(1);

    fn never() -> Duration {
        panic!("the clock was looked at")
    }

    #[test]
    fn calls_end_it_and_need_no_clock() {
        let budget = Budget::from(2);
        assert!(budget.allows(1, never));
        assert!(!budget.allows(2, never));
        assert!(!Budget::calls(0).allows(0, never));
    }

    #[test]
    fn time_ends_it() {
        let budget = Budget::from(2 * MILLISECOND);
        assert!(budget.allows(1_000_000, || MILLISECOND));
        assert!(!budget.allows(0, || 2 * MILLISECOND));
        assert!(!Budget::time(Duration::ZERO).allows(0, || Duration::ZERO));
        assert!(Budget::time(Duration::MAX).allows(0, || MILLISECOND));
    }

    #[test]
    fn of_two_the_smaller_counts() {
        let both = Budget::calls(3).and_time(MILLISECOND);
        assert_eq!(both, Budget::time(MILLISECOND).and_calls(3));
        assert!(both.allows(2, || Duration::ZERO));
        assert!(!both.allows(3, || Duration::ZERO));
        assert!(!both.allows(2, || MILLISECOND));
        assert_eq!(both.and_calls(5).and_time(2 * MILLISECOND), both);
    }

    #[test]
    fn a_round_is_as_long_as_what_was_ready() {
        let round = Budget::round().with_ready(2);
        assert!(round.allows(1, never));
        assert!(!round.allows(2, never));
        assert!(!Budget::round().and_calls(1).with_ready(2).allows(1, never));
        assert!(Budget::calls(3).with_ready(0).allows(2, never));
    }
}
