//! Where messages may be missing because the connection was lost, a listener that asks is told so.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::future::ready;
use std::rc::Rc;
use std::sync::mpsc::{Receiver, channel};
use std::time::SystemTime;

use futures_util::FutureExt;
use redis_manager::prelude::*;
use redis_manager::{EventStream, Gap, MessageStream};
use redis_manager_support::TestServer;

use crate::fixture::{Host, PATIENCE, PROTOCOLS, eventually};
use crate::listening::{hearing, hearing_async, next_of, next_text};
use crate::reconnect::{expect_event, expect_lost, kill_connections, open, options};

/// Passes on what a listener with gaps is told.
fn telling() -> (
    impl Fn(&ListenerEvent) -> ListenerResult + Clone + Send + Sync + 'static,
    Receiver<ListenerEvent>,
) {
    let (sender, told) = channel();
    let tell = move |event: &ListenerEvent| Ok(sender.send(event.clone())?);
    (tell, told)
}

/// A message as its text, a gap as the name of its channel in angle brackets.
fn text(event: &ListenerEvent) -> String {
    match event {
        ListenerEvent::Message(message) => message.payload_str().unwrap().to_owned(),
        ListenerEvent::Gap(gap) => format!("<{}>", String::from_utf8_lossy(gap.channel.name())),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn next_event(told: &Receiver<ListenerEvent>) -> ListenerEvent {
    told.recv_timeout(PATIENCE).unwrap()
}

/// The events up to the restore of all subscriptions, and how many channels it was.
#[track_caller]
pub(crate) fn until_resubscribed(events: &mut EventStream) -> (Vec<ClientEvent>, usize) {
    let mut seen = expect_event(events, "the subscriptions are restored", |event| {
        matches!(event, ClientEvent::Resubscribed { .. })
    });
    match seen.pop() {
        Some(ClientEvent::Resubscribed { channels }) => (seen, channels),
        other => panic!("{other:?}"),
    }
}

/// The gaps among `events`.
pub(crate) fn gaps_among(events: &[ClientEvent]) -> Vec<Gap> {
    let gaps = events.iter().filter_map(|event| match event {
        ClientEvent::Gaps(gaps) => Some(gaps.to_vec()),
        _ => None,
    });
    gaps.flatten().collect()
}

/// Takes out what is there until there are `count`.
#[track_caller]
fn take(stream: &mut MessageStream<ListenerEvent>, count: usize) -> Vec<String> {
    let mut taken = Vec::new();
    eventually("enough is told", || {
        taken.extend(std::iter::from_fn(|| stream.try_recv()).map(|event| text(&event)));
        taken.len() >= count
    });
    taken
}

fn publish(server: &TestServer, payload: &str) {
    server.run(&["PUBLISH", "news.eu", payload]);
    if server.has_command("SPUBLISH") {
        server.run(&["SPUBLISH", "news.eu", payload]);
    }
}

#[test]
fn a_gap_stands_where_messages_are_missing_for_every_listener_that_asks_and_for_no_other() {
    for protocol in PROTOCOLS {
        let (server, host) = (TestServer::start(), Host::new());
        let client: RedisPubSubClient = open(&host, server.url(), options(protocol));
        let mut channels = vec![Channel::new("news.eu"), Channel::pattern("news.*")];
        if server.is_tried_with("SSUBSCRIBE") {
            channels.push(Channel::shard("news.eu"));
        }
        for listened in channels {
            let listener = || client.listener(&listened).with_gaps();
            let (tell, sync_told) = telling();
            listener().register(tell).unwrap();
            let (tell, async_told) = telling();
            let registering = listener().register_async(move |event| ready(tell(&event)));
            pollster::block_on(registering).unwrap();
            let mut stream = listener().messages().unwrap();
            let local_told = Rc::new(RefCell::new(Vec::new()));
            let own = Rc::clone(&local_told);
            let registered = listener().register_local(move |event: &ListenerEvent| {
                own.borrow_mut().push(text(event));
                Ok(())
            });
            let mut local = registered.unwrap();
            let (function, heard) = hearing();
            client.listener(&listened).register(function).unwrap();
            let (function, async_heard) = hearing_async();
            let registering = client.listener(&listened).register_async(function);
            pollster::block_on(registering).unwrap();
            let mut messages = client.messages(&listened).unwrap();

            let mut events = client.events();
            let gap = format!("<{}>", String::from_utf8_lossy(listened.name()));
            publish(&server, "0");
            let mut expected = vec!["0".to_owned()];
            for round in 1..=3 {
                // Its listeners have all that was sent on the connection that is lost.
                assert_eq!(next_text(&heard), (round - 1).to_string());
                kill_connections(&server);
                until_resubscribed(&mut events);
                publish(&server, &round.to_string());
                expected.extend([gap.clone(), round.to_string()]);
            }
            for told in [sync_told, async_told] {
                for expected in &expected {
                    assert_eq!(text(&next_event(&told)), *expected, "{listened}");
                }
            }
            assert_eq!(take(&mut stream, 7), expected, "{listened}");
            eventually("the local one is told all", || {
                assert!((&mut local).now_or_never().is_none());
                local_told.borrow().len() >= expected.len()
            });
            assert_eq!(*local_told.borrow(), expected, "{listened}");
            assert_eq!(next_text(&heard), "3");
            for number in 0..=3 {
                assert_eq!(next_text(&async_heard), number.to_string());
                let message = next_of(&mut messages);
                assert_eq!(message.payload_str().unwrap(), number.to_string());
            }
        }
    }
}

#[test]
fn the_client_tells_one_gap_a_channel_within_its_bounds_and_then_that_all_are_restored() {
    for protocol in PROTOCOLS {
        let before = SystemTime::now();
        let (server, host) = (TestServer::start(), Host::new());
        let client: RedisPubSubClient = open(&host, server.url(), options(protocol));
        let mut channels = BTreeSet::from([Channel::pattern("c*")]);
        if server.is_tried_with("SSUBSCRIBE") {
            channels.insert(Channel::shard("c0"));
        }
        channels.extend((0..20).map(|number| Channel::new(format!("c{number}"))));
        let mut receivers = Vec::new();
        for channel in channels.iter().chain(&channels) {
            let (tell, told) = telling();
            let listener = client.listener(channel).with_gaps();
            listener.register(tell).unwrap();
            receivers.push((channel.clone(), told));
        }
        let mut events = client.events();
        let (function, heard) = hearing();
        client.register_listener("last", function).unwrap();
        channels.insert(Channel::new("last"));
        server.run(&["PUBLISH", "last", "word"]);
        assert_eq!(next_text(&heard), "word");
        // What was heard last was heard by now. The clock moves on, so that this and the loss are two times.
        let heard_last = SystemTime::now();
        eventually("time passes", || {
            heard_last.elapsed().unwrap() > Duration::from_millis(50)
        });
        let killed = SystemTime::now();
        kill_connections(&server);
        let (seen, restored) = until_resubscribed(&mut events);
        let after = SystemTime::now();
        let gaps = gaps_among(&seen);
        let of: BTreeSet<_> = gaps.iter().map(|gap| gap.channel.clone()).collect();
        assert_eq!((gaps.len(), restored), (channels.len(), channels.len()));
        assert_eq!(of, channels, "{protocol:?}");
        for gap in &gaps {
            assert!(gap.since >= before && gap.since <= heard_last, "{gap:?}");
            assert!(gap.until >= killed && gap.until <= after, "{gap:?}");
        }
        for (channel, told) in &receivers {
            let ListenerEvent::Gap(gap) = next_event(told) else {
                panic!("no message was sent to the {channel}");
            };
            assert_eq!(gap.channel, *channel);
            assert!(gaps.contains(&gap), "{gap:?}");
            assert!(told.try_recv().is_err());
        }
        let rest: Vec<_> = std::iter::from_fn(|| events.try_recv()).collect();
        assert!(gaps_among(&rest).is_empty(), "{rest:?}");
    }
}

#[test]
fn who_is_registered_after_the_loss_has_missed_nothing() {
    for protocol in PROTOCOLS {
        let (server, host) = (TestServer::start(), Host::new());
        let client: RedisPubSubClient = open(&host, server.url(), options(protocol));
        let listener = |channel| client.listener(channel).with_gaps();
        let mut early = listener("old").messages().unwrap();
        let mut events = client.events();
        server.kill().unwrap();
        expect_lost(&mut events);
        // Under RESP2 the socket that subscribes may be the second to notice.
        let sockets = if protocol == Protocol::Resp2 { 2 } else { 1 };
        for _ in 0..sockets {
            expect_event(&mut events, "a socket is missed", |event| {
                matches!(event, ClientEvent::ReconnectAttempt { attempt: 1, .. })
            });
        }
        let mut late = Box::pin(listener("old").messages_async());
        let mut new = Box::pin(listener("new").messages_async());
        assert!((&mut late).now_or_never().is_none());
        assert!((&mut new).now_or_never().is_none());
        server.restart().unwrap();
        let mut late = pollster::block_on(late).unwrap();
        let mut new = pollster::block_on(new).unwrap();
        let (seen, _) = until_resubscribed(&mut events);
        let gaps = gaps_among(&seen);
        assert_eq!(gaps.len(), 1, "{gaps:?}");
        assert_eq!(gaps[0].channel, Channel::new("old"));
        server.run(&["PUBLISH", "old", "hello"]);
        server.run(&["PUBLISH", "new", "hello"]);
        assert_eq!(take(&mut early, 2), ["<old>", "hello"], "{protocol:?}");
        assert_eq!(take(&mut late, 1), ["hello"], "{protocol:?}");
        assert_eq!(take(&mut new, 1), ["hello"], "{protocol:?}");
    }
}

#[test]
fn a_full_queue_drops_messages_and_no_gap() {
    let cases = [
        (Overflow::DropOldest, ["<c>", "8", "9"]),
        (Overflow::DropNewest, ["1", "2", "<c>"]),
    ];
    for protocol in PROTOCOLS {
        for (overflow, expected) in cases {
            let (server, host) = (TestServer::start(), Host::new());
            let client: RedisPubSubClient = open(&host, server.url(), options(protocol));
            let listener = client.listener("c").with_gaps();
            let listener = listener.queue_size(2).overflow(overflow);
            let mut stream = listener.messages().unwrap();
            let (function, heard) = hearing();
            client.register_listener("c", function).unwrap();
            let mut events = client.events();
            let mut gaps_told = Vec::new();
            for number in 0..=9 {
                server.run(&["PUBLISH", "c", &number.to_string()]);
                assert_eq!(next_text(&heard), number.to_string());
                if number == 0 {
                    // So that there is a message before the first gap in one case, and room in the other.
                    assert_eq!(take(&mut stream, 1), ["0"]);
                }
                if number == 4 || number == 7 {
                    kill_connections(&server);
                    let (seen, _) = until_resubscribed(&mut events);
                    gaps_told.extend(gaps_among(&seen));
                }
            }
            assert_eq!(gaps_told.len(), 2);
            let stands_for_both = gaps_told[0].clone().merge(gaps_told[1].clone());
            let mut told = Vec::new();
            while let Some(event) = stream.try_recv() {
                if let ListenerEvent::Gap(gap) = &event {
                    assert_eq!(*gap, stands_for_both);
                }
                told.push(text(&event));
            }
            assert_eq!(told, expected, "{overflow:?}, {protocol:?}");
            // Of nine that were not taken out at once, two are kept.
            assert_eq!(stream.handle().dropped(), 7);
        }
    }
}
