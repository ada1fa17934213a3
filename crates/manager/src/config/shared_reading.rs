//! What is read by one thread at a time, for all who ask.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::Mutex;
use tokio::task::{JoinError, spawn_blocking};

/// By one at a time, because reading cannot be called off, and a file may never answer. Whoever waits for a turn takes what
/// another has read that began later than it asked: so many wait for two readings at most, however slow a drive is.
pub(super) struct SharedReading<T>(Arc<Mutex<Option<Outcome<T>>>>);

struct Outcome<T> {
    began: Instant,
    value: T,
}

impl<T: Clone + Send + 'static> SharedReading<T> {
    /// What `read` returns, or another call that began meanwhile. Must be polled on a tokio runtime.
    ///
    /// # Errors
    ///
    /// If `read` panics, or the runtime ends.
    pub(super) async fn get(
        &self,
        read: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, JoinError> {
        let asked = Instant::now();
        let mut last = Arc::clone(&self.0).lock_owned().await;
        if let Some(last) = last.as_ref().filter(|last| last.began >= asked) {
            return Ok(last.value.clone());
        }
        let reading = spawn_blocking(move || {
            let began = Instant::now();
            let value = read();
            *last = Some(Outcome {
                began,
                value: value.clone(),
            });
            value
        });
        reading.await
    }
}

impl<T> Default for SharedReading<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

/// It may be a password.
impl<T> fmt::Debug for SharedReading<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedReading")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use futures_util::future::join_all;

    use super::*;

    #[tokio::test]
    async fn many_who_ask_at_once_wait_for_two_readings_and_who_asks_later_has_its_own() {
        let (reading, readings) = (SharedReading::default(), Arc::new(AtomicUsize::new(0)));
        let (begin, begun) = mpsc::channel();
        let (go_on, goes_on) = mpsc::channel::<()>();
        let first = reading.get(move || {
            begin.send(()).unwrap();
            let _ = goes_on.recv();
            0
        });
        tokio::pin!(first);
        assert!(futures_util::poll!(&mut first).is_pending());
        begun.recv().unwrap();
        let others = join_all((0..100).map(|_| {
            let readings = Arc::clone(&readings);
            reading.get(move || readings.fetch_add(1, Ordering::Relaxed) + 1)
        }));
        tokio::pin!(others);
        assert!(futures_util::poll!(&mut others).is_pending());
        go_on.send(()).unwrap();
        let (first, others) = tokio::join!(first, others);
        assert_eq!(first.unwrap(), 0);
        assert!(others.into_iter().all(|other| other.unwrap() == 1));
        assert_eq!(reading.get(|| 7).await.unwrap(), 7);
    }

    #[tokio::test]
    async fn who_gives_up_leaves_no_second_thread_behind() {
        let reading = SharedReading::default();
        let (go_on, goes_on) = mpsc::channel::<()>();
        let first = reading.get(move || {
            let _ = goes_on.recv();
            1
        });
        tokio::pin!(first);
        assert!(futures_util::poll!(&mut first).is_pending());
        for _ in 0..100 {
            let next = reading.get(|| panic!("another one reads"));
            tokio::pin!(next);
            assert!(futures_util::poll!(&mut next).is_pending());
        }
        go_on.send(()).unwrap();
        assert_eq!(first.await.unwrap(), 1);
    }

    #[test]
    fn nothing_of_what_was_read_is_shown() {
        assert_eq!(
            format!("{:?}", SharedReading::<String>::default()),
            "SharedReading"
        );
    }
}
