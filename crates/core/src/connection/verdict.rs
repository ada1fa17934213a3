//! Where the verdict on a request is left for its caller.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;

use super::reply::Reply;
use crate::{Error, ErrorKind, Result};

/// Makes both ends of a place for one verdict.
pub(super) fn verdict() -> (Waiter, Verdict) {
    let slot = Arc::new(Mutex::new(Slot::Empty(None)));
    (Waiter(Some(Arc::clone(&slot))), Verdict(Some(slot)))
}

#[derive(Debug)]
enum Slot {
    /// Perhaps somebody is to be woken.
    Empty(Option<Waker>),
    Full(Result<Reply>),
}

/// The end of the request. Whoever has it owes the verdict.
#[derive(Debug)]
pub(super) struct Waiter(Option<Arc<Mutex<Slot>>>);

impl Waiter {
    /// Whether the caller is there still.
    pub(super) fn is_awaited(&self) -> bool {
        self.0
            .as_ref()
            .is_some_and(|slot| Arc::strong_count(slot) > 1)
    }

    /// Leaves the verdict, and returns who is to be woken: not here, because waking may run code of others.
    pub(super) fn settle(mut self, verdict: Result<Reply>) -> Option<Waker> {
        self.leave(verdict)
    }

    fn leave(&mut self, verdict: Result<Reply>) -> Option<Waker> {
        let slot = self.0.take()?;
        let before = std::mem::replace(&mut *slot.lock(), Slot::Full(verdict));
        match before {
            Slot::Empty(waker) => waker,
            Slot::Full(_) => None,
        }
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        // Every request gets its verdict, so this is never seen.
        let forgotten = || Error::new(ErrorKind::Internal, "the request got no verdict");
        if self.0.is_some()
            && let Some(waker) = self.leave(Err(forgotten()))
        {
            waker.wake();
        }
    }
}

/// The end of the caller: a future of the verdict.
#[derive(Debug)]
pub(super) struct Verdict(Option<Arc<Mutex<Slot>>>);

#[cfg(test)]
impl Verdict {
    /// Takes it out, if it is there.
    pub(super) fn try_take(&mut self) -> Option<Result<Reply>> {
        let mut context = Context::from_waker(Waker::noop());
        match Pin::new(self).poll(&mut context) {
            Poll::Ready(verdict) => Some(verdict),
            Poll::Pending => None,
        }
    }
}

impl Future for Verdict {
    type Output = Result<Reply>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(slot) = &self.0 else {
            return Poll::Pending;
        };
        let mut content = slot.lock();
        if let Slot::Empty(waker) = &mut *content {
            match waker {
                Some(waker) => waker.clone_from(context.waker()),
                None => *waker = Some(context.waker().clone()),
            }
            return Poll::Pending;
        }
        let full = std::mem::replace(&mut *content, Slot::Empty(None));
        drop(content);
        self.0 = None;
        match full {
            Slot::Full(verdict) => Poll::Ready(verdict),
            Slot::Empty(_) => Poll::Pending,
        }
    }
}

impl Drop for Verdict {
    fn drop(&mut self) {
        // The request may outlive its caller, whose waker is to go with it.
        let waker = self.0.take().and_then(|slot| match &mut *slot.lock() {
            Slot::Empty(waker) => waker.take(),
            Slot::Full(_) => None,
        });
        // Not under the lock: it may be the last of its task.
        drop(waker);
    }
}
