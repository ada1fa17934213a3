//! One registered listener: its queue, and whether a call of it may start.
//!
//! Delivering only queues. What takes the messages out again depends on where the calls run: a thread or a task
//! of the callback runtime, or whoever pulls.

mod pull;
mod run;
mod turn;
mod watch;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Waker;

use parking_lot::Mutex;
use redis_manager_core::{
    Channel, ClientContext, ClientEvent, FailureCause, Gap, ListenerId, ScriptFailure, Share,
    Waiting,
};
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::Instant;
use tracing::Span;

use crate::ListenerResult;
use crate::burst::Burst;
use crate::callback::Callback;
use crate::event_queue::{EventQueue, Next, QueueLimits};
pub(crate) use turn::Turn;
use watch::Calls;

pub(crate) struct Listener {
    id: ListenerId,
    /// As the script names it.
    channel: Channel,
    /// As the server knows it.
    subscription: Channel,
    /// How many bytes of what the server knows the script does not see.
    hidden: u8,
    mode: Mode,
    wants_gaps: bool,
    context: Arc<ClientContext>,
    /// Calls run inside it.
    span: Span,
    state: Mutex<State>,
    calls: Calls,
    idle: Notify,
}

/// Where its calls run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// On a callback thread.
    Thread,
    /// As a task of the callback runtime.
    Task,
    /// Where somebody takes out what is queued.
    Pulled,
}

struct State {
    queue: EventQueue,
    /// False once it is unregistered: from then on no call starts.
    active: bool,
    /// A run is queued or under way.
    scheduled: bool,
    /// A run is under way and holds the callback, or a pulled call is.
    running: bool,
    /// A task looks after the time that calls take.
    is_watched: bool,
    callback: Option<Callback>,
    /// Its place among the listeners that the script may have.
    share: Share,
    abort: Option<AbortHandle>,
    /// Wakes who pulls.
    puller: Option<Waker>,
}

impl Listener {
    /// Makes a listener whose calls run on the callback runtime, or are pulled if there is no `callback`.
    pub(crate) fn new(
        channel: Channel,
        callback: Option<Callback>,
        limits: QueueLimits,
        wants_gaps: bool,
        context: &Arc<ClientContext>,
        share: Share,
    ) -> Arc<Self> {
        let mode = match callback {
            Some(Callback::Sync(_)) => Mode::Thread,
            Some(Callback::Async(_)) => Mode::Task,
            None => Mode::Pulled,
        };
        let subscription = context.channel_on_server(&channel);
        let prefix = subscription.name().len() - channel.name().len();
        let id = ListenerId::next();
        Arc::new(Self {
            id,
            span: span(context, &channel, id),
            channel,
            subscription,
            // No prefix is longer.
            hidden: u8::try_from(prefix).unwrap_or(u8::MAX),
            mode,
            wants_gaps,
            context: Arc::clone(context),
            state: Mutex::new(State {
                queue: EventQueue::new(limits),
                active: true,
                scheduled: false,
                running: false,
                is_watched: false,
                callback,
                share,
                abort: None,
                puller: None,
            }),
            calls: Calls::default(),
            idle: Notify::new(),
        })
    }

    pub(crate) fn id(&self) -> ListenerId {
        self.id
    }

    /// What it listens to, as the script names it.
    pub(crate) fn channel(&self) -> &Channel {
        &self.channel
    }

    /// What it listens to, as the server knows it, and the table has it under.
    pub(crate) fn subscription(&self) -> &Channel {
        &self.subscription
    }

    pub(crate) fn context(&self) -> &Arc<ClientContext> {
        &self.context
    }

    pub(crate) fn is_active(&self) -> bool {
        self.state.lock().active
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.state.lock().queue.dropped()
    }

    /// What waits to be heard.
    pub(crate) fn waiting(&self) -> Waiting {
        self.state.lock().queue.waiting()
    }

    /// Queues the messages of `burst`. Called on an I/O thread.
    pub(crate) fn deliver(self: &Arc<Self>, burst: &Burst) {
        let pushed = self.enqueue(|queue| {
            let before = queue.dropped();
            (queue.push(burst), queue.dropped() - before)
        });
        let Some((totals, dropped)) = pushed else {
            return;
        };
        self.context.note_heard(burst.messages().len());
        if dropped > 0 {
            self.context.note_dropped(dropped);
        }
        for total in totals {
            self.context.emit(ClientEvent::MessagesDropped {
                channel: self.channel.clone(),
                listener: self.id,
                total,
            });
        }
    }

    /// Queues `gap`, if it is asked for. Called on an I/O thread.
    pub(crate) fn deliver_gap(self: &Arc<Self>, mut gap: Gap) {
        if self.wants_gaps {
            gap.channel = self.channel.clone();
            self.enqueue(|queue| queue.push_gap(gap));
        }
    }

    /// Changes the queue, and sees to it that it is emptied; `None` if nothing comes any more.
    fn enqueue<T>(self: &Arc<Self>, change: impl FnOnce(&mut EventQueue) -> T) -> Option<T> {
        let (schedule, puller, changed) = {
            let mut state = self.state.lock();
            if !state.active {
                return None;
            }
            let changed = change(&mut state.queue);
            let pulled = self.mode == Mode::Pulled;
            let schedule = !pulled && !std::mem::replace(&mut state.scheduled, true);
            (schedule, state.puller.take(), changed)
        };
        if schedule {
            self.schedule();
        }
        if let Some(puller) = puller {
            puller.wake();
        }
        Some(changed)
    }

    /// What a run hears next.
    #[inline]
    fn next(&self) -> Option<Next> {
        let mut state = self.state.lock();
        if self.may_call(&state) {
            state.queue.next()
        } else {
            None
        }
    }

    /// Whether a call may start.
    fn may_call(&self, state: &State) -> bool {
        state.active && self.context.script().is_loaded()
    }

    /// Tells a failed call to the script's error sink and the client's events.
    fn report(&self, outcome: Result<ListenerResult, Box<dyn Any + Send>>) {
        let cause = match outcome {
            Ok(Ok(())) => return,
            Ok(Err(error)) => FailureCause::Error(error),
            Err(panic) => FailureCause::from_panic(&*panic),
        };
        // What an error says is the script's code.
        let message = catch_unwind(AssertUnwindSafe(|| cause.to_string()));
        self.context.emit(ClientEvent::ListenerFailed {
            channel: self.channel.clone(),
            listener: self.id,
            message: message.unwrap_or_else(|panic| FailureCause::from_panic(&*panic).to_string()),
        });
        let script = self.context.script();
        let failure = ScriptFailure::new(script, cause)
            .with_client(self.context.client_id())
            .with_listener(self.id)
            .with_channel(&self.channel);
        script.report_failure(failure);
    }

    /// Lets no further call start, forgets what is queued, and hands out the callback unless it is
    /// running; then it is dropped where it runs.
    pub(crate) fn deactivate(&self) -> Option<Callback> {
        let (puller, callback) = {
            let mut state = self.state.lock();
            state.active = false;
            state.queue.clear();
            state.share = Share::default();
            (state.puller.take(), state.callback.take())
        };
        // It is to see that nothing comes any more.
        if let Some(puller) = puller {
            puller.wake();
        }
        callback
    }

    /// Drops a callback, and with it what the script put into it: the script's code, which may block
    /// and may panic.
    pub(crate) fn discard<C>(&self, callback: C) {
        let _entered = self.span.enter();
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
        self.wait_until(deadline, |state| !state.running).await
    }

    /// Waits until all that is queued was heard, until `deadline`. Returns whether that is so; of one whose messages are
    /// pulled at once, because that is up to others.
    pub(crate) async fn wait_heard(&self, deadline: Instant) -> bool {
        self.mode == Mode::Pulled || self.wait_until(deadline, |state| !state.scheduled).await
    }

    async fn wait_until(&self, deadline: Instant, is_reached: impl Fn(&State) -> bool) -> bool {
        tokio::time::timeout_at(deadline, async {
            loop {
                let idle = self.idle.notified();
                if is_reached(&self.state.lock()) {
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

/// That of a listener; where nobody wants so much, that of its client.
fn span(context: &ClientContext, channel: &Channel, id: ListenerId) -> Span {
    let client = context.span();
    let span = tracing::debug_span!(parent: client, "listener", %channel, listener = %id);
    if span.is_disabled() {
        client.clone()
    } else {
        span
    }
}
