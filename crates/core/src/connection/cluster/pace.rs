//! How often it is looked what the cluster is like. Pure.

use std::time::Duration;

use tokio::time::Instant;

use crate::Backoff;

/// How long to pause at most between two looks for which something gives reason.
const OFTEN: Duration = Duration::from_secs(1);
/// How long a cluster in trouble is looked at for that alone. A failover takes less; slots that nobody has, or a node that is
/// gone without a replica, may stay so for months, and a thousand clients would ask twice a second.
const TROUBLE: Duration = Duration::from_secs(60);

/// What decides of the looks of one client.
pub(super) struct Pace {
    backoff: Backoff,
    /// Since when no look has shown the cluster to be well.
    unwell_since: Option<Instant>,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self {
            backoff: Backoff::new(OFTEN),
            unwell_since: None,
        }
    }

    /// Notes that there is reason to look, after so much time without one: the first of several is followed at once, and
    /// those that never end are not.
    pub(super) fn begin(&mut self, quiet: Duration) {
        if quiet > OFTEN {
            self.backoff = Backoff::new(OFTEN);
        }
    }

    /// Notes what a look has shown, at `now`. Returns whether that is reason for another one.
    pub(super) fn looked(&mut self, is_well: bool, now: Instant) -> bool {
        if is_well {
            self.unwell_since = None;
            return false;
        }
        let since = *self.unwell_since.get_or_insert(now);
        now.saturating_duration_since(since) < TROUBLE
    }

    /// How long to wait before the next one.
    pub(super) fn pause(&mut self) -> Duration {
        self.backoff.next_delay()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INSTANT: Duration = Duration::ZERO;
    const SECOND: Duration = Duration::from_secs(1);

    /// How often it is looked in the time `total` by who has reason to at once after each pause.
    fn looks_in(total: Duration, pace: &mut Pace) -> usize {
        let (mut time, mut looks) = (INSTANT, 0);
        while time < total {
            pace.begin(INSTANT);
            time += pace.pause();
            looks += 1;
        }
        looks
    }

    #[test]
    fn reasons_that_never_end_are_followed_twice_a_second_though_the_cluster_is_well() {
        let mut pace = Pace::new();
        assert!(!pace.looked(true, Instant::now()));
        let looks = looks_in(100 * SECOND, &mut pace);
        assert!((100..400).contains(&looks), "{looks}");
    }

    #[test]
    fn a_reason_after_a_while_without_one_is_followed_at_once() {
        let mut pace = Pace::new();
        looks_in(10 * SECOND, &mut pace);
        pace.begin(2 * SECOND);
        assert!(pace.pause() <= Duration::from_millis(10));
    }

    #[test]
    fn trouble_is_a_reason_until_it_has_lasted_and_again_after_it_was_over() {
        let (mut pace, start) = (Pace::new(), Instant::now());
        assert!(pace.looked(false, start));
        assert!(pace.looked(false, start + TROUBLE - SECOND));
        assert!(!pace.looked(false, start + TROUBLE));
        assert!(!pace.looked(false, start + 10 * TROUBLE));
        assert!(!pace.looked(true, start + 10 * TROUBLE));
        assert!(pace.looked(false, start + 11 * TROUBLE));
    }
}
