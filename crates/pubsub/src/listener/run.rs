//! How a callback comes to run on the callback runtime.
//!
//! The first message in an idle listener schedules a run, on a callback thread or as a task; a run takes messages
//! one at a time, so that they stay in order, and after some it queues up again behind the other listeners.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use futures_util::FutureExt;
use redis_manager_core::{CallbackScope, as_callback};

use super::{Listener, Mode};
use crate::ListenerEvent;
use crate::callback::Callback;

/// How many messages one run takes before other listeners have their turn.
const RUN_LENGTH: usize = 64;

impl Listener {
    pub(super) fn schedule(self: &Arc<Self>) {
        let listener = Arc::clone(self);
        let resources = self.context.resources();
        if self.mode == Mode::Task {
            // Locked before the run can begin: if it ends at once and another follows, that one's handle
            // is noted after this one's.
            let mut state = self.state.lock();
            let run = resources.spawn_async_callback(listener.run_async());
            state.abort = Some(run.abort_handle());
        } else {
            resources.spawn_sync_callback(move || listener.run_sync());
        }
    }

    fn run_sync(self: Arc<Self>) {
        let _scope = CallbackScope::enter();
        let Some(mut run) = Run::begin(self) else {
            return;
        };
        for _ in 0..RUN_LENGTH {
            let Some(event) = run.next() else {
                return;
            };
            if let Some(Callback::Sync(function)) = &mut run.callback {
                let outcome = catch_unwind(AssertUnwindSafe(|| function(event)));
                run.listener.report(outcome);
            }
        }
    }

    async fn run_async(self: Arc<Self>) {
        let Some(run) = Run::begin(self) else {
            return;
        };
        for _ in 0..RUN_LENGTH {
            let Some(event) = run.next() else {
                return;
            };
            if let Some(Callback::Async(function)) = &run.callback {
                let call = as_callback(async { function(event).await });
                let outcome = AssertUnwindSafe(call).catch_unwind().await;
                run.listener.report(outcome);
            }
        }
    }
}

/// A run under way. However it ends, a panic or an abort included, the listener is left in order.
struct Run {
    listener: Arc<Listener>,
    callback: Option<Callback>,
}

impl Run {
    fn begin(listener: Arc<Listener>) -> Option<Self> {
        let callback = {
            let mut state = listener.state.lock();
            let callback = state.callback.take();
            state.running = callback.is_some();
            callback
        };
        // Without a callback it was unregistered before its turn came.
        callback.map(|callback| Self {
            listener,
            callback: Some(callback),
        })
    }

    fn next(&self) -> Option<ListenerEvent> {
        let mut state = self.listener.state.lock();
        if !self.listener.may_call(&state) {
            return None;
        }
        let event = state.queue.pop()?;
        self.listener.note_call(&mut state);
        Some(event)
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let listener = &self.listener;
        let callback = self.callback.take();
        let (orphan, again) = {
            let mut state = listener.state.lock();
            let again = listener.may_call(&state) && !state.queue.is_empty();
            state.scheduled = again;
            state.call_began = None;
            if state.active {
                state.callback = callback;
                // Under the same lock: once it is released, the next run may begin.
                state.running = false;
                (None, again)
            } else {
                (callback, again)
            }
        };
        if let Some(callback) = orphan {
            // Outside the lock, and as a callback: its drop is a script's code. And before the listener
            // counts as idle, so that whoever waits for that finds nothing of it left.
            let scope = CallbackScope::enter();
            listener.discard(callback);
            drop(scope);
            listener.state.lock().running = false;
        }
        listener.idle.notify_waiters();
        if again {
            listener.schedule();
        }
    }
}
