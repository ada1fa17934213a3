//! What wakes the loop.

use std::time::Instant;

use parking_lot::{Condvar, Mutex};

/// Rung by any thread, waited at by one. Not `thread::park`, whose one token a blocking call of a script would take.
#[derive(Debug, Default)]
pub(crate) struct Doorbell {
    is_rung: Mutex<bool>,
    rang: Condvar,
}

impl Doorbell {
    pub(crate) fn ring(&self) {
        *self.is_rung.lock() = true;
        self.rang.notify_one();
    }

    /// Waits until it has been rung since the last time, or until `deadline`.
    pub(crate) fn wait_until(&self, deadline: Instant) {
        let mut is_rung = self.is_rung.lock();
        while !*is_rung {
            if self.rang.wait_until(&mut is_rung, deadline).timed_out() {
                break;
            }
        }
        *is_rung = false;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn a_ring_is_heard_also_by_who_comes_later_and_once() {
        let bell = Arc::new(Doorbell::default());
        let began = Instant::now();
        bell.ring();
        bell.ring();
        bell.wait_until(began + LONG);
        let rings = Arc::clone(&bell);
        let other = std::thread::spawn(move || rings.ring());
        bell.wait_until(began + LONG);
        other.join().unwrap();
        assert!(began.elapsed() < LONG);
        let deadline = Instant::now() + Duration::from_millis(1);
        bell.wait_until(deadline);
        assert!(Instant::now() >= deadline);
    }
}
