//! Which reply belongs to which request. No I/O: bytes come and go through the driver.

use std::collections::VecDeque;
use std::sync::Arc;

use redis::{ProtocolVersion, PushInfo, PushKind, Value};
use tokio::time::Instant;

use super::PushSink;
use super::reply::Expected;
use super::request::Request;
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
    pushes: Pushes,
    sink: Option<Arc<dyn PushSink>>,
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
            pushes,
            sink,
        }
    }

    /// Notes requests whose bytes follow those of the requests before.
    pub(super) fn add(&mut self, requests: impl IntoIterator<Item = Request>) {
        for request in requests {
            self.earliest = sooner(self.earliest, request.due());
            self.kept += request.kept();
            self.requests.push_back(request);
        }
    }

    /// How many requests have no reply yet.
    pub(super) fn len(&self) -> usize {
        self.requests.len()
    }

    /// How many bytes of them are kept.
    pub(super) fn kept(&self) -> usize {
        self.kept
    }

    /// When to [`expire`](Self::expire) next.
    pub(super) fn earliest(&self) -> Option<Instant> {
        self.earliest
    }

    /// Fails the requests whose deadline is over. Their replies are still to come.
    pub(super) fn expire(&mut self, now: Instant) {
        self.earliest = None;
        for request in &mut self.requests {
            if !request.expire(now, "no reply") {
                self.earliest = sooner(self.earliest, request.due());
            }
        }
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

    /// Takes what the server sent next, and returns whether it was a reply.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Protocol`] if nobody asked for it: from there on no reply could be trusted.
    pub(super) fn receive(&mut self, value: Value) -> Result<bool> {
        match self.sort(value) {
            Received::Reply(value) => self.reply(value)?,
            Received::Push(push) if is_confirmation(&push.kind) && self.confirmation_is_due() => {
                let PushInfo { kind, data } = push;
                self.reply(Value::Push { kind, data })?;
            }
            Received::Push(push) => {
                if let Some(sink) = &self.sink {
                    sink.push(push);
                }
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn sort(&self, value: Value) -> Received {
        match (self.pushes, value) {
            (_, Value::Push { kind, data }) => Received::Push(PushInfo { kind, data }),
            (Pushes::Arrays, Value::Array(parts)) => array_push(parts),
            (_, value) => Received::Reply(value),
        }
    }

    fn confirmation_is_due(&self) -> bool {
        let first = self.requests.front();
        first.is_some_and(|request| request.expected() == Expected::Confirmation)
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
        if request.take(value) {
            self.sent -= 1;
            self.kept -= request.kept();
            self.requests.pop_front();
        }
        Ok(())
    }

    /// Gives up the connection because of `cause`. What the socket took a byte of fails, because it may have
    /// run, unless it may run twice. The rest is returned; `bytes` are those that the socket has not taken.
    pub(super) fn lose(&mut self, cause: &Error, bytes: &[u8]) -> Unsent {
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

fn is_confirmation(kind: &PushKind) -> bool {
    matches!(
        kind,
        PushKind::Subscribe
            | PushKind::Unsubscribe
            | PushKind::PSubscribe
            | PushKind::PUnsubscribe
            | PushKind::SSubscribe
            | PushKind::SUnsubscribe
    )
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use parking_lot::Mutex;
    use tokio::sync::oneshot;

    use super::super::reply::Reply;
    use super::super::request::RequestKind;
    use super::*;
    use crate::{Deadline, Delivery, InFlight};

    type Waiter = oneshot::Receiver<Result<Reply>>;

    const SIZE: usize = 10;

    fn add(multiplexer: &mut Multiplexer, expected: Expected) -> Waiter {
        add_with(multiplexer, expected, None, false)
    }

    fn add_with(
        multiplexer: &mut Multiplexer,
        expected: Expected,
        timeout: Option<Duration>,
        is_replayed: bool,
    ) -> Waiter {
        let kind = RequestKind {
            expected,
            in_flight: InFlight::uncounted(Deadline::after(timeout)),
            is_unattended: false,
            is_replayed,
        };
        let (request, reply) = Request::new(0, kind, &[b'x'; SIZE]);
        multiplexer.add([request]);
        reply
    }

    fn add_sent(multiplexer: &mut Multiplexer, expected: Expected) -> Waiter {
        let reply = add(multiplexer, expected);
        multiplexer.wrote(SIZE);
        reply
    }

    fn value(waiter: &mut Waiter) -> Option<Value> {
        match waiter.try_recv().ok()? {
            Ok(Reply::One(value)) => Some(value),
            other => panic!("not one value: {other:?}"),
        }
    }

    #[derive(Default)]
    struct Seen(Mutex<Vec<PushKind>>);

    impl PushSink for Seen {
        fn push(&self, push: PushInfo) {
            self.0.lock().push(push.kind);
        }
    }

    fn with_sink(pushes: Pushes) -> (Multiplexer, Arc<Seen>) {
        let seen = Arc::new(Seen::default());
        (Multiplexer::new(pushes, Some(Arc::clone(&seen) as _)), seen)
    }

    fn push(kind: PushKind) -> Value {
        Value::Push { kind, data: vec![] }
    }

    fn array(kind: &str) -> Value {
        Value::Array(vec![
            Value::BulkString(kind.as_bytes().to_vec()),
            Value::Nil,
        ])
    }

    #[test]
    fn replies_go_to_requests_in_order_those_of_cancelled_ones_included() {
        let mut multiplexer = Multiplexer::new(Pushes::None, None);
        let mut first = add_sent(&mut multiplexer, Expected::One);
        drop(add_sent(&mut multiplexer, Expected::Each(2)));
        let mut third = add_sent(&mut multiplexer, Expected::One);
        for number in 1..=4 {
            multiplexer.receive(Value::Int(number)).unwrap();
        }
        assert_eq!(value(&mut first), Some(Value::Int(1)));
        assert_eq!(value(&mut third), Some(Value::Int(4)));
    }

    #[test]
    fn a_reply_that_nobody_asked_for_is_an_error() {
        let mut multiplexer = Multiplexer::new(Pushes::Typed, None);
        assert_eq!(
            multiplexer.receive(Value::Okay).unwrap_err().kind(),
            ErrorKind::Protocol
        );
        // Asked, but not a byte of it is sent.
        let mut waiter = add(&mut multiplexer, Expected::One);
        assert!(multiplexer.receive(Value::Okay).is_err());
        assert_eq!(value(&mut waiter), None);
    }

    #[test]
    fn a_reply_that_nobody_asked_for_is_an_error_from_its_first_byte() {
        for (pushes, push) in [(Pushes::Typed, b'>'), (Pushes::Arrays, b'*')] {
            let mut multiplexer = Multiplexer::new(pushes, None);
            assert!(multiplexer.begin(push).is_ok());
            assert!(multiplexer.begin(b'+').is_err());
            let _waiter = add_sent(&mut multiplexer, Expected::One);
            assert!(multiplexer.begin(b'+').is_ok());
        }
    }

    #[test]
    fn pushes_are_no_replies() {
        let (mut multiplexer, seen) = with_sink(Pushes::Typed);
        let mut waiter = add_sent(&mut multiplexer, Expected::One);
        multiplexer.receive(push(PushKind::Message)).unwrap();
        // The server ended a subscription by itself.
        multiplexer.receive(push(PushKind::SUnsubscribe)).unwrap();
        assert_eq!(value(&mut waiter), None);
        multiplexer.receive(array("message")).unwrap();
        assert_eq!(value(&mut waiter), Some(array("message")));
        assert_eq!(*seen.0.lock(), [PushKind::Message, PushKind::SUnsubscribe]);
    }

    #[test]
    fn a_confirmation_is_the_reply_of_who_waits_for_one() {
        let (mut multiplexer, seen) = with_sink(Pushes::Typed);
        let mut get = add_sent(&mut multiplexer, Expected::One);
        let mut subscribe = add_sent(&mut multiplexer, Expected::Confirmation);
        multiplexer.receive(push(PushKind::Message)).unwrap();
        multiplexer.receive(Value::Okay).unwrap();
        multiplexer.receive(push(PushKind::Subscribe)).unwrap();
        assert_eq!(value(&mut get), Some(Value::Okay));
        assert_eq!(value(&mut subscribe), Some(push(PushKind::Subscribe)));
        assert_eq!(*seen.0.lock(), [PushKind::Message]);
    }

    #[test]
    fn a_resp2_subscriber_gets_its_pushes_as_arrays() {
        let (mut multiplexer, seen) = with_sink(Pushes::Arrays);
        let mut subscribe = add_sent(&mut multiplexer, Expected::Confirmation);
        multiplexer.receive(array("message")).unwrap();
        multiplexer.receive(array("subscribe")).unwrap();
        multiplexer.receive(array("pmessage")).unwrap();
        assert!(value(&mut subscribe).is_some());
        assert_eq!(*seen.0.lock(), [PushKind::Message, PushKind::PMessage]);
    }

    #[test]
    fn only_what_the_socket_took_a_byte_of_may_have_run() {
        let mut multiplexer = Multiplexer::new(Pushes::None, None);
        let mut waiters: Vec<_> = (0..4)
            .map(|_| add(&mut multiplexer, Expected::One))
            .collect();
        multiplexer.wrote(1);
        multiplexer.wrote(SIZE);
        multiplexer.receive(Value::Okay).unwrap();
        let unsent = multiplexer.lose(&lost(), &[b'x'; SIZE * 3 - 1]);
        assert_eq!(value(&mut waiters[0]), Some(Value::Okay));
        assert_eq!(delivery(&mut waiters[1]), Some(Delivery::Unknown));
        assert_eq!((unsent.requests.len(), unsent.bytes.len()), (2, 2 * SIZE));
        assert!(waiters[2].try_recv().is_err(), "still on its way");
    }

    #[test]
    fn what_may_run_twice_is_to_be_sent_again_from_its_first_byte_and_before_the_rest() {
        let mut multiplexer = Multiplexer::new(Pushes::None, None);
        let mut once = add_with(&mut multiplexer, Expected::One, None, false);
        let mut twice = add_with(&mut multiplexer, Expected::Each(2), None, true);
        drop(add_with(&mut multiplexer, Expected::One, None, true));
        let _unsent = add(&mut multiplexer, Expected::One);
        multiplexer.wrote(3 * SIZE);
        assert_eq!(multiplexer.kept(), 2 * SIZE);
        let mut unsent = multiplexer.lose(&lost(), &[b'y'; SIZE]);
        assert_eq!(delivery(&mut once), Some(Delivery::Unknown));
        assert_eq!(unsent.bytes, [[b'x'; SIZE], [b'y'; SIZE]].concat());
        // If it comes to no connection any more, it may have run all the same.
        unsent.requests[0].fail(lost());
        assert_eq!(delivery(&mut twice), Some(Delivery::Unknown));
    }

    #[test]
    fn a_request_fails_by_its_deadline_and_its_reply_is_still_its_own() {
        let mut multiplexer = Multiplexer::new(Pushes::None, None);
        let timeout = |seconds| Some(Duration::from_secs(seconds));
        let now = Instant::now();
        let mut late = add_with(&mut multiplexer, Expected::One, timeout(1), false);
        let mut later = add_with(&mut multiplexer, Expected::One, timeout(3), false);
        let mut never = add(&mut multiplexer, Expected::One);
        multiplexer.wrote(3 * SIZE);
        assert!(multiplexer.earliest().unwrap() < now + Duration::from_secs(2));
        multiplexer.expire(now + Duration::from_secs(2));
        assert_eq!(delivery(&mut late), Some(Delivery::Unknown));
        assert!(multiplexer.earliest().unwrap() > now + Duration::from_secs(2));
        for number in 1..=3 {
            multiplexer.receive(Value::Int(number)).unwrap();
        }
        assert_eq!(value(&mut later), Some(Value::Int(2)));
        assert_eq!(value(&mut never), Some(Value::Int(3)));
    }

    #[test]
    fn who_asked_the_server_before_us_is_waited_for_and_who_asked_after_is_not() {
        let mut multiplexer = Multiplexer::new(Pushes::None, None);
        let before = add(&mut multiplexer, Expected::One);
        multiplexer.add([Request::heartbeat(SIZE)]);
        let _after = add(&mut multiplexer, Expected::One);
        assert!(multiplexer.has_patience());
        drop(before);
        assert!(!multiplexer.has_patience());
    }

    fn lost() -> Error {
        Error::new(ErrorKind::Disconnected, "lost")
    }

    fn delivery(waiter: &mut Waiter) -> Option<Delivery> {
        waiter.try_recv().unwrap().unwrap_err().delivery()
    }
}
