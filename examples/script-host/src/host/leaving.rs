//! Ending scripts.

use std::time::{Duration, Instant};

use redis_manager::{Budget, RedisManager, ScriptReload, UnloadReport};

use super::Host;
use crate::live::Live;
use crate::{Ending, Engine, HostEvent};

/// How long a script that leaves may finish what it has begun.
const PATIENCE: Duration = Duration::from_secs(2);

/// A script on its way out: polled as before, until its asynchronous calls have ended.
pub(super) struct Leaving<P> {
    live: Live<P>,
    ending: Ending,
    /// What puts the new generation in its place.
    reload: Option<ScriptReload>,
    deadline: Instant,
    is_done: bool,
}

impl<P> Leaving<P> {
    pub(super) fn replaced(live: Live<P>, reload: ScriptReload) -> Self {
        Self {
            reload: Some(reload),
            ..Self::new(live, Ending::Replaced)
        }
    }

    fn new(live: Live<P>, ending: Ending) -> Self {
        Self {
            live,
            ending,
            reload: None,
            deadline: Instant::now() + PATIENCE,
            is_done: false,
        }
    }

    pub(super) fn poll(&mut self, budget: impl Into<Budget>) -> bool {
        let is_more_ready = self.live.poll(budget);
        let has_calls = self.live.mailbox().unfinished_calls() > 0;
        self.is_done |= !is_more_ready && !has_calls || Instant::now() >= self.deadline;
        is_more_ready
    }

    fn end(self, manager: &RedisManager) -> UnloadReport {
        let script = self.live.script().clone();
        // First, so that nothing waits for calls that can go on nowhere else.
        drop(self.live);
        let finished = self.reload.map(ScriptReload::finish);
        match finished {
            Some(Ok((_, Some(report)))) => report,
            // Its successor is gone already.
            _ => manager.unload_script(&script),
        }
    }
}

impl<E: Engine> Host<E> {
    /// Unloads what has failed, wants to exit, or has nothing more to wait for.
    pub(super) fn settle(&mut self) {
        for (script, error) in self.failures.take() {
            self.tell_failed(error);
            let is_running = self.scripts.get(script.name());
            if is_running.is_some_and(|live| *live.script() == script) {
                self.leave(script.name(), Ending::Failed);
            }
            // What failed does no more, also if it was about to leave.
            let leaving = self.leaving.iter_mut();
            for it in leaving.filter(|it| *it.live.script() == script) {
                it.is_done = true;
            }
        }
        let exiting = self.scripts.iter().filter(|(_, live)| live.wants_exit());
        let exiting: Vec<_> = exiting.map(|(name, _)| name.clone()).collect();
        for name in exiting {
            self.leave(&name, Ending::Exited);
        }
        let done: Vec<_> = self.leaving.extract_if(.., |it| it.is_done).collect();
        for leaving in done {
            let ending = leaving.ending;
            let report = leaving.end(&self.manager);
            self.tell(&HostEvent::Unloaded(ending, report));
        }
    }

    /// Sends the script away, if it runs.
    pub(super) fn leave(&mut self, name: &str, ending: Ending) {
        if let Some(live) = self.scripts.remove(name) {
            self.leaving.push(Leaving::new(live, ending));
        }
    }

    pub(super) fn is_leaving(&self, name: &str) -> bool {
        let names = self.leaving.iter().map(|it| it.live.script().name());
        names.into_iter().any(|it| it == name)
    }
}
