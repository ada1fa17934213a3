//! A call that takes too long is named while it runs, once, and holds up no other listener.

use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use redis_manager::prelude::*;
use redis_manager::{EventStream, ListenerId, Protocol};

use crate::fixture::{Host, PATIENCE, PROTOCOLS, unique};
use crate::listening::{hearing, hearing_async, next_text, publish_from_outside, until_released};
use crate::reconnect::expect_event;

fn options(protocol: Protocol, blocked_after: Duration) -> ClientOptions {
    ClientOptions::builder()
        .protocol(protocol)
        .listener_blocked_after(blocked_after)
        .build()
        .unwrap()
}

/// A listener each of whose calls lasts until it is released.
struct Blocked {
    id: ListenerId,
    channel: String,
    started: Receiver<()>,
    release: Sender<()>,
}

impl Blocked {
    fn register(client: &RedisPubSubClient, kind: &str) -> Self {
        let channel = unique("blocked");
        let (start, started) = mpsc::channel();
        let (release, released) = mpsc::channel();
        let own = client.listener(&channel);
        let call = move |start: &Sender<()>, released: &Receiver<()>| -> ListenerResult {
            start.send(())?;
            let _ = released.recv();
            Ok(())
        };
        let listener = match kind {
            "sync" => own.register(move |_: &Message| call(&start, &released)),
            "async" => {
                let released = Arc::new(Mutex::new(released));
                pollster::block_on(own.register_async(move |_: Message| {
                    let (start, released) = (start.clone(), Arc::clone(&released));
                    async move {
                        start.send(())?;
                        until_released(&released).await;
                        Ok(())
                    }
                }))
            }
            _ => {
                let (register, registered) = mpsc::channel();
                thread::spawn(move || {
                    let local = own.register_local(move |_: &Message| call(&start, &released));
                    let local = local.unwrap();
                    register.send(local.handle().clone()).unwrap();
                    pollster::block_on(local);
                });
                Ok(registered.recv_timeout(PATIENCE).unwrap())
            }
        };
        Self {
            id: listener.unwrap().id(),
            channel,
            started,
            release,
        }
    }

    /// Lets a call begin.
    fn call(&self) {
        publish_from_outside(&self.channel, "stay");
        self.started.recv_timeout(PATIENCE).unwrap();
    }
}

/// The next call that is told to take too long.
#[track_caller]
fn next_blocked(events: &mut EventStream) -> (ListenerId, Channel, Duration) {
    let seen = expect_event(events, "a call is told to take too long", |event| {
        matches!(event, ClientEvent::ListenerBlocked { .. })
    });
    match seen.last() {
        Some(ClientEvent::ListenerBlocked {
            listener,
            channel,
            running_for,
        }) => (*listener, channel.clone(), *running_for),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_call_that_takes_too_long_is_named_once_and_the_other_listeners_go_on() {
    const PATIENT_FOR: Duration = Duration::from_millis(50);
    for protocol in PROTOCOLS {
        for kind in ["sync", "async", "local"] {
            let (host, other) = (Host::new(), unique("other"));
            let client: RedisPubSubClient = host.open_with(options(protocol, PATIENT_FOR));
            let (function, sync_heard) = hearing();
            client.register_listener(&other, function).unwrap();
            let (function, async_heard) = hearing_async();
            pollster::block_on(client.register_async_listener(&other, function)).unwrap();
            let mut events = client.events();
            // Each lasts while the next ones are waited for, and is not named again.
            let blocked = [(); 4].map(|()| Blocked::register(&client, kind));
            for (number, blocked) in blocked.iter().enumerate() {
                blocked.call();
                let (listener, channel, running_for) = next_blocked(&mut events);
                assert_eq!(listener, blocked.id, "{kind}, {number}");
                assert_eq!(channel, Channel::new(&blocked.channel));
                assert!(running_for >= PATIENT_FOR, "{running_for:?}");
                publish_from_outside(&other, number.to_string());
                for heard in [&sync_heard, &async_heard] {
                    assert_eq!(next_text(heard), number.to_string());
                }
            }
            // Another call of the first one is another matter.
            blocked[0].release.send(()).unwrap();
            blocked[0].call();
            assert_eq!(next_blocked(&mut events).0, blocked[0].id);
            // What waits behind a call that takes long takes long itself, if it does.
            publish_from_outside(&blocked[1].channel, "next");
            blocked[1].release.send(()).unwrap();
            blocked[1].started.recv_timeout(PATIENCE).unwrap();
            assert_eq!(next_blocked(&mut events).0, blocked[1].id);
        }
    }
}

#[test]
fn quick_calls_are_not_told_of_however_long_they_come_one_after_the_other() {
    // Far longer than any of these calls, however busy the machine is, and shorter than all of them.
    const PATIENT_FOR: Duration = Duration::from_millis(700);
    let hosts = PROTOCOLS.map(|protocol| (Host::new(), protocol));
    let channel = unique("quick");
    let mut all = Vec::new();
    for (host, protocol) in &hosts {
        let client: RedisPubSubClient = host.open_with(options(*protocol, PATIENT_FOR));
        let (function, heard) = hearing();
        client.register_listener(&channel, function).unwrap();
        let (function, async_heard) = hearing_async();
        pollster::block_on(client.register_async_listener(&channel, function)).unwrap();
        let (mut function, local_heard) = hearing();
        let own = client.listener(&channel);
        let (register, registered) = mpsc::channel();
        let polling = thread::spawn(move || {
            let local = own.register_local(move |message: &Message| function(message));
            register.send(()).unwrap();
            pollster::block_on(local.unwrap());
        });
        registered.recv_timeout(PATIENCE).unwrap();
        let events = client.events();
        all.push((client, [heard, async_heard, local_heard], events, polling));
    }
    let began = Instant::now();
    while began.elapsed() < PATIENT_FOR * 2 {
        publish_from_outside(&channel, "quick");
    }
    publish_from_outside(&channel, "end");
    for (client, heard, mut events, polling) in all {
        for heard in heard {
            while next_text(&heard) != "end" {}
        }
        client.close();
        polling.join().unwrap();
        let told: Vec<_> = std::iter::from_fn(|| events.try_recv()).collect();
        let is_blocked = |event: &ClientEvent| matches!(event, ClientEvent::ListenerBlocked { .. });
        assert!(!told.iter().any(is_blocked), "{told:?}");
    }
}
