//! A question that many have at the same time.

use std::time::Instant;

use tokio::sync::Mutex;

/// The last answer, and when it came. Of all who want one at the same time, one asks: a thousand clients lose their master
/// at the same moment.
#[derive(Debug)]
pub(super) struct SharedAnswer<T>(Mutex<Option<(Instant, T)>>);

impl<T: Clone> SharedAnswer<T> {
    pub(super) fn new() -> Self {
        Self(Mutex::new(None))
    }

    /// Completes with an answer that comes from now on: that of whoever asks already, or that of `ask`.
    pub(super) async fn get(&self, ask: impl Future<Output = T>) -> T {
        let wanted = Instant::now();
        let mut last = self.0.lock().await;
        if let Some((came, answer)) = &*last
            && *came >= wanted
        {
            return answer.clone();
        }
        let answer = ask.await;
        *last = Some((Instant::now(), answer.clone()));
        answer
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::FutureExt;
    use futures_util::future::join_all;

    use super::*;

    #[tokio::test]
    async fn many_who_want_it_at_the_same_time_ask_once_and_who_comes_later_asks_again() {
        let (shared, asked) = (SharedAnswer::new(), AtomicUsize::new(0));
        let ask = async || {
            tokio::task::yield_now().await;
            asked.fetch_add(1, Ordering::Relaxed) + 1
        };
        let all = join_all((0..100).map(|_| shared.get(ask()))).await;
        assert_eq!(all, [1; 100]);
        assert_eq!(shared.get(ask()).await, 2);
    }

    #[tokio::test]
    async fn if_who_asks_waits_no_more_the_next_one_asks() {
        let shared = SharedAnswer::new();
        let mut first = Box::pin(shared.get(std::future::pending()));
        assert!(first.as_mut().now_or_never().is_none());
        let mut second = Box::pin(shared.get(async { 2 }));
        assert!(second.as_mut().now_or_never().is_none());
        drop(first);
        assert_eq!(second.await, 2);
    }
}
