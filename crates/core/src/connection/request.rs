//! One request on its way, from its caller to its reply.

use std::task::Waker;

use redis::Value;
use tokio::time::Instant;

use super::reply::{Collector, Expected, Reply};
use super::subscription::Subscription;
use super::verdict::{Verdict, Waiter, verdict};
use crate::client_context::WorkToken;
use crate::statistics::Answered;
use crate::{Deadline, Delivery, Error, ErrorKind, InFlight, Result};

/// What a request is, apart from its bytes.
#[derive(Debug)]
pub(super) struct RequestKind {
    pub(super) expected: Expected,
    /// What is confirmed, if it expects that.
    pub(super) subscription: Option<Box<Subscription>>,
    pub(super) in_flight: InFlight,
    /// It goes its way also if nobody waits for the reply.
    pub(super) is_unattended: bool,
    /// It may run twice, so it is sent again if its connection is lost.
    pub(super) is_replayed: bool,
}

/// The error of a call whose client was closed meanwhile, when so much of it was done.
pub(crate) fn cut_off(delivery: Delivery) -> Error {
    let message = match delivery {
        Delivery::NotSent => "the client was closed before the call was sent",
        Delivery::Unknown | Delivery::Replied => "the client was closed before the reply came",
    };
    Error::new(ErrorKind::Closed, message).with_delivery(delivery)
}

#[derive(Debug)]
pub(super) struct Request {
    /// Its place among all requests of its outbox.
    number: u64,
    expected: Expected,
    subscription: Option<Box<Subscription>>,
    /// `None` if it has one reply.
    collector: Option<Box<Collector>>,
    /// `None` once it has its verdict.
    waiter: Option<Waiter>,
    deadline: Deadline,
    /// How many bytes it has.
    size: usize,
    /// The bytes, if it may be sent again.
    copy: Option<Box<[u8]>>,
    was_sent: bool,
    /// A closing client waits for the reply, also if the caller does not. `None` once it is withdrawn.
    in_flight: Option<WorkToken>,
    is_unattended: bool,
    /// It is of use on this connection alone, whether or not anybody waits for it.
    is_bound: bool,
}

impl Request {
    pub(super) fn new(number: u64, kind: RequestKind, bytes: &[u8]) -> (Self, Verdict) {
        let (waiter, verdict) = verdict();
        let request = Self {
            number,
            expected: kind.expected,
            subscription: kind.subscription,
            collector: Collector::of(kind.expected),
            waiter: Some(waiter),
            deadline: kind.in_flight.deadline(),
            size: bytes.len(),
            copy: kind.is_replayed.then(|| bytes.into()),
            was_sent: false,
            in_flight: Some(kind.in_flight.into_token()),
            is_unattended: kind.is_unattended,
            is_bound: false,
        };
        (request, verdict)
    }

    /// A question of our own, whose answer is of no interest but that it comes.
    pub(super) fn heartbeat(size: usize) -> Self {
        Self::unasked(Expected::SignOfLife, size)
    }

    /// A subscription that the connection before had. Its answer is the sink's.
    pub(super) fn restoring(subscription: Subscription, size: usize) -> Self {
        Self {
            subscription: Some(Box::new(subscription)),
            is_bound: true,
            ..Self::unasked(Expected::Confirmation, size)
        }
    }

    /// One that no caller made.
    fn unasked(expected: Expected, size: usize) -> Self {
        Self {
            number: 0,
            expected,
            subscription: None,
            collector: Collector::of(expected),
            waiter: None,
            deadline: Deadline::after(None),
            size,
            copy: None,
            was_sent: false,
            in_flight: None,
            is_unattended: false,
            is_bound: false,
        }
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// How many bytes it keeps while it is in flight.
    pub(super) fn kept(&self) -> usize {
        self.copy.as_ref().map_or(0, |copy| copy.len())
    }

    pub(super) fn expected(&self) -> Expected {
        self.expected
    }

    /// Whether it has one of several replies already.
    pub(super) fn has_begun(&self) -> bool {
        let collector = self.collector.as_ref();
        collector.is_some_and(|collector| collector.has_begun())
    }

    /// What it changes of the connection's subscriptions, if it does.
    pub(super) fn subscription(&self) -> Option<&Subscription> {
        self.subscription.as_deref()
    }

    /// Whether somebody waits for the reply.
    pub(super) fn is_awaited(&self) -> bool {
        let waiter = self.waiter.as_ref();
        waiter.is_some_and(Waiter::is_awaited)
    }

    /// Whether it is to be sent, if it was not yet.
    pub(super) fn is_wanted(&self) -> bool {
        // A caller can also give up while the driver has the request, and the driver give it back.
        self.is_bound || self.in_flight.is_some() && (self.is_unattended || self.is_awaited())
    }

    /// Whether its client was closed and waits no more, and others go on on the same connection.
    pub(super) fn is_cut(&self) -> bool {
        self.in_flight.as_ref().is_some_and(WorkToken::is_cut)
    }

    /// Tells the caller that its client was closed.
    pub(super) fn cut(&mut self) {
        self.fail(cut_off(self.delivery()));
    }

    /// Whether it is of use on this connection alone.
    pub(super) fn is_bound(&self) -> bool {
        self.is_bound
    }

    /// Notes that its connection is lost.
    pub(super) fn unbind(&mut self) {
        self.is_bound = false;
    }

    /// Keeps it from being sent.
    pub(super) fn withdraw(&mut self) {
        self.in_flight = None;
    }

    /// When it is to fail, if it is still to have a verdict.
    pub(super) fn due(&self) -> Option<Instant> {
        let at = self.deadline.at()?;
        (self.is_awaited() || self.is_unattended && self.in_flight.is_some()).then_some(at)
    }

    /// Fails it if its deadline is over; `reason` says why it got no reply, and is told whether a socket has taken a byte
    /// of it. Returns whether it did.
    pub(super) fn expire(&mut self, now: Instant, reason: impl FnOnce(bool) -> String) -> bool {
        let is_due = self.due().is_some() && self.deadline.is_over(now);
        if is_due {
            let timeout = self.deadline.timeout().unwrap_or_default();
            let message = format!("{} within {timeout:?}", reason(self.was_sent));
            self.fail(Error::new(ErrorKind::Timeout, message));
        }
        is_due
    }

    /// Takes the next reply, which came `now`, and hands the whole to the caller, who is then one of `to_wake`; returns
    /// whether it is complete.
    pub(super) fn take(&mut self, value: Value, now: Instant, to_wake: &mut Vec<Waker>) -> bool {
        let reply = match &mut self.collector {
            None => Some(Reply::One(value)),
            Some(collector) => collector.take(value),
        };
        let Some(reply) = reply else {
            return false;
        };
        self.count(&reply, now);
        to_wake.extend(self.settle(Ok(reply)));
        true
    }

    /// Tells the caller that it failed, and whether it may have run.
    pub(super) fn fail(&mut self, error: Error) {
        let delivery = self.delivery();
        if let Some(caller) = self.settle(Err(error.with_delivery(delivery))) {
            caller.wake();
        }
    }

    /// What is known of it while it has no reply.
    fn delivery(&self) -> Delivery {
        match self.was_sent {
            true => Delivery::Unknown,
            false => Delivery::NotSent,
        }
    }

    /// Adds the reply to what is counted of its client's calls, if that is asked for.
    fn count(&self, reply: &Reply, now: Instant) {
        let token = self.in_flight.as_ref();
        let Some(statistics) = token.and_then(WorkToken::statistics) else {
            return;
        };
        statistics.answered(Answered {
            latency: now.saturating_duration_since(self.deadline.began()),
            bytes: self.size,
            commands: self.expected.commands(),
            errors: reply.errors(self.expected),
        });
    }

    fn settle(&mut self, verdict: Result<Reply>) -> Option<Waker> {
        self.in_flight = None;
        self.waiter.take()?.settle(verdict)
    }

    /// Notes that the socket has taken a byte of it.
    pub(super) fn set_sent(&mut self) {
        self.was_sent = true;
    }

    /// The bytes to send again, if it may be and somebody waits for it still.
    pub(super) fn replay(&mut self) -> Option<&[u8]> {
        if !self.is_awaited() {
            return None;
        }
        self.collector = Collector::of(self.expected);
        self.copy.as_deref()
    }
}
