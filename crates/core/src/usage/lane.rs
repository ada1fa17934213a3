//! A script's callbacks, of which only so many run at a time.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::ClientResources;

/// A callback; returns whether it is to run again, after the others that wait.
type Turns = Box<dyn FnMut() -> bool + Send>;

/// Callbacks that wait for one another, and are passed on to the threads that all scripts share as if they were a few:
/// each of these takes what waits here, one after the other.
pub(crate) struct Lane {
    width: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Turns>,
    runners: usize,
}

impl Lane {
    /// Of which `width` run at a time, but at least one: what is registered is to be heard.
    pub(crate) fn new(width: usize) -> Arc<Self> {
        Arc::new(Self {
            width: width.max(1),
            state: Mutex::default(),
        })
    }

    /// How many run, or are about to.
    pub(crate) fn running(&self) -> usize {
        self.state.lock().runners
    }

    /// Has `turns` run on a callback thread of `resources`, again and again for as long as it returns true.
    pub(crate) fn queue(self: &Arc<Self>, resources: &ClientResources, turns: Turns) {
        let runner = {
            let mut state = self.state.lock();
            state.waiting.push_back(turns);
            (state.runners < self.width).then(|| {
                state.runners += 1;
                Runner {
                    lane: Arc::clone(self),
                    is_over: false,
                }
            })
        };
        if let Some(mut runner) = runner {
            resources.spawn_sync_turns(move || runner.run_one());
        }
    }
}

/// Takes what waits, one after the other.
struct Runner {
    lane: Arc<Lane>,
    is_over: bool,
}

impl Runner {
    /// Runs the next one, and returns whether there are more.
    fn run_one(&mut self) -> bool {
        let next = self.lane.state.lock().waiting.pop_front();
        let Some(mut turns) = next else {
            return self.goes_on(None);
        };
        // Whoever panics was told of it; this one has others to run.
        let again = matches!(catch_unwind(AssertUnwindSafe(&mut turns)), Ok(true));
        self.goes_on(again.then_some(turns))
    }

    fn goes_on(&mut self, again: Option<Turns>) -> bool {
        let mut state = self.lane.state.lock();
        state.waiting.extend(again);
        // Under the same lock: whoever adds one more then either is seen here or calls another.
        self.is_over = state.waiting.is_empty();
        if self.is_over {
            state.runners -= 1;
        }
        !self.is_over
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        // The threads are shut down, and nobody will come for the rest: it would keep its script, and that this lane.
        let rest = {
            let mut state = self.lane.state.lock();
            state.runners -= 1;
            std::mem::take(&mut state.waiting)
        };
        drop(rest);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    /// Only to catch a hang.
    const LONG: Duration = Duration::from_secs(30);

    #[test]
    fn no_more_run_at_a_time_than_it_is_wide_and_all_have_their_turns() {
        let resources = ClientResources::new().unwrap();
        let lane = Lane::new(2);
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (over, finished) = mpsc::channel();
        for _ in 0..50 {
            let (running, most, over) = (Arc::clone(&running), Arc::clone(&most), over.clone());
            let mut left = 3;
            let turns = move || {
                let now = running.fetch_add(1, Ordering::SeqCst) + 1;
                most.fetch_max(now, Ordering::SeqCst);
                std::thread::yield_now();
                running.fetch_sub(1, Ordering::SeqCst);
                left -= 1;
                if left == 0 {
                    over.send(()).unwrap();
                }
                left > 0
            };
            lane.queue(&resources, Box::new(turns));
        }
        for _ in 0..50 {
            finished.recv_timeout(LONG).unwrap();
        }
        assert!(most.load(Ordering::SeqCst) <= 2);
    }

    #[test]
    fn whoever_blocks_keeps_a_place_and_not_the_lane() {
        let resources = ClientResources::new().unwrap();
        let lane = Lane::new(2);
        let (release, blocked) = mpsc::channel::<()>();
        let mut blocked = Some(blocked);
        let block = move || {
            let _ = blocked.take().map(|blocked| blocked.recv_timeout(LONG));
            false
        };
        lane.queue(&resources, Box::new(block));
        let (over, finished) = mpsc::channel();
        for _ in 0..10 {
            let over = over.clone();
            let quick = move || {
                over.send(()).unwrap();
                false
            };
            lane.queue(&resources, Box::new(quick));
        }
        for _ in 0..10 {
            finished.recv_timeout(LONG).unwrap();
        }
        release.send(()).unwrap();
    }

    #[test]
    fn what_waits_when_the_threads_are_shut_down_is_dropped() {
        let resources = ClientResources::new().unwrap();
        let lane = Lane::new(1);
        resources.shutdown();
        let held = Arc::new(());
        let holds = Arc::clone(&held);
        let turns = move || {
            let _holds = &holds;
            false
        };
        lane.queue(&resources, Box::new(turns));
        assert_eq!(Arc::strong_count(&held), 1);
        assert_eq!(lane.running(), 0);
    }
}
