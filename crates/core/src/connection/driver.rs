//! Moves the bytes of one connection, in both directions at once.

mod turn;

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use tokio::io::AsyncWrite;
use tokio::time::Instant;
use tokio_util::io::poll_read_buf;

use super::busy_poll::BusyPoll;
use super::deadline_timer::DeadlineTimer;
use super::endpoint::Endpoint;
use super::following::{Following, Moved};
use super::handshake::Greeted;
use super::heartbeat::{Beat, Heartbeat};
use super::multiplexer::{Multiplexer, sooner};
use super::outbox::Outbox;
use super::request::Request;
use super::socket::Socket;
use super::subscription::{Change, Subscription};
use crate::resp::Decoder;
use crate::{Channel, ClientContext, Error, Result};

/// What a buffer of requests may keep for the next ones; a larger one was needed once.
const KEPT_CAPACITY: usize = 256 * 1024;

/// How long a caller may lead without getting on. Most do it in microseconds, but nobody can make them.
const WATCH: Duration = Duration::from_millis(10);

/// Where a connection goes to, for errors, unless it is known better.
pub(super) enum Place {
    /// Where the client's URI says, which whoever has the driver has as well.
    OfClient(Arc<ClientContext>),
    /// Of a driver that may live longer than what else has the client: that is not to end on an I/O thread.
    At(Arc<str>),
}

impl Place {
    fn address(&self) -> String {
        match self {
            Self::OfClient(context) => context.address(),
            Self::At(address) => address.to_string(),
        }
    }
}

/// What the task looks at while callers lead.
#[derive(Clone, Copy)]
struct Watch {
    /// As in the driver, when it looked last.
    turns: u64,
    /// When it looks again.
    until: Instant,
}

/// Owns the socket, and the deadlines of what goes over it. However it ends, dropped in the middle included, what was sent gets its verdict, and
/// what was not goes back into the outbox.
pub(super) struct Driver {
    socket: Socket,
    decoder: Decoder,
    multiplexer: Multiplexer,
    outbox: Arc<Outbox>,
    /// What is being written, of which `written` bytes are.
    writing: Vec<u8>,
    written: usize,
    fetched: VecDeque<Request>,
    timer: DeadlineTimer,
    /// `None`: a silent peer is never asked.
    heartbeat: Option<Heartbeat>,
    last_heard: Instant,
    place: Place,
    /// `None` unless something else than the URI named the server.
    following: Option<Box<Following>>,
    /// What callers found who took a turn, for the task.
    end: Option<End>,
    /// Wakes the task, which waits for the socket whoever has the turn.
    task: Waker,
    busy_poll: BusyPoll,
    /// How often callers have looked what is to be sent.
    turns: u64,
    /// Set while the task leaves the work to callers.
    watch: Option<Watch>,
    cause: Error,
}

impl Driver {
    /// `closed` is what requests get if the driver is dropped. Boxed, because it goes from hand to hand, and every
    /// future on its way would have room for it.
    pub(super) fn new(
        greeted: Greeted,
        multiplexer: Multiplexer,
        outbox: Arc<Outbox>,
        heartbeat: Option<Duration>,
        busy_poll: BusyPoll,
        closed: Error,
        place: Place,
    ) -> Box<Self> {
        outbox.set_up(greeted.protocol);
        let now = Instant::now();
        Box::new(Self {
            socket: greeted.socket,
            decoder: greeted.decoder,
            multiplexer,
            outbox,
            writing: Vec::new(),
            written: 0,
            fetched: VecDeque::new(),
            timer: DeadlineTimer::new(),
            heartbeat: heartbeat.map(|interval| Heartbeat::new(interval, now)),
            last_heard: now,
            place,
            following: greeted.following,
            end: None,
            task: Waker::noop().clone(),
            busy_poll,
            turns: 0,
            watch: None,
            cause: closed,
        })
    }

    /// Subscribes to `channels` before anything else is sent.
    pub(super) fn restore(&mut self, channels: Vec<Channel>) {
        for channel in channels {
            let subscription = Subscription::new(&channel, Change::Begins);
            let before = self.writing.len();
            subscription.cmd().write_packed_command(&mut self.writing);
            let size = self.writing.len() - before;
            self.multiplexer
                .add([Request::restoring(subscription, size)]);
        }
    }

    /// Moves what can be moved, for the task, which is woken when there is more. Completes when the connection
    /// ends.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<End> {
        self.task.clone_from(context.waker());
        if let Some(end) = self.end.take() {
            return Poll::Ready(end);
        }
        if let Some(following) = &mut self.following
            && let Poll::Ready(moved) = following.poll(context)
        {
            return Poll::Ready(End::Moved(Box::new(moved)));
        }
        // Here too, because a peer may never leave a pause.
        if let Poll::Ready(Some(end)) = self.poll_clock(context) {
            return Poll::Ready(end);
        }
        loop {
            match self.stand_back() {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => return Poll::Ready(End::Lost(error)),
            }
            if let Some(end) = ready!(self.poll_clock(context)) {
                return Poll::Ready(end);
            }
        }
        // Reading comes first and never waits for writing: a server that is kept from sending replies
        // stops taking requests.
        loop {
            let read = match self.poll_read(context) {
                // A reply that nobody asked for may be there whole. Once a request is sent, it would be taken
                // for that one's.
                Poll::Ready(Ok(())) if self.multiplexer.is_idle() => continue,
                Poll::Ready(Ok(())) => true,
                Poll::Ready(Err(end)) => return Poll::Ready(end),
                Poll::Pending => false,
            };
            let wrote = match self.poll_write(context) {
                Poll::Ready(Ok(())) => true,
                Poll::Ready(Err(error)) => return Poll::Ready(End::Lost(error)),
                Poll::Pending => false,
            };
            if read || wrote {
                continue;
            }
            if let Some(end) = ready!(self.poll_clock(context)) {
                return Poll::Ready(end);
            }
        }
    }

    /// Does what the clock demands, if it is time for something.
    fn poll_clock(&mut self, context: &mut Context<'_>) -> Poll<Option<End>> {
        let now = ready!(self.timer.poll(context, self.next_alarm()));
        let is_due = self.next_look().is_some_and(|due| due <= now);
        let is_over = is_due && self.look(now) == Beat::GiveUp;
        Poll::Ready(is_over.then_some(End::Silent))
    }

    /// When there is something to do without the peer.
    fn next_look(&self) -> Option<Instant> {
        let waiting = if self.is_blocked() {
            self.outbox.earliest()
        } else {
            None
        };
        let beat = self.heartbeat.as_ref().map(Heartbeat::next);
        let times = [self.multiplexer.earliest(), waiting, beat];
        times.into_iter().flatten().min()
    }

    /// When the task is to be woken.
    fn next_alarm(&self) -> Option<Instant> {
        sooner(self.next_look(), self.watch.map(|watch| watch.until))
    }

    fn look(&mut self, now: Instant) -> Beat {
        if self.is_writing() {
            // The socket takes nothing at this moment: what it has no byte of can still be withdrawn.
            self.return_unsent();
        }
        let (following, place) = (self.following.as_deref(), &self.place);
        let address = || match following {
            Some(following) => following.endpoint().to_string(),
            None => place.address(),
        };
        self.outbox.expire(now, address);
        self.multiplexer.expire(now, address);
        let Some(heartbeat) = &mut self.heartbeat else {
            return Beat::Nothing;
        };
        let beat = heartbeat.beat(now, || self.multiplexer.has_patience());
        if beat == Beat::Ask {
            let ping = redis::cmd("PING").get_packed_command();
            self.writing.extend_from_slice(&ping);
            self.multiplexer.add([Request::heartbeat(ping.len())]);
        }
        beat
    }

    /// Fails the requests of clients that were closed and wait no more. Those that the socket has no byte of are never
    /// sent.
    pub(super) fn cut(&mut self) {
        if self.is_writing() {
            self.return_unsent();
            // Others' may be among them, and who has left them may have been told that they are on their way.
            self.outbox.call();
        }
        self.multiplexer.cut();
    }

    /// Gives back what the socket has taken no byte of.
    fn return_unsent(&mut self) {
        let rest = self.writing.get(self.written..).unwrap_or_default();
        let unsent = self.multiplexer.take_unsent(rest);
        self.writing
            .truncate(self.writing.len() - unsent.bytes.len());
        self.outbox.give_back(unsent, self.multiplexer.len());
    }

    /// Whether the task leaves the work to callers. Where they get on, not even the runtime watches the socket, whose
    /// thread would be woken by each reply that a caller takes.
    fn stand_back(&mut self) -> io::Result<bool> {
        let now = Instant::now();
        let over = self.watch.filter(|watch| watch.until <= now);
        let get_on = over.is_none_or(|watch| watch.turns != self.turns);
        if !self.outbox.stand_back(get_on) {
            self.watch = None;
            self.socket.attach()?;
            return Ok(false);
        }
        if over.is_some() {
            self.socket.detach()?;
        }
        if over.is_some() || self.watch.is_none() {
            self.watch_until(now + WATCH);
        }
        Ok(true)
    }

    fn watch_until(&mut self, until: Instant) {
        self.watch = Some(Watch {
            turns: self.turns,
            until,
        });
    }

    fn is_writing(&self) -> bool {
        self.written < self.writing.len()
    }

    /// Whether the socket has to take something before there is more to send.
    fn is_blocked(&self) -> bool {
        self.is_writing() || self.socket.holds_back()
    }

    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<Result<(), End>> {
        let read = {
            let mut space = self.decoder.space();
            ready!(poll_read_buf(
                Pin::new(&mut self.socket),
                context,
                &mut space
            ))
        };
        Poll::Ready(match read {
            Ok(0) => Err(End::HungUp),
            Ok(_) => {
                let received = self.receive().map_err(End::Broken);
                for caller in self.multiplexer.answered().drain(..) {
                    caller.wake();
                }
                received
            }
            Err(error) => Err(End::Lost(error)),
        })
    }

    fn receive(&mut self) -> Result<()> {
        // Once a read: for the time that calls took, and for the heartbeat.
        let now = Instant::now();
        self.multiplexer.set_read(now);
        let before = self.multiplexer.len();
        let received = self.receive_values();
        // Also what came before an error.
        self.multiplexer.flush();
        let has_answered = received?;
        self.outbox.note_replies(before, self.multiplexer.len());
        self.last_heard = now;
        if let Some(heartbeat) = &mut self.heartbeat {
            heartbeat.heard(now);
            if has_answered {
                heartbeat.answered(now);
            }
        }
        Ok(())
    }

    /// Returns whether there were replies among them.
    fn receive_values(&mut self) -> Result<bool> {
        let mut has_answered = false;
        while let Some(value) = self.decoder.next_value()? {
            has_answered |= self.multiplexer.receive(value)?;
        }
        if let Some(first) = self.decoder.begun() {
            self.multiplexer.begin(first)?;
        }
        Ok(has_answered)
    }

    fn poll_write(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.socket.holds_back() {
            // What is taken meanwhile stays where it can be withdrawn.
            let Poll::Ready(flushed) = Pin::new(&mut self.socket).poll_flush(context) else {
                self.outbox.fall_asleep();
                return Poll::Pending;
            };
            flushed?;
        }
        if !self.is_writing() {
            self.writing.clear();
            self.written = 0;
            if self.writing.capacity() > KEPT_CAPACITY {
                self.writing = Vec::new();
            }
            let besides = (self.multiplexer.len(), self.multiplexer.kept());
            let outbox = &self.outbox;
            if !outbox.fetch(&mut self.writing, &mut self.fetched, besides) {
                return Poll::Pending;
            }
            self.multiplexer.add(self.fetched.drain(..));
        }
        let rest = &self.writing[self.written..];
        let Poll::Ready(count) = Pin::new(&mut self.socket).poll_write(context, rest) else {
            self.outbox.fall_asleep();
            return Poll::Pending;
        };
        let count = count?;
        if count == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        self.written += count;
        self.multiplexer.wrote(count);
        Poll::Ready(Ok(()))
    }
}

/// A connection that is lost.
pub(super) struct Lost {
    pub(super) cause: Error,
    /// When the server last sent anything.
    pub(super) last_heard: Instant,
    /// Whether it was given up for another server, which is there.
    pub(super) is_moved: bool,
}

impl Lost {
    /// That of `driver`, which ends with it.
    pub(super) fn new(
        driver: Option<Box<Driver>>,
        end: End,
        lost: impl Fn(Option<&Endpoint>, String) -> Error,
    ) -> Self {
        let following = driver.as_ref().and_then(|driver| driver.following.as_ref());
        let lost = |reason| lost(following.map(|following| following.endpoint()), reason);
        let moved_since = match &end {
            End::Moved(moved) => Some(moved.since),
            _ => None,
        };
        let cause = match end {
            End::Lost(error) => lost(error.to_string()).with_source(error),
            End::HungUp => lost("the server closed it".to_owned()),
            End::Moved(moved) => lost(moved.reason),
            End::Silent => lost("the server is silent, and answers no PING".to_owned()),
            End::Broken(error) => lost(error.to_string()).with_source(error),
        };
        let last_heard = driver.map_or_else(Instant::now, |mut driver| {
            driver.cause = cause.clone();
            driver.last_heard
        });
        Self {
            cause,
            // Since then the server said nothing that counts, although it may have spoken.
            last_heard: moved_since.map_or(last_heard, |since| since.min(last_heard)),
            is_moved: moved_since.is_some(),
        }
    }
}

pub(super) enum End {
    Lost(io::Error),
    HungUp,
    Silent,
    /// Another server is to be connected to. Boxed, because most connections have none, and each has room for its end.
    Moved(Box<Moved>),
    /// The server broke the protocol.
    Broken(Error),
}

impl Drop for Driver {
    fn drop(&mut self) {
        // What was fetched and not added, if a panic came in between.
        self.multiplexer.add(self.fetched.drain(..));
        let rest = self.writing.get(self.written..).unwrap_or_default();
        let unsent = self.multiplexer.lose(&self.cause, rest);
        self.outbox.give_back(unsent, 0);
        self.outbox.set_down(&self.cause);
    }
}
