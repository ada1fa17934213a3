//! What a mailbox shares with the threads that wake its tasks.

use std::sync::Arc;

use parking_lot::Mutex;
use redis_manager_core::ScriptHandle;

use super::failure::{discard, report_if_failed, run};
use super::ready_queue::{ReadyQueue, TaskId};

pub(super) type Hook = Arc<dyn Fn() + Send + Sync>;

/// The ready queue behind its lock, and whom to tell when something becomes ready. It holds no future:
/// those never leave the mailbox's thread.
pub(super) struct Readiness {
    script: ScriptHandle,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    queue: ReadyQueue,
    hook: Option<Hook>,
}

impl Readiness {
    pub(super) fn new(script: &ScriptHandle) -> Arc<Self> {
        Arc::new(Self {
            script: script.clone(),
            state: Mutex::default(),
        })
    }

    /// Looks at the queue, or changes it in a way that makes nothing ready.
    pub(super) fn with<T>(&self, change: impl FnOnce(&mut ReadyQueue) -> T) -> T {
        change(&mut self.state.lock().queue)
    }

    /// Makes a task ready. From any thread.
    pub(super) fn wake(&self, id: TaskId) {
        self.tell_if(|queue| queue.wake(id));
    }

    /// Begins a poll; `None` inside another one. Returns how many tasks are ready, too.
    pub(super) fn begin_poll(&self) -> Option<(PollGuard<'_>, usize)> {
        let ready = self.with(ReadyQueue::begin_poll)?;
        Some((PollGuard(self), ready))
    }

    /// Replaces the hook, and calls it if there is something to tell already.
    pub(super) fn set_hook(&self, hook: Hook) {
        let refused_or_earlier = {
            let mut state = self.state.lock();
            if state.queue.is_closed() {
                Some(hook)
            } else {
                state.hook.replace(hook)
            }
        };
        self.discard(refused_or_earlier);
        self.tell_if(|queue| queue.is_ready() && !queue.is_polling());
    }

    /// Forgets every task and the hook, and takes none any more.
    pub(super) fn close(&self) {
        let hook = {
            let mut state = self.state.lock();
            state.queue.close();
            state.hook.take()
        };
        self.discard(hook);
    }

    fn tell_if(&self, change: impl FnOnce(&mut ReadyQueue) -> bool) {
        // Called outside the lock: the hook is the host's code.
        let hook = {
            let mut state = self.state.lock();
            let tell = change(&mut state.queue);
            if tell { state.hook.clone() } else { None }
        };
        if let Some(hook) = hook {
            let outcome = run(|| {
                hook();
                Ok(())
            });
            report_if_failed(&self.script, outcome);
            self.discard(Some(hook));
        }
    }

    /// Drops a hook, which may be the last reference to what the host put into it.
    fn discard(&self, hook: Option<Hook>) {
        report_if_failed(&self.script, discard(hook));
    }
}

/// A poll under way. However it ends, the next one may begin, and what it left ready is told.
pub(super) struct PollGuard<'a>(&'a Readiness);

impl Drop for PollGuard<'_> {
    fn drop(&mut self) {
        self.0.tell_if(ReadyQueue::end_poll);
    }
}

/// Tells that the script is over when it is dropped.
pub(super) struct EndNotice(pub(super) Arc<Readiness>);

impl Drop for EndNotice {
    fn drop(&mut self) {
        self.0.tell_if(ReadyQueue::end_script);
    }
}
