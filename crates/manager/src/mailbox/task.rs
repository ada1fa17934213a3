//! One future of a mailbox.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use redis_manager_core::{CallbackScope, FailureCause};
use redis_manager_pubsub::ListenerResult;

use super::failure::{discard, run};
use super::readiness::Readiness;
use super::ready_queue::TaskId;

/// A future with its waker. It is polled and dropped as a callback, and what fails in it stays in it.
pub(super) struct Task {
    future: Pin<Box<dyn Future<Output = ListenerResult>>>,
    waker: Waker,
}

impl Task {
    pub(super) fn new(
        future: impl Future<Output = ListenerResult> + 'static,
        id: TaskId,
        readiness: &Arc<Readiness>,
    ) -> Self {
        Self {
            // A host may poll from inside a tokio task, whose cooperative budget is not renewed before the
            // poll ends: without it tokio's primitives would be woken and pending again, for ever.
            future: Box::pin(tokio::task::unconstrained(future)),
            waker: Waker::from(Arc::new(TaskWaker {
                id,
                readiness: Arc::clone(readiness),
            })),
        }
    }

    /// Polls it once. After a panic it is over.
    pub(super) fn poll(&mut self) -> Poll<Result<(), FailureCause>> {
        let _scope = CallbackScope::enter();
        let mut pending = false;
        let outcome = run(|| {
            let mut context = Context::from_waker(&self.waker);
            match self.future.as_mut().poll(&mut context) {
                Poll::Ready(outcome) => outcome,
                Poll::Pending => {
                    pending = true;
                    Ok(())
                }
            }
        });
        if pending {
            Poll::Pending
        } else {
            Poll::Ready(outcome)
        }
    }

    /// Drops it.
    pub(super) fn discard(self) -> Result<(), FailureCause> {
        let _scope = CallbackScope::enter();
        discard(self)
    }
}

/// What may be woken from any thread. It is no way to the future.
struct TaskWaker {
    id: TaskId,
    readiness: Arc<Readiness>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.readiness.wake(self.id);
    }
}
