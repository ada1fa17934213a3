//! How a blocking call waits.

use std::cell::Cell;
use std::sync::Once;

use crate::{Delivery, Error, ErrorKind, Result, in_callback};

thread_local! {
    static IS_IO_THREAD: Cell<bool> = const { Cell::new(false) };
}

/// Marks the calling thread as one that drives I/O, where nothing may block.
pub(crate) fn mark_io_thread() {
    IS_IO_THREAD.set(true);
}

/// Whether the calling thread is one of those.
pub(crate) fn is_io_thread() -> bool {
    IS_IO_THREAD.get()
}

/// Parks the calling thread until `future` completes.
///
/// Every blocking method is this on its asynchronous twin. It needs no runtime on the calling thread
/// and uses none that is there, so it works on plain threads, on the workers of any tokio runtime, in
/// callbacks and in `Drop`. Inside a tokio task, where it holds up the task's worker, it warns once per
/// process through `tracing`.
///
/// # Errors
///
/// [`ErrorKind::WouldDeadlock`] on an I/O thread of the library, which would wait for itself.
///
/// ```
/// assert_eq!(redis_manager_core::wait(async { 1 + 1 })?, 2);
/// # Ok::<(), redis_manager_core::Error>(())
/// ```
pub fn wait<F: Future>(future: F) -> Result<F::Output> {
    if IS_IO_THREAD.get() {
        return Err(Error::new(
            ErrorKind::WouldDeadlock,
            "a blocking call on an I/O thread of the library can never return; use its `_async` twin",
        )
        .with_delivery(Delivery::NotSent));
    }
    warn_in_task();
    // A blocking call may be made from a task that has used up its cooperative budget; tokio's
    // primitives would then stay pending for ever, because only the parked task could renew it.
    let output = pollster::block_on(tokio::task::unconstrained(future));
    // A thread has one token to be woken by, and waiting here has used it up. An executor that runs this call
    // and parks its thread as well was perhaps to be woken meanwhile; one wake-up too many does no harm.
    std::thread::current().unpark();
    Ok(output)
}

fn warn_in_task() {
    static WARNED: Once = Once::new();
    // Callback threads are there to be blocked.
    if !in_callback() && tokio::task::try_id().is_some() {
        WARNED.call_once(|| {
            tracing::warn!(
                "a blocking call was made inside a tokio task and holds up its worker thread; \
                 the `_async` twin does not"
            );
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_io_thread_is_refused() {
        let refused = std::thread::spawn(|| {
            mark_io_thread();
            wait(async {}).map_err(|error| error.kind())
        });
        assert_eq!(refused.join().unwrap(), Err(ErrorKind::WouldDeadlock));
    }

    #[test]
    fn a_task_without_budget_left_is_not_stuck() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(async {
            tokio::spawn(async {
                // Far more than the 128 operations that tokio grants a task between two polls.
                for _ in 0..1_000 {
                    let (sender, receiver) = tokio::sync::oneshot::channel();
                    sender.send(()).unwrap();
                    wait(receiver).unwrap().unwrap();
                }
            })
            .await
            .unwrap();
        });
    }
}
