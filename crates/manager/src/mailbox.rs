//! Host delivery: what a script waits for, run on a thread of the host's choice.

mod budget;
mod failure;
mod listening;
mod polled;
mod readiness;
mod ready_queue;
mod script_future;
mod task;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use redis_manager_core::{CallbackScope, ClientResources, Error, ErrorKind, Result, ScriptHandle};
use redis_manager_pubsub::ListenerResult;
use tokio_util::task::AbortOnDropHandle;

pub use budget::Budget;
pub use polled::Polled;
pub use script_future::ScriptFuture;

use failure::{discard, report_if_failed};
use readiness::{EndNotice, Readiness};
use ready_queue::{ReadyQueue, TaskId};
use task::Task;

/// Runs what a script waits for on a thread of the host's choice, when the host says so. For engines
/// whose values are not `Send`: Lua, Rhai, Python.
///
/// Listeners run on threads of the library otherwise, and so must be `Send`. What is
/// [registered](Self::register_listener) or [spawned](Self::spawn) here need not be: it may hold an `Rc`, or a
/// function of the engine, and runs only inside [`poll`](Self::poll), on the thread that the mailbox was made on.
/// A game loop polls in each tick, with a [`Budget`], so that a flood of messages costs it no frame:
///
/// ```no_run
/// use std::{cell::Cell, rc::Rc};
/// use redis_manager::prelude::*;
///
/// # fn next_tick() -> bool { false }
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let manager = RedisManager::new()?;
/// let script = manager.load_script("economy")?;
/// let client = manager.open::<RedisCommandClient>(&script, ("localhost", 6379))?;
/// let pubsub = manager.open::<RedisPubSubClient>(&script, ("localhost", 6379))?;
/// let mailbox = manager.mailbox(&script)?;
///
/// let balance = Rc::new(Cell::new(0));
/// let shown = Rc::clone(&balance);
/// mailbox.spawn(async move {
///     shown.set(client.async_commands().get("balance:alice").await?);
///     Ok(())
/// })?;
///
/// let changed = Rc::clone(&balance);
/// mailbox.register_listener(&pubsub, "balance:alice", move |message: &Message| {
///     changed.set(message.payload_as()?);
///     Ok(())
/// })?;
///
/// while next_tick() {
///     // … the game …
///     mailbox.poll(Duration::from_millis(2));
///     println!("alice has {}", balance.get());
/// }
///
/// mailbox.close();                                        // drops what the script has in it
/// let report = manager.unload_script(&script);
/// # Ok(()) }
/// ```
///
/// A loop that sleeps while there is nothing to do is woken through [`on_ready`](Self::on_ready).
///
/// **Tasks.** A task is a future; a listener is one too, which takes one message a call. Whenever it is ready it is polled once, and then those that became
/// ready before it was woken again have their turn. Its error, or its panic, ends it, goes to the script's
/// [`ErrorSink`](crate::ErrorSink), and touches no other; a listener goes on. A task runs as a callback does:
/// closing, unregistering and unloading do not wait inside it. It may block, and then holds up the host.
///
/// **Unloading.** Once the script is unloaded no call of a task starts: a call under way ends, and
/// nothing follows. The tasks, and what they hold, are dropped on the mailbox's thread: by the next
/// poll, which the hook of `on_ready` asks for, or when a clone of the mailbox is dropped.
///
/// A host that polls on the thread that unloads does best to [`close`](Self::close) the mailbox first: a task
/// that waits in a call could go on nowhere else, and the unloading would wait for it in vain.
///
/// A clone is the same mailbox. A task may hold one, and spawn into it while it is polled; then the
/// mailbox lives as long as that task, also if the host has dropped its own. So a host that gives up a mailbox
/// before it unloads the script closes it.
#[derive(Clone)]
pub struct Mailbox(Rc<Inner>);

struct Inner {
    script: ScriptHandle,
    /// All but the one that is being polled. Never borrowed while code of the script runs.
    tasks: RefCell<BTreeMap<TaskId, Task>>,
    readiness: Arc<Readiness>,
    /// Held by each task of a script's asynchronous call, and by nobody else.
    calls: Rc<()>,
    /// Waits for the unloading on the I/O runtime, whose wakers run outside the manager's locks.
    _watch: AbortOnDropHandle<()>,
}

impl Mailbox {
    pub(crate) fn new(script: &ScriptHandle, resources: &ClientResources) -> Result<Self> {
        let readiness = Readiness::new(script);
        let watched = script.clone();
        // Unloading waits for the pass: when it returns, the hook has been called.
        let pass = script.gate().pass()?;
        let notice = EndNotice(Arc::clone(&readiness));
        let watch = resources.spawn(async move {
            let _pass = pass;
            // Dropped before the pass, also if the runtime ends before the script.
            let _notice = notice;
            watched.gate().shut_async().await;
        });
        Ok(Self(Rc::new(Inner {
            script: script.clone(),
            tasks: RefCell::default(),
            readiness,
            calls: Rc::default(),
            _watch: AbortOnDropHandle::new(watch),
        })))
    }

    /// The script that it delivers to.
    #[must_use]
    pub fn script(&self) -> &ScriptHandle {
        &self.0.script
    }

    /// Adds `future` as a task, to be polled by [`poll`](Self::poll) and never in here. Does not block.
    ///
    /// This is how the outcome of an asynchronous call comes to a single-threaded engine:
    ///
    /// ```no_run
    /// # use std::{cell::Cell, rc::Rc};
    /// # use redis_manager::prelude::*;
    /// # fn example(mailbox: Mailbox, client: RedisPubSubClient) -> redis_manager::Result<()> {
    /// let receivers = Rc::new(Cell::new(None));
    /// let seen = Rc::clone(&receivers);
    /// mailbox.spawn(async move {
    ///     seen.set(Some(client.publish_async("global", "hello").await?));
    ///     Ok(())
    /// })?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// `future` is dropped, unpolled, and the error is
    /// [`ScriptUnloaded`](ErrorKind::ScriptUnloaded) if the script was unloaded,
    /// [`Closed`](ErrorKind::Closed) if the mailbox is closed.
    pub fn spawn(&self, future: impl Future<Output = ListenerResult> + 'static) -> Result<()> {
        let refusal = if self.0.script.is_loaded() {
            match self.0.readiness.with(ReadyQueue::add) {
                Some(id) => {
                    let task = Task::new(future, id, &self.0.readiness);
                    self.0.tasks.borrow_mut().insert(id, task);
                    self.0.readiness.wake(id);
                    return Ok(());
                }
                None => Error::new(ErrorKind::Closed, "the mailbox is closed"),
            }
        } else {
            self.0.script.gate().refusal()
        };
        let _scope = CallbackScope::enter();
        report_if_failed(&self.0.script, discard(future));
        Err(refusal)
    }

    /// Runs what is ready on the calling thread, one call of one task at a time, until nothing is ready
    /// or `budget` is spent: a number of calls, a [`Duration`](std::time::Duration), or a [`Budget`].
    /// Blocks for as long as the tasks take.
    ///
    /// What becomes ready meanwhile is served too, in its turn. What the budget does not suffice for
    /// waits for the next poll. Inside a call of a task of the same mailbox it does nothing, and says so
    /// with 0 calls.
    ///
    /// ```
    /// # use redis_manager::prelude::*;
    /// # let manager = RedisManager::new()?;
    /// # let mailbox = manager.mailbox(&manager.load_script("economy")?)?;
    /// for _ in 0..3 {
    ///     mailbox.spawn(async { Ok(()) })?;
    /// }
    /// let polled = mailbox.poll(2);
    /// assert_eq!((polled.calls(), polled.is_more_ready()), (2, true));
    /// # Ok::<(), redis_manager::Error>(())
    /// ```
    pub fn poll(&self, budget: impl Into<Budget>) -> Polled {
        let budget = budget.into();
        let began = Instant::now();
        let Some((guard, ready)) = self.0.readiness.begin_poll() else {
            return Polled::default();
        };
        let budget = budget.with_ready(ready);
        let mut calls = 0;
        loop {
            if !self.0.script.is_loaded() {
                self.0.close();
                break;
            }
            if !budget.allows(calls, || began.elapsed()) {
                break;
            }
            let Some(id) = self.0.readiness.with(ReadyQueue::next) else {
                break;
            };
            self.0.run(id);
            calls += 1;
        }
        drop(guard);
        Polled::new(calls, self.0.readiness.with(|queue| queue.is_ready()))
    }

    /// Has `hook` called when the mailbox should be polled: when something becomes ready and nothing was,
    /// and at the end of a poll that left something ready. If something is ready already, it is
    /// called at once. It replaces an earlier hook.
    ///
    /// It is called on any thread, those of the library that drive I/O included, so it must not block, nor
    /// call this library: it wakes the host's loop and returns. A panic in it is reported.
    ///
    /// ```
    /// # use redis_manager::prelude::*;
    /// # let manager = RedisManager::new()?;
    /// # let mailbox = manager.mailbox(&manager.load_script("economy")?)?;
    /// let host = std::thread::current();
    /// mailbox.on_ready(move || host.unpark());
    /// mailbox.spawn(async { Ok(()) })?;
    /// std::thread::park();                                    // returns, because a task is ready
    /// mailbox.poll(Budget::round());
    /// # Ok::<(), redis_manager::Error>(())
    /// ```
    pub fn on_ready(&self, hook: impl Fn() + Send + Sync + 'static) {
        self.0.readiness.set_hook(Arc::new(hook));
    }

    /// How many tasks there are: those that wait, are ready, or run at this moment.
    #[must_use]
    pub fn tasks(&self) -> usize {
        self.0.readiness.with(|queue| queue.len())
    }

    /// How many asynchronous [calls](Self::call) of the script, and functions that wait for one
    /// ([`ScriptFuture::then`]), have not ended. A host that lets a script leave polls until there is none, or until it
    /// has waited long enough: [`close`](Self::close) drops them, and a call that was not sent yet never is.
    ///
    /// ```
    /// # use redis_manager::prelude::*;
    /// # use redis_manager::ScriptValue;
    /// # let manager = RedisManager::new()?;
    /// # let mailbox = manager.mailbox(&manager.load_script("economy")?)?;
    /// mailbox.call(async { Ok(ScriptValue::Nil) })?;
    /// assert_eq!(mailbox.unfinished_calls(), 1);
    /// mailbox.poll(Budget::round());
    /// assert_eq!(mailbox.unfinished_calls(), 0);
    /// # Ok::<(), redis_manager::Error>(())
    /// ```
    #[must_use]
    pub fn unfinished_calls(&self) -> usize {
        Rc::strong_count(&self.0.calls) - 1
    }

    /// Ends the mailbox: drops every task and the hook, here and now, and takes none any more. Inside a
    /// task, that one is dropped when its call is over. Does not block; closing again does nothing.
    ///
    /// Unloading the script does this too, by the next poll.
    pub fn close(&self) {
        self.0.close();
    }
}

impl Inner {
    /// Polls a task once. It is out of the table meanwhile, which the task may change.
    fn run(&self, id: TaskId) {
        let Some(mut task) = self.tasks.borrow_mut().remove(&id) else {
            return;
        };
        let polled = task.poll();
        if polled.is_pending() && self.readiness.with(|queue| queue.suspend(id)) {
            self.tasks.borrow_mut().insert(id, task);
            return;
        }
        self.readiness.with(|queue| queue.finish(id));
        if let Poll::Ready(outcome) = polled {
            report_if_failed(&self.script, outcome);
        }
        report_if_failed(&self.script, task.discard());
    }

    fn close(&self) {
        self.readiness.close();
        let tasks = self.tasks.take();
        for task in tasks.into_values() {
            report_if_failed(&self.script, task.discard());
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.close();
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        // A task that holds a clone keeps the tasks alive, itself among them. Nobody may come to poll
        // them away any more.
        if !self.0.script.is_loaded() {
            self.0.close();
        }
    }
}

impl fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailbox")
            .field("script", &self.0.script)
            .field("tasks", &self.tasks())
            .finish_non_exhaustive()
    }
}
