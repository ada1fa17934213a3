//! Which callbacks wait for a thread, and when one is called.
//!
//! A thread that is called takes one callback after the other until none waits. One thread at a time is on its way,
//! and calls the next one when it arrives and leaves others waiting: so whoever blocks holds up nobody while a
//! thread is free, and callbacks that are quick are not handed to threads that must be woken for each.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;

/// After how long another thread is called because the one before has not come: all are busy, or the system gave none.
const PATIENCE: Duration = Duration::from_millis(500);

/// A callback; returns whether it is to run again, after the others that wait.
type Turns = Box<dyn FnMut() -> bool + Send>;

/// What a thread does that was called.
type Arrival = Box<dyn FnOnce() + Send>;

pub(crate) struct CallbackThreads {
    this: Weak<Self>,
    runtime: Handle,
    /// Starts a thread or wakes one. May panic.
    start: fn(&Handle, Arrival),
    queue: Mutex<Queue>,
}

/// The threads for synchronous callbacks at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CallbackThreadsSnapshot {
    /// Those that run a callback. The others are idle, or not even started.
    pub busy: usize,
    /// How many there may be.
    pub allowed: usize,
    /// Listeners and other callbacks that wait for a thread.
    pub waiting: usize,
}

struct Queue {
    waiting: VecDeque<Turns>,
    /// How many threads are on their way.
    called: usize,
    called_at: Instant,
    /// How many threads run callbacks.
    busy: usize,
    /// How many threads there can be.
    threads: usize,
    is_closed: bool,
}

impl CallbackThreads {
    /// On the blocking threads of `runtime`, of which it allows so many.
    pub(crate) fn new(runtime: Handle, threads: usize) -> Arc<Self> {
        Self::started_by(runtime, threads, |runtime, arrival| {
            drop(runtime.spawn_blocking(arrival));
        })
    }

    fn started_by(runtime: Handle, threads: usize, start: fn(&Handle, Arrival)) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            this: Weak::clone(this),
            runtime,
            start,
            queue: Mutex::new(Queue::new(threads)),
        })
    }

    /// Has `turns` run, again and again for as long as it returns true.
    pub(crate) fn queue(&self, turns: Turns) {
        let (refused, needs_call) = {
            let mut queue = self.queue.lock();
            (queue.add(turns), queue.needs_call())
        };
        if needs_call {
            self.call();
        }
        // Not under the lock: what a callback holds may come here when it is dropped.
        drop(refused);
    }

    /// The threads at this moment.
    pub(crate) fn snapshot(&self) -> CallbackThreadsSnapshot {
        let queue = self.queue.lock();
        CallbackThreadsSnapshot {
            busy: queue.busy,
            allowed: queue.threads,
            waiting: queue.waiting.len(),
        }
    }

    /// Forgets what waits, and takes nothing any more.
    pub(crate) fn close(&self) {
        let waiting = {
            let mut queue = self.queue.lock();
            queue.is_closed = true;
            std::mem::take(&mut queue.waiting)
        };
        drop(waiting);
    }

    fn call(&self) {
        // It may never come, and then it is not to keep what waits.
        let this = Weak::clone(&self.this);
        let arrival = Box::new(move || {
            if let Some(this) = this.upgrade() {
                this.arrive();
            }
        });
        // Tokio panics if the system gives not even the first thread, and this may be an I/O thread.
        let called = catch_unwind(AssertUnwindSafe(|| (self.start)(&self.runtime, arrival)));
        if called.is_err() {
            self.call_later();
        }
    }

    /// Calls again after a while. Perhaps no other callback comes that would.
    fn call_later(&self) {
        tracing::error!("the system gives no thread for callbacks; they wait");
        let this = Weak::clone(&self.this);
        drop(self.runtime.spawn(async move {
            tokio::time::sleep(PATIENCE).await;
            if let Some(this) = this.upgrade()
                && this.queue.lock().needs_call_again()
            {
                this.call();
            }
        }));
    }

    fn arrive(&self) {
        self.queue.lock().arrived();
        while let Some(mut turns) = self.next() {
            // Whoever panics was told of it; this thread has others to run.
            let again = catch_unwind(AssertUnwindSafe(&mut turns));
            if let Ok(true) = again {
                // This thread will take it, if no other does before.
                let refused = self.queue.lock().add(turns);
                drop(refused);
            }
        }
    }

    /// What runs next, on a thread that may be kept by it: another one is called for the rest.
    fn next(&self) -> Option<Turns> {
        let (turns, needs_call) = {
            let mut queue = self.queue.lock();
            let Some(turns) = queue.waiting.pop_front() else {
                queue.left();
                return None;
            };
            (turns, queue.needs_call())
        };
        if needs_call {
            self.call();
        }
        Some(turns)
    }
}

impl Queue {
    fn new(threads: usize) -> Self {
        Self {
            waiting: VecDeque::new(),
            called: 0,
            called_at: Instant::now(),
            busy: 0,
            threads,
            is_closed: false,
        }
    }

    /// Adds `turns`, or returns it if nothing is taken any more.
    fn add(&mut self, turns: Turns) -> Option<Turns> {
        if self.is_closed {
            return Some(turns);
        }
        self.waiting.push_back(turns);
        None
    }

    /// Whether a thread is to be called, which is noted.
    fn needs_call(&mut self) -> bool {
        match self.called {
            0 => self.needs_call_again(),
            // Of more it could have no use.
            called if called >= self.threads => false,
            _ => self.called_at.elapsed() >= PATIENCE && self.needs_call_again(),
        }
    }

    /// The same, though others may be on their way.
    fn needs_call_again(&mut self) -> bool {
        if self.waiting.is_empty() {
            return false;
        }
        self.called += 1;
        self.called_at = Instant::now();
        true
    }

    fn arrived(&mut self) {
        self.called = self.called.saturating_sub(1);
        self.busy += 1;
    }

    fn left(&mut self) {
        self.busy = self.busy.saturating_sub(1);
    }
}
