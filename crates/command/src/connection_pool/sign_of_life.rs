//! Whether a connection that nobody has used for a while is still one.

use std::time::{Duration, Instant};

use deadpool::managed::{Metrics, RecycleError, RecycleResult};
use parking_lot::Mutex;
use redis_manager_core::{Deadline, Error, ExclusiveConnection};

/// How long ago a connection must have been used to be asked first.
const TRUSTED: Duration = Duration::from_secs(1);
/// How long it may take to answer.
const ANSWER: Duration = Duration::from_secs(1);

/// Asks the connections of one pool.
#[derive(Debug, Default)]
pub(super) struct SignOfLife {
    /// When one gave none.
    missed: Mutex<Option<Instant>>,
}

impl SignOfLife {
    /// Asks for it, if `connection` has not been used lately. One that was last used before another one was silent is not
    /// asked, and not used again: a pool has many, and each would take its time to be as silent.
    ///
    /// # Errors
    ///
    /// There is none.
    pub(super) async fn of(
        &self,
        connection: &ExclusiveConnection,
        metrics: &Metrics,
    ) -> RecycleResult<Error> {
        if metrics.last_used() <= TRUSTED {
            return Ok(());
        }
        let used = metrics.recycled.unwrap_or(metrics.created);
        if self.missed.lock().is_some_and(|missed| used < missed) {
            return Err(RecycleError::message("others are silent"));
        }
        let missing = Missing(self);
        connection.ping_async(Deadline::after(ANSWER)).await?;
        missing.has_come();
        Ok(())
    }
}

/// A sign of life that is waited for. Whoever waits may have less time than it.
struct Missing<'a>(&'a SignOfLife);

impl Missing<'_> {
    fn has_come(self) {
        std::mem::forget(self);
    }
}

impl Drop for Missing<'_> {
    fn drop(&mut self) {
        *self.0.missed.lock() = Some(Instant::now());
    }
}
