//! How messages are taken out of a listener that has no thread of its own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use parking_lot::MutexGuard;
use redis_manager_core::CallbackScope;

use super::{Listener, State};
use crate::ListenerEvent;
use crate::callback::LocalCallback;

impl Listener {
    /// Takes out the next event; `None` once nothing comes any more.
    pub(crate) fn poll_next(&self, context: &Context<'_>) -> Poll<Option<ListenerEvent>> {
        self.poll_take(context, |_| {})
    }

    /// Takes out an event that is there.
    pub(crate) fn try_next(&self) -> Option<ListenerEvent> {
        let mut state = self.state.lock();
        if self.may_call(&state) {
            state.queue.pop().map(|event| self.show(event))
        } else {
            None
        }
    }

    /// The event, as the script sees it.
    fn show(&self, event: ListenerEvent) -> ListenerEvent {
        match event {
            ListenerEvent::Message(message) if self.hidden > 0 => {
                ListenerEvent::Message(message.hiding(self.hidden))
            }
            event => event,
        }
    }

    /// Runs `callback` for the next event, on this thread, and wakes if there is another. Ready once nothing
    /// comes any more.
    pub(crate) fn poll_call(
        self: &Arc<Self>,
        context: &Context<'_>,
        callback: &mut LocalCallback,
    ) -> Poll<()> {
        let begin = |state: &mut State| {
            // Under the same lock: whoever unregisters it waits for the call, or there is none.
            state.running = true;
            self.calls.begin();
            self.watch_calls(state);
        };
        let Some(event) = ready!(self.poll_take(context, begin)) else {
            return Poll::Ready(());
        };
        let _scope = CallbackScope::enter();
        let _entered = self.span.enter();
        let outcome = catch_unwind(AssertUnwindSafe(|| callback(event)));
        self.report(outcome);
        // The callback may have waited, and used up the token that wakes this thread: an executor that parks
        // it has perhaps others to poll, who were woken meanwhile.
        std::thread::current().unpark();
        self.end_call(context);
        Poll::Pending
    }

    /// Takes out the next event, and notes that with `taken` before anything else happens to the listener.
    fn poll_take(
        &self,
        context: &Context<'_>,
        taken: impl FnOnce(&mut State),
    ) -> Poll<Option<ListenerEvent>> {
        let mut state = self.state.lock();
        if !self.may_call(&state) {
            return Poll::Ready(None);
        }
        let Some(event) = state.queue.pop() else {
            await_next(state, context);
            return Poll::Pending;
        };
        taken(&mut state);
        Poll::Ready(Some(self.show(event)))
    }

    fn end_call(&self, context: &Context<'_>) {
        let mut state = self.state.lock();
        state.running = false;
        self.calls.end();
        let waits = state.active && state.queue.is_empty();
        if waits {
            await_next(state, context);
        } else {
            drop(state);
            context.waker().wake_by_ref();
        }
        self.idle.notify_waiters();
    }
}

/// Notes who is to be woken by the next event.
fn await_next(mut state: MutexGuard<'_, State>, context: &Context<'_>) {
    let earlier = state.puller.replace(context.waker().clone());
    drop(state);
    // Not under the lock: with the last waker of a task its future may go, and with that a listener.
    drop(earlier);
}
