//! How long to wait before the next try to connect.

use std::time::Duration;

/// The bound of the first delay.
const FIRST: Duration = Duration::from_millis(10);

/// Delays that grow from try to try, and are random, so that many clients that lost the same server do
/// not come back all at once: "full jitter", uniformly from 0 to a bound that doubles from 10 ms on.
///
/// ```
/// use redis_manager_core::Backoff;
/// use std::time::Duration;
///
/// let mut backoff = Backoff::new(Duration::from_secs(2));
/// assert!(backoff.next_delay() <= Duration::from_millis(10));
/// assert!(backoff.next_delay() <= Duration::from_millis(20));
/// ```
#[derive(Debug)]
pub struct Backoff {
    bound: Duration,
    max: Duration,
}

impl Backoff {
    /// `max` is what the bound grows to.
    #[must_use]
    pub fn new(max: Duration) -> Self {
        Self {
            bound: FIRST.min(max),
            max,
        }
    }

    /// How long to wait this time.
    pub fn next_delay(&mut self) -> Duration {
        let bound = self.bound;
        self.bound = bound.saturating_mul(2).min(self.max);
        bound.mul_f64(fastrand::f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_random_below_a_bound_that_doubles_up_to_the_limit() {
        let mut largest = [Duration::ZERO; 4];
        for _ in 0..200 {
            let mut backoff = Backoff::new(Duration::from_millis(35));
            for (index, bound) in [10, 20, 35, 35].into_iter().enumerate() {
                let delay = backoff.next_delay();
                assert!(delay <= Duration::from_millis(bound));
                largest[index] = largest[index].max(delay);
            }
        }
        // 200 draws stay below half of their bound once in 2^200.
        assert!(largest[0] > Duration::from_millis(5) && largest[2] > Duration::from_millis(17));
    }
}
