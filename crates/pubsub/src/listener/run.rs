//! How a callback comes to run on the callback runtime.
//!
//! The first message in an idle listener schedules runs, on callback threads or in a task; a run takes messages one at
//! a time, so that they stay in order, and after some it queues up again behind the other listeners.

use std::sync::Arc;

use redis_manager_core::CallbackScope;
use tracing::Instrument;

use super::turn::Turn;
use super::{Listener, Mode};
use crate::callback::Callback;

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
            let script = self.context.script();
            script.spawn_sync_turns(resources, move || listener.run_sync());
        }
    }

    /// Runs once, and returns whether it is to run again.
    fn run_sync(self: &Arc<Self>) -> bool {
        let _scope = CallbackScope::enter();
        let Some(mut run) = Run::begin(self) else {
            return false;
        };
        if let Some(Callback::Sync(callback)) = &mut run.callback {
            let _entered = self.span.enter();
            callback.run(&mut Turn::new(&run.listener));
        }
        run.end()
    }

    async fn run_async(self: Arc<Self>) {
        while let Some(run) = Run::begin(&self) {
            if let Some(Callback::Async(callback)) = &run.callback {
                let calls = callback.run(Turn::new(&run.listener));
                calls.instrument(self.span.clone()).await;
            }
            if !run.end() {
                return;
            }
            tokio::task::yield_now().await;
        }
    }
}

/// A run under way. However it ends, a panic or an abort included, the listener is left in order.
struct Run {
    listener: Arc<Listener>,
    callback: Option<Callback>,
    has_ended: bool,
}

impl Run {
    fn begin(listener: &Arc<Listener>) -> Option<Self> {
        let callback = {
            let mut state = listener.state.lock();
            let callback = state.callback.take();
            state.running = callback.is_some();
            if state.running {
                listener.watch_calls(&mut state);
            }
            callback
        };
        // Without a callback it was unregistered before its turn came.
        callback.map(|callback| Self {
            listener: Arc::clone(listener),
            callback: Some(callback),
            has_ended: false,
        })
    }

    /// Ends it, and returns whether another is to follow.
    fn end(mut self) -> bool {
        self.has_ended = true;
        self.leave()
    }

    fn leave(&mut self) -> bool {
        let listener = &self.listener;
        let callback = self.callback.take();
        listener.calls.end();
        let (orphan, again) = {
            let mut state = listener.state.lock();
            let again = listener.may_call(&state) && !state.queue.is_empty();
            state.scheduled = again;
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
        again
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if !self.has_ended && self.leave() {
            self.listener.schedule();
        }
    }
}
