//! Requests, replies and pushes in every order that matters.

use std::time::Duration;

use parking_lot::Mutex;

use super::super::reply::Reply;
use super::super::request::RequestKind;
use super::super::subscription::Subscription;
use super::super::verdict::Verdict;
use super::*;
use crate::client_context::WorkToken;
use crate::{Channel, Deadline, Delivery, InFlight};

const SIZE: usize = 10;

fn add(multiplexer: &mut Multiplexer, expected: Expected) -> Verdict {
    add_with(multiplexer, expected, None, false)
}

fn add_with(
    multiplexer: &mut Multiplexer,
    expected: Expected,
    timeout: Option<Duration>,
    is_replayed: bool,
) -> Verdict {
    add_kind(
        multiplexer,
        RequestKind {
            expected,
            subscription: None,
            in_flight: InFlight::uncounted(Deadline::after(timeout)),
            is_unattended: false,
            is_replayed,
        },
    )
}

fn add_kind(multiplexer: &mut Multiplexer, kind: RequestKind) -> Verdict {
    let (request, reply) = Request::new(0, kind, &[b'x'; SIZE]);
    multiplexer.add([request]);
    reply
}

fn add_subscription(multiplexer: &mut Multiplexer, channel: Channel, change: Change) -> Verdict {
    let reply = add_kind(
        multiplexer,
        RequestKind {
            expected: Expected::Confirmation,
            subscription: Some(Box::new(Subscription { channel, change })),
            in_flight: InFlight::uncounted(Deadline::after(None)),
            is_unattended: false,
            is_replayed: false,
        },
    );
    multiplexer.wrote(SIZE);
    reply
}

fn add_sent(multiplexer: &mut Multiplexer, expected: Expected) -> Verdict {
    let reply = add(multiplexer, expected);
    multiplexer.wrote(SIZE);
    reply
}

fn value(waiter: &mut Verdict) -> Option<Value> {
    match waiter.try_take()? {
        Ok(Reply::One(value)) => Some(value),
        other => panic!("not one value: {other:?}"),
    }
}

#[derive(Default)]
struct Seen(Mutex<Vec<String>>);

impl Seen {
    #[track_caller]
    fn expect(&self, expected: &[&str]) {
        assert_eq!(*self.0.lock(), expected);
    }
}

impl PushSink for Seen {
    fn push(&self, push: PushInfo) {
        self.0.lock().push(format!("{:?}", push.kind));
    }

    fn subscribed(&self, channel: &Channel) {
        self.0.lock().push(channel.to_string());
    }

    fn unsubscribed(&self, channel: &Channel) {
        self.0.lock().push(format!("the end of {channel}"));
    }

    fn restored(&self, channel: &Channel, outcome: Result<()>) {
        let outcome = if outcome.is_ok() { "" } else { "not " };
        self.0.lock().push(format!("{channel} {outcome}restored"));
    }
}

fn with_sink(pushes: Pushes) -> (Multiplexer, Arc<Seen>) {
    let seen = Arc::new(Seen::default());
    (Multiplexer::new(pushes, Some(Arc::clone(&seen) as _)), seen)
}

fn push(kind: PushKind) -> Value {
    let data = vec![text("news")];
    Value::Push { kind, data }
}

fn array(kind: &str) -> Value {
    Value::Array(vec![text(kind), text("news")])
}

fn text(text: &str) -> Value {
    Value::BulkString(text.as_bytes().to_vec())
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
    seen.expect(&["Message", "SUnsubscribe"]);
}

#[test]
fn a_confirmation_is_the_reply_of_who_waits_for_one() {
    let (mut multiplexer, seen) = with_sink(Pushes::Typed);
    let mut get = add_sent(&mut multiplexer, Expected::One);
    let mut subscribe = add_subscription(&mut multiplexer, Channel::new("news"), Change::Begins);
    multiplexer.receive(push(PushKind::Message)).unwrap();
    multiplexer.receive(Value::Okay).unwrap();
    multiplexer.receive(push(PushKind::Subscribe)).unwrap();
    multiplexer.receive(push(PushKind::Message)).unwrap();
    assert_eq!(value(&mut get), Some(Value::Okay));
    assert_eq!(value(&mut subscribe), Some(push(PushKind::Subscribe)));
    seen.expect(&["Message", "channel \"news\"", "Message"]);
}

#[test]
fn a_confirmation_of_something_else_is_an_error() {
    for (channel, change, confirmed) in [
        (Channel::new("other"), Change::Begins, PushKind::Subscribe),
        (
            Channel::pattern("news"),
            Change::Begins,
            PushKind::Subscribe,
        ),
        (Channel::new("news"), Change::Ends, PushKind::Subscribe),
    ] {
        let (mut multiplexer, seen) = with_sink(Pushes::Typed);
        let mut waiter = add_subscription(&mut multiplexer, channel, change);
        let refused = multiplexer.receive(push(confirmed)).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Protocol);
        assert_eq!(value(&mut waiter), None);
        seen.expect(&[]);
    }
    let (mut multiplexer, _) = with_sink(Pushes::Typed);
    let mut get = add_sent(&mut multiplexer, Expected::One);
    assert!(multiplexer.receive(push(PushKind::PSubscribe)).is_err());
    assert_eq!(value(&mut get), None);
}

#[test]
fn the_end_of_a_shard_subscription_may_come_unasked_and_is_not_taken_for_another() {
    let (mut multiplexer, seen) = with_sink(Pushes::Typed);
    let mut ending = add_subscription(&mut multiplexer, Channel::shard("other"), Change::Ends);
    multiplexer.receive(push(PushKind::SUnsubscribe)).unwrap();
    assert_eq!(value(&mut ending), None);
    seen.expect(&["SUnsubscribe"]);
}

#[test]
fn a_channel_that_leaves_is_told_as_one_that_the_server_ended() {
    let (mut multiplexer, seen) = with_sink(Pushes::Typed);
    let mut leaving = add_subscription(&mut multiplexer, Channel::shard("news"), Change::Leaves);
    multiplexer.receive(push(PushKind::SUnsubscribe)).unwrap();
    assert_eq!(value(&mut leaving), Some(push(PushKind::SUnsubscribe)));
    seen.expect(&["SUnsubscribe"]);
}

#[test]
fn who_is_refused_what_the_server_has_ended_by_itself_keeps_replies_and_requests_together() {
    for pushes in [Pushes::Typed, Pushes::Arrays] {
        let (mut multiplexer, seen) = with_sink(pushes);
        let mut ending = add_ending(&mut multiplexer, Channel::shard("news"));
        let mut get = add_sent(&mut multiplexer, Expected::One);
        let ended = match pushes {
            Pushes::Arrays => array("sunsubscribe"),
            Pushes::Typed | Pushes::None => push(PushKind::SUnsubscribe),
        };
        for came in [ended, moved(), pong(pushes)] {
            assert_eq!(value(&mut ending), None);
            multiplexer.receive(came).unwrap();
        }
        assert_eq!(value(&mut ending), Some(push(PushKind::SUnsubscribe)));
        multiplexer.receive(Value::Okay).unwrap();
        assert_eq!(value(&mut get), Some(Value::Okay));
        seen.expect(&["the end of shard channel \"news\""]);
    }
}

#[test]
fn what_has_moved_before_its_end_is_not_ended_again() {
    let (mut multiplexer, seen) = with_sink(Pushes::Typed);
    let mut ending = add_ending(&mut multiplexer, Channel::shard("news"));
    multiplexer.receive(moved()).unwrap();
    multiplexer.receive(pong(Pushes::Typed)).unwrap();
    assert_eq!(value(&mut ending), Some(moved()));
    seen.expect(&[]);
}

fn add_ending(multiplexer: &mut Multiplexer, channel: Channel) -> Verdict {
    let reply = add_kind(
        multiplexer,
        RequestKind {
            expected: Expected::Ending,
            subscription: Some(Box::new(Subscription::new(&channel, Change::Ends))),
            in_flight: InFlight::uncounted(Deadline::after(None)),
            is_unattended: false,
            is_replayed: false,
        },
    );
    multiplexer.wrote(SIZE);
    reply
}

fn moved() -> Value {
    redis::parse_redis_value(b"-MOVED 1 127.0.0.1:7001\r\n").unwrap()
}

/// What a socket that is subscribed gets for a PING.
fn pong(pushes: Pushes) -> Value {
    match pushes {
        Pushes::Arrays => Value::Array(vec![text("pong"), text("")]),
        Pushes::Typed | Pushes::None => Value::SimpleString("PONG".to_owned()),
    }
}

fn add_restoring(multiplexer: &mut Multiplexer, channel: &str) {
    let subscription = Subscription::new(&channel.into(), Change::Begins);
    multiplexer.add([Request::restoring(subscription, SIZE)]);
}

#[test]
fn what_is_restored_is_told_to_the_sink_and_counts_for_nobody() {
    let (mut multiplexer, seen) = with_sink(Pushes::Typed);
    for channel in ["news", "other", "news"] {
        add_restoring(&mut multiplexer, channel);
    }
    let _get = add(&mut multiplexer, Expected::One);
    assert_eq!(multiplexer.len(), 1);
    multiplexer.wrote(3 * SIZE);
    multiplexer.receive(push(PushKind::Subscribe)).unwrap();
    let refusal = redis::parse_redis_value(b"-NOPERM no\r\n").unwrap();
    multiplexer.receive(refusal).unwrap();
    seen.expect(&[
        "channel \"news\"",
        "channel \"news\" restored",
        "channel \"other\" not restored",
    ]);
    assert_eq!(multiplexer.len(), 1);
}

#[test]
fn what_is_restored_can_wait_for_the_socket_but_not_for_another_connection() {
    let (mut multiplexer, _) = with_sink(Pushes::Typed);
    for channel in ["news", "other"] {
        add_restoring(&mut multiplexer, channel);
    }
    multiplexer.wrote(1);
    let unsent = multiplexer.take_unsent(&[b'x'; SIZE * 2 - 1]);
    assert_eq!(unsent.requests.len(), 1);
    assert!(unsent.requests.iter().all(Request::is_wanted));
    assert_eq!(multiplexer.len(), 0);
    multiplexer.add(unsent.requests);
    let unsent = multiplexer.lose(&lost(), &[b'x'; SIZE * 2 - 1]);
    assert!(!unsent.requests.iter().any(Request::is_wanted));
    assert_eq!(multiplexer.len(), 0);
}

#[test]
fn a_subscription_is_confirmed_or_refused_and_anything_else_is_an_error() {
    let (mut multiplexer, _) = with_sink(Pushes::Typed);
    let mut subscribe = add_subscription(&mut multiplexer, Channel::new("news"), Change::Begins);
    assert!(multiplexer.receive(Value::Okay).is_err());
    assert_eq!(value(&mut subscribe), None);
}

#[test]
fn a_refused_subscription_is_told_to_who_asked_and_to_nobody_else() {
    let (mut multiplexer, seen) = with_sink(Pushes::Typed);
    let mut subscribe = add_subscription(&mut multiplexer, Channel::new("news"), Change::Begins);
    let refusal = redis::parse_redis_value(b"-NOPERM no\r\n").unwrap();
    multiplexer.receive(refusal.clone()).unwrap();
    assert_eq!(value(&mut subscribe), Some(refusal));
    seen.expect(&[]);
}

#[test]
fn a_resp2_subscriber_gets_its_pushes_as_arrays() {
    let (mut multiplexer, seen) = with_sink(Pushes::Arrays);
    let mut subscribe = add_subscription(&mut multiplexer, Channel::new("news"), Change::Begins);
    multiplexer.receive(array("message")).unwrap();
    multiplexer.receive(array("subscribe")).unwrap();
    multiplexer.receive(array("pmessage")).unwrap();
    assert!(value(&mut subscribe).is_some());
    seen.expect(&["Message", "channel \"news\"", "PMessage"]);
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
    assert!(waiters[2].try_take().is_none(), "still on its way");
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
    multiplexer.expire(now + Duration::from_secs(2), || "h:1".to_owned());
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

fn delivery(waiter: &mut Verdict) -> Option<Delivery> {
    waiter.try_take().unwrap().unwrap_err().delivery()
}

#[test]
fn the_reply_to_a_closed_client_goes_nowhere_and_the_next_one_to_its_own_call() {
    let mut multiplexer = Multiplexer::new(Pushes::Typed, None);
    let client = WorkToken::uncounted();
    let kind = |expected| RequestKind {
        expected,
        subscription: None,
        in_flight: InFlight::of(client.another()),
        is_unattended: false,
        is_replayed: true,
    };
    let mut first = add_sent(&mut multiplexer, Expected::One);
    let mut cut = add_kind(&mut multiplexer, kind(Expected::Each(2)));
    multiplexer.wrote(SIZE);
    let mut last = add_sent(&mut multiplexer, Expected::One);
    client.cut();
    multiplexer.cut();
    let error = cut.try_take().unwrap().unwrap_err();
    let told = (error.kind(), error.delivery());
    assert_eq!(told, (ErrorKind::Closed, Some(Delivery::Unknown)));
    for number in 1..=4 {
        multiplexer.receive(Value::Int(number)).unwrap();
    }
    assert_eq!(value(&mut first), Some(Value::Int(1)));
    assert_eq!(value(&mut last), Some(Value::Int(4)));
    assert!(multiplexer.is_idle());
}
