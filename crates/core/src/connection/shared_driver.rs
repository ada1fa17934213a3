//! A driver at which its own task and callers that wait take turns.

use std::future::poll_fn;
use std::hint::spin_loop;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use futures_util::task::AtomicWaker;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::oneshot;

use super::driver::{Driver, End, Lost};
use super::endpoint::Endpoint;
use crate::Error;

/// The task does whatever there is to do, however often others come first. Their turns spare threads from being
/// woken, and nothing depends on them.
#[derive(Default)]
pub(super) struct SharedDriver {
    driver: Mutex<Option<Box<Driver>>>,
    task: AtomicWaker,
    /// The task came while somebody else had the driver.
    was_missed: AtomicBool,
    /// Closings that wait until the requests of their clients are cut.
    cuts: Mutex<Vec<oneshot::Sender<()>>>,
    has_cuts: AtomicBool,
}

impl SharedDriver {
    /// Runs `driver` until its connection ends, and says why it did.
    pub(super) async fn run(
        &self,
        driver: Box<Driver>,
        lost: impl Fn(Option<&Endpoint>, String) -> Error,
    ) -> Lost {
        *self.driver.lock() = Some(driver);
        let _running = Running(self);
        let (driver, end) = poll_fn(|context| self.poll(context)).await;
        Lost::new(driver, end, lost)
    }

    fn poll(&self, context: &mut Context<'_>) -> Poll<(Option<Box<Driver>>, End)> {
        self.task.register(context.waker());
        let Some(mut seat) = self.try_take() else {
            return Poll::Pending;
        };
        let end = match seat.as_mut() {
            Some(driver) => {
                if self.has_cuts.load(Ordering::Acquire) {
                    self.has_cuts.store(false, Ordering::SeqCst);
                    let cuts = std::mem::take(&mut *self.cuts.lock());
                    driver.cut();
                    drop(cuts);
                }
                ready!(driver.poll(context))
            }
            None => End::Lost(io::Error::other("a call panicked that did its work")),
        };
        // With its end it leaves its seat, or a caller could take a turn at a connection that is not to be trusted.
        Poll::Ready((seat.take(), end))
    }

    /// The driver, unless somebody has it who wakes the task afterwards.
    fn try_take(&self) -> Option<MutexGuard<'_, Option<Box<Driver>>>> {
        self.driver.try_lock().or_else(|| {
            self.was_missed.store(true, Ordering::SeqCst);
            self.driver.try_lock()
        })
    }

    /// Completes when the requests of clients that were closed and wait no more are failed.
    pub(super) async fn cut(&self) {
        let (cut, is_cut) = oneshot::channel();
        self.cuts.lock().push(cut);
        self.has_cuts.store(true, Ordering::SeqCst);
        let has_none = self.driver.try_lock().is_some_and(|seat| seat.is_none());
        if has_none {
            self.forget_cuts();
        } else {
            self.task.wake();
        }
        // Ends with an error, by intention: nothing is ever sent.
        let _ = is_cut.await;
    }

    /// There is no driver that could have requests.
    fn forget_cuts(&self) {
        let cuts = std::mem::take(&mut *self.cuts.lock());
        drop(cuts);
    }

    /// Wakes the task.
    pub(super) fn wake(&self) {
        self.task.wake();
    }

    /// Takes a turn on the calling thread: sends what there is, and then, if that has paid of late, waits awake until
    /// replies come, whose callers it wakes.
    pub(super) fn turn(&self) -> Turn {
        let Some(driver) = self.driver.try_lock() else {
            return Turn::Taken;
        };
        let mut seat = Seat {
            driver,
            task: &self.task,
            is_left: false,
        };
        let Some(driver) = seat.driver.as_mut() else {
            seat.is_left = true;
            return Turn::Taken;
        };
        let mut needs_task = driver.send_now();
        let mut has_replies = false;
        if !driver.has_ended()
            && let Some(limit) = driver.busy_poll().next()
        {
            let began = Instant::now();
            has_replies = loop {
                if driver.receive_now() {
                    break true;
                }
                if driver.has_ended() || began.elapsed() > limit {
                    break false;
                }
                spin_loop();
                needs_task |= driver.send_now();
            };
            driver.busy_poll().note(has_replies);
        }
        let answered = std::mem::take(driver.answered());
        let turn = match (has_replies, driver.is_idle()) {
            (true, true) => Turn::AllAnswered,
            (true, false) => Turn::Answered,
            (false, _) => Turn::Sent,
        };
        needs_task |= driver.has_ended();
        let is_sent_back = turn == Turn::AllAnswered
            && !needs_task
            && self.was_missed.load(Ordering::SeqCst)
            && driver.send_task_back();
        if needs_task {
            driver.call_task();
        }
        seat.is_left = true;
        drop(seat);
        // Not before: waking may run code of theirs, which may come here.
        for caller in answered {
            caller.wake();
        }
        let was_missed = self.was_missed.swap(false, Ordering::SeqCst) && !is_sent_back;
        if was_missed || needs_task {
            self.task.wake();
        }
        turn
    }
}

/// A driver that a caller has for a turn. If that panics, the connection ends with it: nobody could tell where it
/// left off.
struct Seat<'a> {
    driver: MutexGuard<'a, Option<Box<Driver>>>,
    task: &'a AtomicWaker,
    is_left: bool,
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        if !self.is_left {
            drop(self.driver.take());
            self.task.wake();
        }
    }
}

/// How a turn ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// It was not taken: somebody else had the driver.
    Taken,
    /// No reply came.
    Sent,
    /// Some replies came, and more are due.
    Answered,
    /// All replies came.
    AllAnswered,
}

/// A driver that is run. Dropped, it takes the driver along.
struct Running<'a>(&'a SharedDriver);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let driver = self.0.driver.lock().take();
        drop(driver);
        self.0.forget_cuts();
        drop(self.0.task.take());
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::TcpListener;
    use std::sync::Arc;

    use redis::ProtocolVersion;
    use tokio::net::TcpStream;

    use super::super::busy_poll::BusyPoll;
    use super::super::driver::Place;
    use super::super::handshake::Greeted;
    use super::super::multiplexer::{Multiplexer, Pushes};
    use super::super::outbox::Outbox;
    use super::super::socket::Socket;
    use super::*;
    use crate::resp::{Decoder, DecoderLimits};
    use crate::{ClientId, ClientOptions, ErrorKind};

    /// A driver in its seat, and its peer.
    async fn seated() -> (SharedDriver, std::net::TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await;
        let (peer, _) = listener.accept().unwrap();
        let options = ClientOptions::default();
        let greeted = Greeted {
            socket: Socket::Tcp(stream.unwrap()),
            decoder: Decoder::new(DecoderLimits::default()),
            protocol: ProtocolVersion::RESP3,
            announcements: None,
            following: None,
        };
        let driver = Driver::new(
            greeted,
            Multiplexer::new(Pushes::Typed, None),
            Outbox::new(&options, options.replay()),
            None,
            BusyPoll::of(None, ClientId::next(), Arc::default()),
            Error::new(ErrorKind::Closed, "closed"),
            Place::At("h:1".into()),
        );
        let shared = SharedDriver::default();
        *shared.driver.lock() = Some(driver);
        (shared, peer)
    }

    #[tokio::test]
    async fn nobody_takes_a_turn_at_a_connection_that_has_ended() {
        let (shared, mut peer) = seated().await;
        assert_eq!(shared.turn(), Turn::Sent);
        peer.write_all(b"+unasked\r\n").unwrap();
        let (_, end) = poll_fn(|context| shared.poll(context)).await;
        assert!(matches!(end, End::Broken(_)));
        assert_eq!(shared.turn(), Turn::Taken);
    }

    #[tokio::test]
    async fn a_turn_that_panics_ends_the_connection() {
        let (shared, _peer) = seated().await;
        let panicked = Seat {
            driver: shared.driver.lock(),
            task: &shared.task,
            is_left: false,
        };
        drop(panicked);
        let (_, end) = poll_fn(|context| shared.poll(context)).await;
        assert!(matches!(end, End::Lost(_)));
    }
}
