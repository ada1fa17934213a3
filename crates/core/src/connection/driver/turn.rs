//! What a caller does who has the driver for a moment. Nothing here waits.

use std::io;
use std::task::{Context, Poll, Waker};

use tokio::time::Instant;

use super::super::busy_poll::BusyPoll;
use super::{Driver, End, WATCH};

/// What is read at a time by who cannot wait: enough for most replies, and little to clear.
const READ_NOW: usize = 1024;
/// The same, once it was not enough.
const READ_MORE_NOW: usize = 16 * 1024;

impl Driver {
    /// Sends the task back, which came while a caller had the turn and found nothing left to do. Returns whether it
    /// looks again in a while, without being woken.
    pub(in super::super) fn send_task_back(&mut self) -> bool {
        let now = Instant::now();
        let soon = now + WATCH;
        let next = self.next_look().map_or(soon, |due| due.min(soon));
        if next <= now || !self.set_alarm(next) || !self.outbox.send_back() {
            return false;
        }
        // Or the next reply would wake its thread as well.
        if let Err(error) = self.socket.detach() {
            self.end = Some(End::Lost(error));
            return false;
        }
        self.watch_until(soon);
        true
    }

    /// Has the task woken at `due`. Returns whether it will be.
    fn set_alarm(&mut self, due: Instant) -> bool {
        let task = self.task.clone();
        let mut context = Context::from_waker(&task);
        // The one before may have gone off without anybody having looked.
        (0..2).any(|_| self.timer.poll(&mut context, Some(due)).is_pending())
    }

    /// The task is about to be woken, because there is work for it.
    pub(in super::super) fn call_task(&self) {
        if self.watch.is_some() {
            self.outbox.call();
        }
    }

    /// Sends what is there, for a caller. Returns whether the task has to look after the rest.
    pub(in super::super) fn send_now(&mut self) -> bool {
        self.turns += 1;
        // As in the task, a reply that nobody asked for is to be found before it is taken for another.
        if self.multiplexer.is_idle() {
            self.receive_now();
        }
        if self.end.is_some() {
            return true;
        }
        let task = self.task.clone();
        let mut context = Context::from_waker(&task);
        let blocked = loop {
            match self.poll_write(&mut context) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => {
                    self.end = Some(End::Lost(error));
                    return true;
                }
                Poll::Pending => break self.is_blocked(),
            }
        };
        blocked || !self.timer.covers(self.next_alarm())
    }

    /// Whether the connection ended while a caller had the turn.
    pub(in super::super) fn has_ended(&self) -> bool {
        self.end.is_some()
    }

    /// Whether no reply is due.
    pub(in super::super) fn is_idle(&self) -> bool {
        self.multiplexer.is_idle()
    }

    /// Takes what the system has received, for a caller. Returns whether there were replies.
    pub(in super::super) fn receive_now(&mut self) -> bool {
        if self.end.is_some() {
            return false;
        }
        let before = self.multiplexer.len();
        // No more than this at a time, because a caller's thread is not to be kept by what others asked for.
        let mut received = self.receive_part_now(&mut [0; READ_NOW]);
        if let Ok(true) = received {
            received = self.receive_more_now();
        }
        self.end = received.err();
        self.multiplexer.len() < before
    }

    // Not inlined, or every call would clear its way down a stack of that size.
    #[inline(never)]
    fn receive_more_now(&mut self) -> Result<bool, End> {
        self.receive_part_now(&mut [0; READ_MORE_NOW])
    }

    /// Returns whether there may be more than `part` had room for.
    fn receive_part_now(&mut self, part: &mut [u8]) -> Result<bool, End> {
        let count = match self.socket.read_now(part) {
            Ok(0) => return Err(End::HungUp),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(false),
            Err(error) => return Err(End::Lost(error)),
        };
        self.decoder.feed(part.get(..count).unwrap_or_default());
        self.receive().map_err(End::Broken)?;
        Ok(count == part.len())
    }

    /// The callers to be woken because of what was received.
    pub(in super::super) fn answered(&mut self) -> &mut Vec<Waker> {
        self.multiplexer.answered()
    }

    pub(in super::super) fn busy_poll(&mut self) -> &mut BusyPoll {
        &mut self.busy_poll
    }
}
