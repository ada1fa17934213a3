//! Which task of a mailbox is polled next. Pure state; the mailbox keeps it behind one lock.

use std::collections::{HashMap, VecDeque};

/// Never used twice in a mailbox, so that the waker of a task that is over wakes no other.
pub(super) type TaskId = u64;

/// The tasks of a mailbox, and in which order those that are ready are polled.
///
/// Functions that make something ready return whether the host has to be told: nothing was ready before,
/// and no poll is under way, which finds it by itself.
#[derive(Default)]
pub(super) struct ReadyQueue {
    tasks: HashMap<TaskId, Stage>,
    /// Every task that is in the stage `Ready`, once.
    queue: VecDeque<TaskId>,
    next_id: TaskId,
    polling: bool,
    /// The script is over, and a poll would drop its tasks.
    ending: bool,
    closed: bool,
}

enum Stage {
    Waiting,
    Ready,
    Running { woken: bool },
}

impl ReadyQueue {
    /// Adds a task that waits; `None` once it is closed.
    pub(super) fn add(&mut self) -> Option<TaskId> {
        if self.closed {
            return None;
        }
        let id = self.next_id;
        self.next_id += 1;
        self.tasks.insert(id, Stage::Waiting);
        Some(id)
    }

    /// Makes a task ready, at the back. Of one that is over it does nothing.
    #[must_use]
    pub(super) fn wake(&mut self, id: TaskId) -> bool {
        let was_ready = self.is_ready();
        match self.tasks.get_mut(&id) {
            Some(stage @ Stage::Waiting) => {
                *stage = Stage::Ready;
                self.queue.push_back(id);
                !was_ready && !self.polling
            }
            // Whether it goes into the queue is decided when it has run: if it is over then, it must not.
            Some(Stage::Running { woken }) => {
                *woken = true;
                false
            }
            Some(Stage::Ready) | None => false,
        }
    }

    /// Notes that the script is over. Without tasks there is nothing to do about it.
    #[must_use]
    pub(super) fn end_script(&mut self) -> bool {
        let was_ready = self.is_ready();
        self.ending |= !self.tasks.is_empty();
        self.ending && !was_ready && !self.polling
    }

    /// Begins a poll, and says how many tasks are ready; `None` inside another one.
    pub(super) fn begin_poll(&mut self) -> Option<usize> {
        if self.polling {
            return None;
        }
        self.polling = true;
        self.ending = false;
        Some(self.queue.len())
    }

    /// Ends a poll, and says whether it left something ready.
    #[must_use]
    pub(super) fn end_poll(&mut self) -> bool {
        self.polling = false;
        self.is_ready()
    }

    /// The task that is to run next.
    pub(super) fn next(&mut self) -> Option<TaskId> {
        let id = self.queue.pop_front()?;
        self.tasks.insert(id, Stage::Running { woken: false });
        Some(id)
    }

    /// Takes back a task that has run and is not over; if it was woken meanwhile, at the back of those
    /// that are ready. Says whether it is wanted still.
    #[must_use]
    pub(super) fn suspend(&mut self, id: TaskId) -> bool {
        match self.tasks.get_mut(&id) {
            Some(stage @ Stage::Running { woken: true }) => {
                *stage = Stage::Ready;
                self.queue.push_back(id);
                true
            }
            Some(stage) => {
                *stage = Stage::Waiting;
                true
            }
            None => false,
        }
    }

    /// Forgets a task that has run and is over.
    pub(super) fn finish(&mut self, id: TaskId) {
        self.tasks.remove(&id);
    }

    /// Forgets every task and takes none any more.
    pub(super) fn close(&mut self) {
        self.closed = true;
        self.ending = false;
        // With their memory: it may be kept by a waker somewhere for as long as the program runs.
        self.tasks = HashMap::new();
        self.queue = VecDeque::new();
    }

    /// Whether a poll would do anything.
    pub(super) fn is_ready(&self) -> bool {
        self.ending || !self.queue.is_empty()
    }

    /// Whether a poll is under way.
    pub(super) fn is_polling(&self) -> bool {
        self.polling
    }

    /// Whether it takes no task any more.
    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    /// How many tasks there are, those that run included.
    pub(super) fn len(&self) -> usize {
        self.tasks.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_tasks<const COUNT: usize>() -> (ReadyQueue, [TaskId; COUNT]) {
        let mut queue = ReadyQueue::default();
        let tasks = [(); COUNT].map(|()| queue.add().unwrap());
        (queue, tasks)
    }

    #[test]
    fn tasks_run_in_the_order_in_which_they_became_ready() {
        let (mut queue, [a, b, c]) = with_tasks();
        for id in [c, a, b] {
            let _ = queue.wake(id);
        }
        assert_eq!(queue.begin_poll(), Some(3));
        assert_eq!(
            [queue.next(), queue.next(), queue.next(), queue.next()],
            [Some(c), Some(a), Some(b), None]
        );
    }

    #[test]
    fn a_task_is_in_the_queue_at_most_once() {
        let (mut queue, [a, _]) = with_tasks();
        for _ in 0..10 {
            let _ = queue.wake(a);
        }
        assert_eq!(queue.queue.len(), 1);
        queue.begin_poll();
        assert_eq!(queue.next(), Some(a));
        for _ in 0..10 {
            let _ = queue.wake(a);
        }
        assert!(queue.suspend(a));
        assert_eq!(queue.queue.len(), 1);
    }

    #[test]
    fn a_task_that_wakes_itself_goes_to_the_back() {
        let (mut queue, [a, b]) = with_tasks();
        let _ = (queue.wake(a), queue.wake(b));
        queue.begin_poll();
        assert_eq!(queue.next(), Some(a));
        let _ = queue.wake(a);
        assert!(queue.suspend(a));
        assert_eq!(queue.next(), Some(b));
        assert!(queue.suspend(b));
        assert_eq!(queue.next(), Some(a));
        assert!(queue.suspend(a));
        assert_eq!(queue.next(), None);
    }

    #[test]
    fn the_host_is_told_once_when_something_becomes_ready() {
        let (mut queue, [a, b]) = with_tasks();
        assert!(queue.wake(a));
        assert!(!queue.wake(a));
        assert!(!queue.wake(b));
        queue.begin_poll();
        assert_eq!(queue.next(), Some(a));
        assert!(queue.suspend(a));
        assert!(queue.end_poll(), "b is ready still");
        assert!(!queue.wake(a));
    }

    #[test]
    fn a_poll_under_way_finds_by_itself_what_becomes_ready() {
        let (mut queue, [a]) = with_tasks();
        assert_eq!(queue.begin_poll(), Some(0));
        assert!(!queue.wake(a));
        assert!(queue.end_poll());
    }

    #[test]
    fn a_poll_inside_a_poll_does_not_begin() {
        let (mut queue, [a]) = with_tasks();
        queue.begin_poll();
        let _ = queue.wake(a);
        assert_eq!(queue.begin_poll(), None);
        assert!(queue.end_poll());
        assert_eq!(queue.begin_poll(), Some(1));
    }

    #[test]
    fn a_task_that_is_over_is_never_ready_again() {
        let (mut queue, [a]) = with_tasks();
        let _ = queue.wake(a);
        queue.begin_poll();
        assert_eq!(queue.next(), Some(a));
        let _ = queue.wake(a);
        queue.finish(a);
        assert!(!queue.wake(a) && !queue.is_ready());
        assert!(!queue.end_poll());
        assert_eq!(queue.len(), 0);
        assert_ne!(queue.add(), Some(a));
    }

    #[test]
    fn closed_it_forgets_even_the_task_that_runs() {
        let (mut queue, [a, b]) = with_tasks();
        let _ = (queue.wake(a), queue.wake(b));
        queue.begin_poll();
        assert_eq!(queue.next(), Some(a));
        queue.close();
        assert!(!queue.suspend(a));
        assert!(!queue.wake(b) && !queue.end_script());
        assert_eq!((queue.next(), queue.add(), queue.len()), (None, None, 0));
        assert!(!queue.end_poll());
    }

    #[test]
    fn the_end_of_the_script_is_something_to_do_if_there_are_tasks() {
        let (mut queue, []) = with_tasks();
        assert!(!queue.end_script() && !queue.is_ready());
        queue.add().unwrap();
        assert!(queue.end_script() && queue.is_ready());
        assert!(!queue.end_script());
        queue.begin_poll();
        assert!(!queue.end_poll());
        assert!(queue.end_script());
    }

    #[test]
    fn an_end_of_the_script_during_a_poll_is_left_to_it_or_to_the_next() {
        let (mut queue, [_]) = with_tasks();
        queue.begin_poll();
        assert!(!queue.end_script());
        assert!(queue.end_poll());
    }
}
