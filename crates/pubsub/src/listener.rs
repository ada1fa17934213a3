//! One registered listener: its queue, and how its callback comes to run.
//!
//! Delivering only queues. The first message in an idle listener schedules a run, on a callback thread
//! or on the callback runtime; a run takes messages one at a time, so that they stay in order, and
//! after some it queues up again behind the other listeners.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use futures_util::FutureExt;
use parking_lot::Mutex;
use redis_manager_core::{CallbackScope, ClientContext, ClientEvent, as_callback};
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::callback::Callback;
use crate::message_queue::MessageQueue;
use crate::{ListenerResult, Message};

/// How many messages one run takes before other listeners have their turn.
const RUN_LENGTH: usize = 64;

pub(crate) struct Listener {
    id: u64,
    channel: Vec<u8>,
    is_async: bool,
    context: Arc<ClientContext>,
    state: Mutex<State>,
    idle: Notify,
}

struct State {
    queue: MessageQueue,
    /// False once it is unregistered: from then on no call starts.
    active: bool,
    /// A run is queued or under way.
    scheduled: bool,
    /// A run is under way; it holds the callback.
    running: bool,
    callback: Option<Callback>,
    abort: Option<AbortHandle>,
}

impl Listener {
    pub(crate) fn new(
        id: u64,
        channel: &[u8],
        callback: Callback,
        context: &Arc<ClientContext>,
    ) -> Arc<Self> {
        Arc::new(Self {
            id,
            channel: channel.to_vec(),
            is_async: matches!(callback, Callback::Async(_)),
            context: Arc::clone(context),
            state: Mutex::new(State {
                queue: MessageQueue::new(context.options()),
                active: true,
                scheduled: false,
                running: false,
                callback: Some(callback),
                abort: None,
            }),
            idle: Notify::new(),
        })
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    pub(crate) fn channel(&self) -> &[u8] {
        &self.channel
    }

    pub(crate) fn is_active(&self) -> bool {
        self.state.lock().active
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.state.lock().queue.dropped()
    }

    /// Queues `message`. Called on an I/O thread.
    pub(crate) fn deliver(self: &Arc<Self>, message: Message) {
        let (schedule, dropped_before, dropped) = {
            let mut state = self.state.lock();
            if !state.active {
                return;
            }
            let dropped_before = state.queue.dropped();
            state.queue.push(message);
            let schedule = !std::mem::replace(&mut state.scheduled, true);
            (schedule, dropped_before, state.queue.dropped())
        };
        if schedule {
            self.schedule();
        }
        // Each time the number has doubled: soon at first, and never a flood of events. One message may
        // push out several, so the number need not stop at a power of two.
        if dropped.checked_ilog2() != dropped_before.checked_ilog2() {
            self.context.emit(ClientEvent::MessagesDropped {
                channel: self.channel.clone(),
                total: dropped,
            });
        }
    }

    fn schedule(self: &Arc<Self>) {
        let listener = Arc::clone(self);
        let resources = self.context.resources();
        if self.is_async {
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
            let Some(message) = run.next() else {
                return;
            };
            if let Some(Callback::Sync(function)) = &mut run.callback {
                let outcome = catch_unwind(AssertUnwindSafe(|| function(&message)));
                run.listener.report(outcome);
            }
        }
    }

    async fn run_async(self: Arc<Self>) {
        let Some(run) = Run::begin(self) else {
            return;
        };
        for _ in 0..RUN_LENGTH {
            let Some(message) = run.next() else {
                return;
            };
            if let Some(Callback::Async(function)) = &run.callback {
                let call = as_callback(async { function(message).await });
                let outcome = AssertUnwindSafe(call).catch_unwind().await;
                run.listener.report(outcome);
            }
        }
    }

    fn report(&self, outcome: Result<ListenerResult, Box<dyn Any + Send>>) {
        let message = match outcome {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(panic) => format!("panicked: {}", panic_message(&*panic)),
        };
        self.context.emit(ClientEvent::ListenerFailed {
            channel: self.channel.clone(),
            message,
        });
    }

    /// Lets no further call start, forgets what is queued, and hands out the callback unless it is
    /// running; then it is dropped where it runs.
    pub(crate) fn deactivate(&self) -> Option<Callback> {
        let mut state = self.state.lock();
        state.active = false;
        state.queue.clear();
        state.callback.take()
    }

    /// Drops a callback, and with it what the script put into it: the script's code, which may block
    /// and may panic.
    pub(crate) fn discard(&self, callback: Callback) {
        let dropped = catch_unwind(AssertUnwindSafe(|| drop(callback)));
        self.report(dropped.map(Ok));
    }

    /// Whether no call is running and none will begin.
    pub(crate) fn is_over(&self) -> bool {
        let state = self.state.lock();
        !state.active && !state.running
    }

    /// Waits until no call is running, until `deadline`. Returns whether that is so.
    pub(crate) async fn wait_idle(&self, deadline: Instant) -> bool {
        tokio::time::timeout_at(deadline, async {
            loop {
                let idle = self.idle.notified();
                if !self.state.lock().running {
                    return;
                }
                idle.await;
            }
        })
        .await
        .is_ok()
    }

    /// Ends a running asynchronous call at its next await. A synchronous one cannot be ended.
    pub(crate) fn abort(&self) {
        if let Some(abort) = self.state.lock().abort.take() {
            abort.abort();
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

    fn next(&self) -> Option<Message> {
        let mut state = self.listener.state.lock();
        if state.active && self.listener.context.script().is_loaded() {
            state.queue.pop()
        } else {
            None
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let listener = &self.listener;
        let callback = self.callback.take();
        let (orphan, again) = {
            let mut state = listener.state.lock();
            let again =
                state.active && !state.queue.is_empty() && listener.context.script().is_loaded();
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
        if again {
            listener.schedule();
        }
    }
}

fn panic_message(panic: &(dyn Any + Send)) -> &str {
    if let Some(message) = panic.downcast_ref::<&str>() {
        message
    } else if let Some(message) = panic.downcast_ref::<String>() {
        message
    } else {
        "with a value that is no text"
    }
}
