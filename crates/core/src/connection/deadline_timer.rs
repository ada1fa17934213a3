//! The one timer of a connection.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// How far apart it goes off: what comes due in between is late by that much at most.
const GRAIN: Duration = Duration::from_millis(10);

/// Goes off for the earliest of many deadlines. Most are over before they are due, so it is set once for
/// thousands of calls.
pub(super) struct DeadlineTimer {
    sleep: Pin<Box<Sleep>>,
    set_to: Option<Instant>,
    last: Instant,
}

impl DeadlineTimer {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self {
            sleep: Box::pin(sleep_until(now)),
            set_to: None,
            last: now,
        }
    }

    /// Whether it goes off for `earliest` without being polled before.
    pub(super) fn covers(&self, earliest: Option<Instant>) -> bool {
        let Some(earliest) = earliest else {
            return true;
        };
        let due = earliest.max(self.last + GRAIN);
        self.set_to.is_some_and(|set_to| set_to <= due)
    }

    /// Completes when `earliest`, or what it was before, is over.
    pub(super) fn poll(
        &mut self,
        context: &mut Context<'_>,
        earliest: Option<Instant>,
    ) -> Poll<Instant> {
        let due = earliest.map(|earliest| earliest.max(self.last + GRAIN));
        let set_to = match (due, self.set_to) {
            (Some(due), Some(set_to)) if set_to <= due => set_to,
            (Some(due), _) => {
                self.sleep.as_mut().reset(due);
                due
            }
            (None, Some(set_to)) => set_to,
            (None, None) => return Poll::Pending,
        };
        self.set_to = Some(set_to);
        ready!(self.sleep.as_mut().poll(context));
        self.set_to = None;
        self.last = Instant::now();
        Poll::Ready(self.last)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    async fn goes_off(timer: &mut DeadlineTimer, earliest: Option<Instant>) -> Instant {
        poll_fn(|context| timer.poll(context, earliest)).await
    }

    #[tokio::test]
    async fn it_goes_off_for_the_earliest_also_if_that_comes_later_than_others() {
        let mut timer = DeadlineTimer::new();
        let now = Instant::now();
        let (soon, late) = (now + GRAIN * 2, now + Duration::from_secs(60));
        let waits = poll_fn(|context| Poll::Ready(timer.poll(context, Some(late)).is_pending()));
        assert!(waits.await);
        assert!(goes_off(&mut timer, Some(soon)).await >= soon);
    }

    #[tokio::test]
    async fn what_is_over_already_does_not_make_it_go_off_without_a_pause() {
        let mut timer = DeadlineTimer::new();
        let now = Instant::now();
        let first = goes_off(&mut timer, Some(now)).await;
        assert!(first >= now + GRAIN);
        assert!(goes_off(&mut timer, Some(now)).await >= first + GRAIN);
    }
}
