//! Messages that come at once are kept together, and still each is a message: dropped, counted and heard by itself.

use std::sync::mpsc;
use std::sync::{Arc, Mutex, OnceLock};

use redis_manager::Overflow;
use redis_manager::prelude::*;
use redis_manager_support::TestServer;

use crate::fixture::{Host, PATIENCE, PROTOCOLS, eventually, unique, with_one_callback_thread};
use crate::listening::{expect_silenced, hearing, hearing_async, next_text, publish_from_outside};

/// Publishes the numbers from 1 to `count`, which the server sends without anything in between.
fn publish_at_once(channel: &str, count: usize) {
    const SCRIPT: &str =
        "for number = 1, tonumber(ARGV[1]) do redis.call('PUBLISH', KEYS[1], number) end";
    TestServer::shared().run(&["EVAL", SCRIPT, "1", channel, &count.to_string()]);
}

#[test]
fn of_many_messages_at_once_each_one_counts_that_is_dropped() {
    let cases = [
        (Overflow::DropOldest, ["997", "998", "999", "1000"]),
        (Overflow::DropNewest, ["1", "2", "3", "4"]),
    ];
    for protocol in PROTOCOLS {
        for (overflow, expected) in cases {
            let (host, channel) = (Host::new(), unique("burst"));
            let client: RedisPubSubClient = host.open(protocol);
            let (start, started) = mpsc::channel();
            let (release, released) = mpsc::channel::<()>();
            let (sender, heard) = mpsc::channel();
            let listener = client
                .listener(&channel)
                .queue_size(4)
                .overflow(overflow)
                .register(move |message: &Message| {
                    let _ = start.send(());
                    let _ = released.recv();
                    Ok(sender.send(message.clone())?)
                });
            let listener = listener.unwrap();
            let mut events = client.events();
            publish_from_outside(&channel, "first");
            started.recv_timeout(PATIENCE).unwrap();
            publish_at_once(&channel, 1000);
            eventually("all but four are dropped", || listener.dropped() == 996);
            drop(release);
            assert_eq!(next_text(&heard), "first");
            for number in expected {
                assert_eq!(next_text(&heard), number);
            }
            listener.unregister().unwrap();
            expect_silenced(&heard);
            let told = std::iter::from_fn(|| events.try_recv()).filter_map(|event| match event {
                ClientEvent::MessagesDropped { total, .. } => Some(total),
                _ => None,
            });
            let doubled = (0..10).map(|power| 1_u64 << power);
            assert_eq!(told.collect::<Vec<_>>(), doubled.collect::<Vec<_>>());
        }
    }
}

#[test]
fn who_unregisters_itself_among_messages_that_came_at_once_hears_no_other() {
    for protocol in PROTOCOLS {
        for is_async in [false, true] {
            let (host, channel) = (Host::new(), unique("midst"));
            let client: RedisPubSubClient = host.open(protocol);
            let (sender, heard) = mpsc::channel();
            let own: Arc<OnceLock<ScriptPubSubListener>> = Arc::default();
            let listener = if is_async {
                let own = Arc::clone(&own);
                let registering = client.register_async_listener(&channel, move |message| {
                    let (own, sender) = (Arc::clone(&own), sender.clone());
                    async move {
                        if message.payload() == b"10" {
                            own.wait().unregister_async().await?;
                        }
                        Ok(sender.send(message)?)
                    }
                });
                pollster::block_on(registering)
            } else {
                let own = Arc::clone(&own);
                client.register_listener(&channel, move |message: &Message| {
                    if message.payload() == b"10" {
                        own.wait().unregister()?;
                    }
                    Ok(sender.send(message.clone())?)
                })
            };
            drop(own.set(listener.unwrap()));
            let (function, other) = hearing();
            client.register_listener(&channel, function).unwrap();
            publish_at_once(&channel, 1000);
            for number in 1..=1000 {
                assert_eq!(next_text(&other), number.to_string());
            }
            for number in 1..=10 {
                assert_eq!(next_text(&heard), number.to_string());
            }
            expect_silenced(&heard);
        }
    }
}

#[test]
fn listeners_have_turns_of_64_messages_however_many_came_at_once() {
    for protocol in PROTOCOLS {
        let manager = with_one_callback_thread();
        let script = manager.load_script("turns").unwrap();
        let options = ClientOptions::builder().protocol(protocol).build().unwrap();
        let url = TestServer::shared().url();
        let client: RedisPubSubClient = manager.open_with(&script, url, options).unwrap();
        let (channel, blocking) = (unique("turns"), unique("blocking"));

        let (start, started) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let blocked = client.register_listener(&blocking, move |_: &Message| {
            let _ = start.send(());
            let _ = released.recv();
            Ok(())
        });
        blocked.unwrap();
        let calls: Arc<Mutex<Vec<char>>> = Arc::default();
        for name in ['a', 'b'] {
            let calls = Arc::clone(&calls);
            let listener = client.register_listener(&channel, move |_: &Message| {
                calls.lock().unwrap().push(name);
                Ok(())
            });
            listener.unwrap();
        }
        // The last of the channel, and on another thread: what it has heard, the others have in their queues.
        let (function, heard) = hearing_async();
        pollster::block_on(client.register_async_listener(&channel, function)).unwrap();

        publish_from_outside(&blocking, "begin");
        started.recv_timeout(PATIENCE).unwrap();
        publish_at_once(&channel, 200);
        while next_text(&heard) != "200" {}
        assert!(calls.lock().unwrap().is_empty());
        drop(release);
        eventually("all are heard", || calls.lock().unwrap().len() == 400);
        let calls = calls.lock().unwrap();
        let turns: Vec<_> = calls.chunk_by(|one, next| one == next).collect();
        let turns: Vec<_> = turns.iter().map(|turn| (turn[0], turn.len())).collect();
        let expected = [64, 64, 64, 8].map(|length| [('a', length), ('b', length)]);
        assert_eq!(turns, expected.concat());
    }
}
