//! Knowing that the code that runs is a script's callback.
//!
//! Closing, unregistering and unloading wait for running callbacks. Called from inside one they would
//! wait for themselves, or for one that waits for them, so there they do not wait at all.

use std::cell::Cell;
use std::future::poll_fn;
use std::marker::PhantomData;
use std::pin::pin;

thread_local! {
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// Whether the calling thread is running a callback of the library at this moment.
///
/// ```
/// assert!(!redis_manager_core::in_callback());
/// ```
#[must_use]
pub fn in_callback() -> bool {
    DEPTH.get() > 0
}

/// Marks the calling thread as inside a callback for as long as it lives.
#[derive(Debug)]
pub struct CallbackScope {
    // The mark belongs to one thread.
    _not_send: PhantomData<*const ()>,
}

impl CallbackScope {
    /// Begins a scope.
    #[must_use]
    #[inline]
    pub fn enter() -> Self {
        DEPTH.set(DEPTH.get() + 1);
        Self {
            _not_send: PhantomData,
        }
    }
}

impl Drop for CallbackScope {
    #[inline]
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
    }
}

/// Runs `future` so that each of its polls is inside a callback.
pub async fn as_callback<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|context| {
        let _scope = CallbackScope::enter();
        future.as_mut().poll(context)
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_lasts_as_long_as_the_scope() {
        let outer = CallbackScope::enter();
        drop(CallbackScope::enter());
        assert!(in_callback());
        drop(outer);
        assert!(!in_callback());
    }

    #[test]
    fn a_future_is_marked_while_it_is_polled() {
        let seen = pollster::block_on(as_callback(async { in_callback() }));
        assert!(seen && !in_callback());
    }
}
