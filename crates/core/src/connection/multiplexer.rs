//! Which reply belongs to which request. No I/O: bytes come and go through the driver.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Waker;

use redis::{ProtocolVersion, PushInfo, PushKind, RedisError, Value};
use tokio::time::Instant;

use super::PushSink;
use super::reply::Expected;
use super::request::Request;
use super::subscription::{Change, is_confirmation, named};
use crate::{Error, ErrorKind, Result};

/// How pushes are told from replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pushes {
    /// They have a type of their own: RESP3.
    Typed,
    /// There are none: RESP2.
    None,
    /// Every array is one: RESP2, on a connection that does nothing but subscribe.
    Arrays,
}

impl Pushes {
    /// How they come on a connection that speaks `protocol`, and perhaps subscribes.
    pub(super) fn of(protocol: ProtocolVersion, subscribes: bool) -> Self {
        match (protocol, subscribes) {
            (ProtocolVersion::RESP3, _) => Self::Typed,
            (_, true) => Self::Arrays,
            (_, false) => Self::None,
        }
    }
}

/// The requests of one connection, in the order of their bytes.
pub(super) struct Multiplexer {
    requests: VecDeque<Request>,
    /// How many of `requests`, from the front, the socket has taken a byte of.
    sent: usize,
    /// How many bytes of the last one of those the socket has not taken yet.
    unsent_bytes_of_last: usize,
    /// No request is due before; `None`: none is.
    earliest: Option<Instant>,
    /// How many bytes of requests are kept, to be sent again.
    kept: usize,
    /// How many requests are of use on this connection alone.
    bound: usize,
    pushes: Pushes,
    sink: Option<Arc<dyn PushSink>>,
    /// The callers who have their replies and do not know it yet.
    answered: Vec<Waker>,
    /// When what is received came.
    read_at: Instant,
}

/// What a lost connection leaves to be sent on the next one: the requests, and their bytes.
pub(super) struct Unsent {
    pub(super) bytes: Vec<u8>,
    pub(super) requests: VecDeque<Request>,
}

impl Multiplexer {
    pub(super) fn new(pushes: Pushes, sink: Option<Arc<dyn PushSink>>) -> Self {
        Self {
            requests: VecDeque::new(),
            sent: 0,
            unsent_bytes_of_last: 0,
            earliest: None,
            kept: 0,
            bound: 0,
            pushes,
            sink,
            answered: Vec::new(),
            read_at: Instant::now(),
        }
    }

    /// Notes requests whose bytes follow those of the requests before.
    pub(super) fn add(&mut self, requests: impl IntoIterator<Item = Request>) {
        for request in requests {
            self.earliest = sooner(self.earliest, request.due());
            self.kept += request.kept();
            self.bound += usize::from(request.is_bound());
            self.requests.push_back(request);
        }
    }

    /// How many requests that somebody made have no reply yet.
    pub(super) fn len(&self) -> usize {
        self.requests.len() - self.bound
    }

    /// How many bytes of them are kept.
    pub(super) fn kept(&self) -> usize {
        self.kept
    }

    /// When to [`expire`](Self::expire) next.
    pub(super) fn earliest(&self) -> Option<Instant> {
        self.earliest
    }

    /// Fails the requests whose deadline is over. Their replies are still to come from `address`.
    pub(super) fn expire(&mut self, now: Instant, address: impl Fn() -> String) {
        let reason = |_| format!("no reply from {}", address());
        self.earliest = None;
        for request in &mut self.requests {
            if !request.expire(now, reason) {
                self.earliest = sooner(self.earliest, request.due());
            }
        }
    }

    /// Fails the requests of clients that were closed and wait no more. Their replies are still to come.
    pub(super) fn cut(&mut self) {
        let cut = self.requests.iter_mut().filter(|request| request.is_cut());
        cut.for_each(Request::cut);
    }

    /// Whether somebody waits for the reply to a request that was made before the peer was last asked for a
    /// sign of life.
    pub(super) fn has_patience(&self) -> bool {
        let mut backwards = self.requests.iter().rev();
        backwards.any(|request| request.expected() == Expected::SignOfLife)
            && backwards.any(Request::is_awaited)
    }

    /// Notes that the socket has taken `bytes` more.
    pub(super) fn wrote(&mut self, mut bytes: usize) {
        while bytes > 0 {
            if self.unsent_bytes_of_last == 0 {
                let Some(next) = self.requests.get_mut(self.sent) else {
                    return;
                };
                next.set_sent();
                self.unsent_bytes_of_last = next.size();
                self.sent += 1;
            }
            let taken = bytes.min(self.unsent_bytes_of_last);
            self.unsent_bytes_of_last -= taken;
            bytes -= taken;
        }
    }

    /// Notes when what is to be received was read.
    pub(super) fn set_read(&mut self, now: Instant) {
        self.read_at = now;
    }

    /// Takes what the server sent next, and returns whether it was a reply.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Protocol`] if nobody asked for it: from there on no reply could be trusted.
    pub(super) fn receive(&mut self, value: Value) -> Result<bool> {
        match self.sort(value) {
            Received::Reply(value) => {
                self.refuse_subscription(&value)?;
                self.reply(value)?;
            }
            Received::Push(push) if is_confirmation(&push.kind) => return self.confirm(push),
            Received::Push(push) => {
                self.pass_on(push);
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Tells the sink that this is what there was to receive at this time.
    pub(super) fn flush(&self) {
        if let Some(sink) = &self.sink {
            sink.flush();
        }
    }

    /// The callers to be woken because of what was received. Waking may run code of theirs.
    pub(super) fn answered(&mut self) -> &mut Vec<Waker> {
        &mut self.answered
    }

    /// Takes the confirmation of a subscription or its end.
    fn confirm(&mut self, push: PushInfo) -> Result<bool> {
        let due = self.requests.front().filter(|_| !self.is_idle());
        let due = due.filter(|request| !request.has_begun());
        let due = due.and_then(Request::subscription);
        match due {
            Some(subscription) if subscription.is_confirmed_by(&push) => {
                match (&self.sink, subscription.change) {
                    (Some(sink), Change::Begins) => sink.subscribed(&subscription.channel),
                    (Some(sink), Change::Ends) => sink.unsubscribed(&subscription.channel),
                    // As if the server had done it by itself.
                    (Some(_), Change::Leaves) => self.pass_on(push.clone()),
                    (None, _) => {}
                }
                self.tell_restored(Ok(()));
                let PushInfo { kind, data } = push;
                self.reply(Value::Push { kind, data })?;
                Ok(true)
            }
            // The one that comes unasked: in a cluster, of a slot that has moved.
            _ if push.kind == PushKind::SUnsubscribe => {
                self.pass_on(push);
                Ok(false)
            }
            _ => Err(Error::new(
                ErrorKind::Protocol,
                "the server confirmed a subscription that nobody asked for",
            )),
        }
    }

    /// Takes notice of a reply that is no confirmation, if one is due.
    fn refuse_subscription(&self, value: &Value) -> Result<()> {
        let due = self.requests.front().filter(|_| !self.is_idle());
        let due = due.filter(|request| request.expected() != Expected::Ending);
        let Some(subscription) = due.and_then(Request::subscription) else {
            return Ok(());
        };
        match value {
            Value::ServerError(refusal) => {
                let error = Error::from(RedisError::from(refusal.clone()));
                self.tell_restored(Err(named(subscription.command(), error)));
                Ok(())
            }
            _ => Err(Error::new(
                ErrorKind::Protocol,
                "the server neither confirmed nor refused a subscription",
            )),
        }
    }

    /// Tells the sink of the answer to the first request, if that restores a subscription.
    fn tell_restored(&self, outcome: Result<()>) {
        let restoring = self.requests.front().filter(|request| request.is_bound());
        let subscription = restoring.and_then(Request::subscription);
        if let (Some(sink), Some(subscription)) = (&self.sink, subscription) {
            sink.restored(&subscription.channel, outcome);
        }
    }

    fn pass_on(&self, push: PushInfo) {
        if let Some(sink) = &self.sink {
            sink.push(push);
        }
    }

    fn sort(&self, value: Value) -> Received {
        match (self.pushes, value) {
            (_, Value::Push { kind, data }) => Received::Push(PushInfo { kind, data }),
            (Pushes::Arrays, Value::Array(parts)) => array_push(parts),
            (_, value) => Received::Reply(value),
        }
    }

    /// Takes notice of a reply, or a push, that begins with `first` and is not complete yet.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Protocol`] if nobody asked for it. What follows would be taken for the rest of it, also
    /// the reply to a later request.
    pub(super) fn begin(&self, first: u8) -> Result<()> {
        let may_be_push = match self.pushes {
            Pushes::Typed | Pushes::None => matches!(first, b'>' | b'|'),
            Pushes::Arrays => first == b'*',
        };
        if self.is_idle() && !may_be_push {
            return Err(unasked());
        }
        Ok(())
    }

    /// Whether no reply is due.
    pub(super) fn is_idle(&self) -> bool {
        self.sent == 0
    }

    fn reply(&mut self, value: Value) -> Result<()> {
        if self.is_idle() {
            return Err(unasked());
        }
        let Some(request) = self.requests.front_mut() else {
            return Ok(());
        };
        if request.take(value, self.read_at, &mut self.answered) {
            self.sent -= 1;
            self.kept -= request.kept();
            self.bound -= usize::from(request.is_bound());
            self.requests.pop_front();
        }
        Ok(())
    }

    /// Gives up the connection because of `cause`. What the socket took a byte of fails, because it may have
    /// run, unless it may run twice. The rest is returned; `bytes` are those that the socket has not taken.
    pub(super) fn lose(&mut self, cause: &Error, bytes: &[u8]) -> Unsent {
        self.requests.iter_mut().for_each(Request::unbind);
        self.bound = 0;
        let mut unsent = self.take_unsent(bytes);
        let mut replayed = Unsent {
            bytes: Vec::new(),
            requests: VecDeque::new(),
        };
        for mut request in self.requests.drain(..) {
            match request.replay() {
                Some(bytes) => {
                    replayed.bytes.extend_from_slice(bytes);
                    replayed.requests.push_back(request);
                }
                None => request.fail(cause.clone()),
            }
        }
        self.sent = 0;
        self.kept = 0;
        self.unsent_bytes_of_last = 0;
        if replayed.requests.is_empty() {
            return unsent;
        }
        replayed.bytes.append(&mut unsent.bytes);
        replayed.requests.append(&mut unsent.requests);
        replayed
    }

    /// Takes out what the socket has taken no byte of; `bytes` are those that it has not taken.
    pub(super) fn take_unsent(&mut self, bytes: &[u8]) -> Unsent {
        let requests = self.requests.split_off(self.sent);
        self.kept -= requests.iter().map(Request::kept).sum::<usize>();
        self.bound -= requests.iter().filter(|request| request.is_bound()).count();
        let begun = self.unsent_bytes_of_last;
        Unsent {
            bytes: bytes.get(begun..).unwrap_or_default().to_vec(),
            requests,
        }
    }
}

pub(super) fn sooner(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    [one, other].into_iter().flatten().min()
}

fn unasked() -> Error {
    Error::new(
        ErrorKind::Protocol,
        "the server sent a reply that nobody asked for",
    )
}

enum Received {
    Reply(Value),
    Push(PushInfo),
}

/// Reads the array that RESP2 has for a push.
fn array_push(mut parts: Vec<Value>) -> Received {
    let kind = match parts.first() {
        Some(Value::BulkString(kind)) => match kind.as_slice() {
            b"message" => PushKind::Message,
            b"pmessage" => PushKind::PMessage,
            b"smessage" => PushKind::SMessage,
            b"subscribe" => PushKind::Subscribe,
            b"unsubscribe" => PushKind::Unsubscribe,
            b"psubscribe" => PushKind::PSubscribe,
            b"punsubscribe" => PushKind::PUnsubscribe,
            b"ssubscribe" => PushKind::SSubscribe,
            b"sunsubscribe" => PushKind::SUnsubscribe,
            _ => return Received::Reply(Value::Array(parts)),
        },
        _ => return Received::Reply(Value::Array(parts)),
    };
    parts.remove(0);
    Received::Push(PushInfo { kind, data: parts })
}
