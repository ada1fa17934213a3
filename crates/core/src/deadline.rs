//! When a call is given up.

use std::time::Duration;

use tokio::time::Instant;

/// How long an answer may take, unless the deadline is short.
const ANSWER: Duration = Duration::from_millis(50);

/// The one deadline of a call, counted from when it was made.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    began: Instant,
    timeout: Option<Duration>,
}

impl Deadline {
    /// One that is `timeout` from now; `None`: never.
    #[must_use]
    pub fn after(timeout: impl Into<Option<Duration>>) -> Self {
        Self {
            began: Instant::now(),
            timeout: timeout.into(),
        }
    }

    /// The same call's, with another `timeout`.
    #[must_use]
    pub fn with_timeout(self, timeout: Option<Duration>) -> Self {
        Self { timeout, ..self }
    }

    /// The moment; `None`: never.
    #[must_use]
    pub fn at(&self) -> Option<Instant> {
        // What the clock cannot express is never.
        self.began.checked_add(self.timeout?)
    }

    /// When the call was made.
    pub(crate) fn began(&self) -> Instant {
        self.began
    }

    /// The time that the call has as a whole.
    #[must_use]
    pub fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// The time that is left; `None`: without end.
    #[must_use]
    pub fn remaining(&self) -> Option<Duration> {
        Some(self.at()?.saturating_duration_since(Instant::now()))
    }

    /// Whether there is time for another try after `pause`, and for its answer: the last one is not to be cut off by the
    /// deadline, or nobody would know what became of it.
    ///
    /// ```
    /// use redis_manager_core::Deadline;
    /// use std::time::Duration;
    ///
    /// let deadline = Deadline::after(Duration::from_secs(10));
    /// assert!(deadline.leaves_time_after(Duration::from_secs(5)));
    /// assert!(!deadline.leaves_time_after(Duration::from_secs(10)));
    /// ```
    #[must_use]
    pub fn leaves_time_after(&self, pause: Duration) -> bool {
        let answer = ANSWER.min(self.timeout.unwrap_or_default() / 10);
        self.remaining().is_none_or(|left| left > pause + answer)
    }

    pub(crate) fn is_over(&self, now: Instant) -> bool {
        self.at().is_some_and(|at| at <= now)
    }
}
