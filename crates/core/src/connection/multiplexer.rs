//! Which reply belongs to which request. No I/O: bytes come and go through the driver.

use std::collections::VecDeque;
use std::sync::Arc;

use redis::{PushInfo, PushKind, Value};
use tokio::sync::oneshot;

use super::PushSink;
use super::reply::{Collector, Expected, Reply};
use crate::{Delivery, Error, ErrorKind, InFlight, Result};

/// One request on its way.
#[derive(Debug)]
pub(super) struct Request {
    /// Its place among all requests of its outbox.
    number: u64,
    collector: Collector,
    waiter: oneshot::Sender<Result<Reply>>,
    /// How many bytes it has.
    size: usize,
    /// A closing client waits for the reply, also if the caller does not. `None` once it is withdrawn.
    in_flight: Option<InFlight>,
    /// It goes its way also if nobody waits for the reply.
    unattended: bool,
}

impl Request {
    pub(super) fn new(
        number: u64,
        expected: Expected,
        size: usize,
        in_flight: InFlight,
    ) -> (Self, oneshot::Receiver<Result<Reply>>) {
        let (waiter, reply) = oneshot::channel();
        let request = Self {
            number,
            collector: Collector::new(expected),
            waiter,
            size,
            in_flight: Some(in_flight),
            unattended: false,
        };
        (request, reply)
    }

    pub(super) fn unattended(mut self, unattended: bool) -> Self {
        self.unattended = unattended;
        self
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Whether it is to be sent, if it was not yet.
    pub(super) fn is_wanted(&self) -> bool {
        // A caller can also give up while the driver has the request, and the driver give it back.
        self.in_flight.is_some() && (self.unattended || !self.waiter.is_closed())
    }

    /// Keeps it from being sent.
    pub(super) fn withdraw(&mut self) {
        self.in_flight = None;
    }

    /// Tells the caller that it failed.
    pub(super) fn fail(self, error: Error) {
        // Nobody listens if the call was cancelled.
        let _ = self.waiter.send(Err(error));
    }
}

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

/// The requests of one connection, in the order of their bytes.
pub(super) struct Multiplexer {
    requests: VecDeque<Request>,
    /// How many of `requests`, from the front, the socket has taken a byte of.
    sent: usize,
    /// How many bytes of the last one of those the socket has not taken yet.
    unsent_bytes_of_last: usize,
    pushes: Pushes,
    sink: Option<Arc<dyn PushSink>>,
}

impl Multiplexer {
    pub(super) fn new(pushes: Pushes, sink: Option<Arc<dyn PushSink>>) -> Self {
        Self {
            requests: VecDeque::new(),
            sent: 0,
            unsent_bytes_of_last: 0,
            pushes,
            sink,
        }
    }

    /// Notes requests whose bytes follow those of the requests before.
    pub(super) fn add(&mut self, requests: impl IntoIterator<Item = Request>) {
        self.requests.extend(requests);
    }

    /// Notes that the socket has taken `bytes` more.
    pub(super) fn wrote(&mut self, mut bytes: usize) {
        while bytes > 0 {
            if self.unsent_bytes_of_last == 0 {
                let Some(next) = self.requests.get(self.sent) else {
                    return;
                };
                self.unsent_bytes_of_last = next.size;
                self.sent += 1;
            }
            let taken = bytes.min(self.unsent_bytes_of_last);
            self.unsent_bytes_of_last -= taken;
            bytes -= taken;
        }
    }

    /// Takes what the server sent next.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Protocol`] if nobody asked for it: from there on no reply could be trusted.
    pub(super) fn receive(&mut self, value: Value) -> Result<()> {
        match self.sort(value) {
            Received::Reply(value) => self.reply(value),
            Received::Push(push) if is_confirmation(&push.kind) && self.confirmation_is_due() => {
                let PushInfo { kind, data } = push;
                self.reply(Value::Push { kind, data })
            }
            Received::Push(push) => {
                if let Some(sink) = &self.sink {
                    sink.push(push);
                }
                Ok(())
            }
        }
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
        first.is_some_and(|request| request.collector.awaits_confirmation())
    }

    fn reply(&mut self, value: Value) -> Result<()> {
        if self.sent == 0 {
            return Err(Error::new(
                ErrorKind::Protocol,
                "the server sent a reply that nobody asked for",
            ));
        }
        let Some(request) = self.requests.front_mut() else {
            return Ok(());
        };
        if let Some(reply) = request.collector.take(value)
            && let Some(request) = self.requests.pop_front()
        {
            self.sent -= 1;
            // Nobody listens if the call was cancelled.
            let _ = request.waiter.send(Ok(reply));
        }
        Ok(())
    }

    /// Fails what the socket took a byte of because of `cause`: it may have run. Returns the rest.
    pub(super) fn fail_sent(&mut self, cause: &Error) -> VecDeque<Request> {
        let unsent = self.requests.split_off(self.sent);
        for request in self.requests.drain(..) {
            request.fail(cause.clone().with_delivery(Delivery::Unknown));
        }
        self.sent = 0;
        self.unsent_bytes_of_last = 0;
        unsent
    }

    /// How many bytes of a request that is being sent the socket has not taken yet.
    pub(super) fn unsent_bytes_of_last(&self) -> usize {
        self.unsent_bytes_of_last
    }
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
    use parking_lot::Mutex;

    use super::*;

    type Waiter = oneshot::Receiver<Result<Reply>>;

    const SIZE: usize = 10;

    fn add(multiplexer: &mut Multiplexer, expected: Expected) -> Waiter {
        let (request, reply) = Request::new(0, expected, SIZE, InFlight::uncounted());
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
        assert_eq!(multiplexer.unsent_bytes_of_last(), SIZE - 1);
        let unsent = multiplexer.fail_sent(&Error::new(ErrorKind::Disconnected, "lost"));
        assert_eq!(value(&mut waiters[0]), Some(Value::Okay));
        let lost = waiters[1].try_recv().unwrap().unwrap_err();
        assert_eq!(lost.delivery(), Some(Delivery::Unknown));
        assert_eq!(unsent.len(), 2);
        assert!(waiters[2].try_recv().is_err(), "still on its way");
    }
}
