//! What a listener that does not keep up costs: its own messages, within bounds, and nobody else's.

use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};

use redis_manager::prelude::*;
use redis_manager::{Overflow, Protocol};
use redis_manager_support::TestServer;

use crate::fixture::{Host, PATIENCE, PROTOCOLS, eventually, unique, with_one_callback_thread};
use crate::listening::{
    expect_silenced, hearing, hearing_async, next, next_text, subscribers, until_released,
};

/// A listener that is stuck in its first call until it is released, and what it has heard.
struct Stuck {
    listener: ScriptPubSubListener,
    started: Receiver<()>,
    release: Sender<()>,
    heard: Receiver<Message>,
}

impl Stuck {
    fn register(client: &RedisPubSubClient, channel: &str, is_async: bool) -> Self {
        let (start, started) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let (sender, heard) = mpsc::channel();
        let listener = if is_async {
            let released = Mutex::new(released);
            let released = Arc::new(released);
            let registering = client.register_async_listener(channel, move |message: Message| {
                let (start, sender) = (start.clone(), sender.clone());
                let released = Arc::clone(&released);
                async move {
                    let _ = start.send(());
                    // Once it was released, at once.
                    until_released(&released).await;
                    Ok(sender.send(message)?)
                }
            });
            pollster::block_on(registering).unwrap()
        } else {
            let listener = client.register_listener(channel, move |message: &Message| {
                let _ = start.send(());
                let _ = released.recv();
                Ok(sender.send(message.clone())?)
            });
            listener.unwrap()
        };
        Self {
            listener,
            started,
            release,
            heard,
        }
    }

    fn wait_until_stuck(&self) {
        self.started.recv_timeout(PATIENCE).unwrap();
    }

    /// Lets it go on, and makes sure that it hears `expected` and nothing else of what was published.
    #[track_caller]
    fn release(self, client: &RedisPubSubClient, expected: &[&str]) {
        drop(self.release);
        for payload in expected {
            assert_eq!(next_text(&self.heard), *payload);
        }
        // In order, so that whatever else there was would come before this.
        client.publish(self.listener.channel(), "end").unwrap();
        assert_eq!(next_text(&self.heard), "end");
        self.listener.unregister().unwrap();
        expect_silenced(&self.heard);
    }
}

/// The totals that the client has told of this channel.
fn told(events: &mut redis_manager::EventStream, of: &str) -> Vec<u64> {
    let mut totals = Vec::new();
    while let Some(event) = events.try_recv() {
        if let ClientEvent::MessagesDropped { channel, total, .. } = event {
            assert_eq!(channel, Channel::new(of));
            totals.push(total);
        }
    }
    totals
}

#[test]
fn a_full_queue_drops_the_oldest_or_the_newest_and_counts_and_tells_them() {
    let cases = [
        (Overflow::DropOldest, ["0", "7", "8", "9", "10"]),
        (Overflow::DropNewest, ["0", "1", "2", "3", "4"]),
    ];
    for protocol in PROTOCOLS {
        for (overflow, expected) in cases {
            for is_async in [false, true] {
                let (host, channel) = (Host::new(), unique("overflow"));
                let options = ClientOptions::builder()
                    .protocol(protocol)
                    .listener_queue_size(4)
                    .overflow(overflow);
                let client: RedisPubSubClient = host.open_with(options.build().unwrap());
                let stuck = Stuck::register(&client, &channel, is_async);
                let mut events = client.events();
                client.publish(&channel, 0).unwrap();
                stuck.wait_until_stuck();
                for number in 1..=10 {
                    assert_eq!(client.publish(&channel, number).unwrap(), 1);
                }
                let listener = stuck.listener.clone();
                eventually("six are dropped", || listener.dropped() == 6);
                stuck.release(&client, &expected);
                // Of the twelve that were published, the last one included, it heard six.
                assert_eq!(listener.dropped(), 12 - (expected.len() as u64 + 1));
                assert_eq!(told(&mut events, &channel), [1, 2, 4]);
            }
        }
    }
}

#[test]
fn a_queue_is_bounded_by_bytes_as_well_and_tells_of_many_that_one_message_pushed_out() {
    for protocol in PROTOCOLS {
        let (host, channel) = (Host::new(), unique("bytes"));
        let small = channel.len();
        let options = ClientOptions::builder()
            .protocol(protocol)
            .listener_queue_bytes(3 * small);
        let client: RedisPubSubClient = host.open_with(options.build().unwrap());
        let stuck = Stuck::register(&client, &channel, false);
        let mut events = client.events();
        client.publish(&channel, "").unwrap();
        stuck.wait_until_stuck();
        for _ in 0..3 {
            client.publish(&channel, "").unwrap();
        }
        let large = "x".repeat(2 * small);
        client.publish(&channel, &large).unwrap();
        let listener = stuck.listener.clone();
        eventually("three are dropped", || listener.dropped() == 3);
        let too_large = "x".repeat(2 * small + 1);
        client.publish(&channel, &too_large).unwrap();
        eventually("one more is dropped", || listener.dropped() == 4);
        stuck.release(&client, &["", &large]);
        assert_eq!(told(&mut events, &channel), [3, 4]);
    }
}

#[test]
fn one_listener_that_drops_costs_another_of_the_same_channel_nothing() {
    for protocol in PROTOCOLS {
        let (host, channel) = (Host::new(), unique("neighbour"));
        let options = ClientOptions::builder()
            .protocol(protocol)
            .listener_queue_size(2);
        let client: RedisPubSubClient = host.open_with(options.build().unwrap());
        let stuck = Stuck::register(&client, &channel, false);
        let (function, heard) = hearing();
        let healthy = client.register_listener(&channel, function).unwrap();
        for number in 0..100 {
            client.publish(&channel, number).unwrap();
            assert_eq!(next_text(&heard), number.to_string());
            if number == 0 {
                // Or the next two could be there before its thread is, and push it out.
                stuck.wait_until_stuck();
            }
        }
        assert_eq!(healthy.dropped(), 0);
        // One is in the call, and two wait.
        let listener = stuck.listener.clone();
        eventually("the rest is dropped", || listener.dropped() == 97);
        stuck.release(&client, &["0", "98", "99"]);
    }
}

#[test]
fn with_one_callback_thread_a_blocked_listener_delays_others_and_nothing_else() {
    for protocol in PROTOCOLS {
        let manager = with_one_callback_thread();
        let script = manager.load_script("narrow").unwrap();
        let client = open(&manager, &script, protocol);
        let (channel, other) = (unique("narrow"), unique("other"));
        let stuck = Stuck::register(&client, &channel, false);
        let (function, delayed) = hearing();
        client.register_listener(&channel, function).unwrap();
        client.publish(&channel, "first").unwrap();
        // Either may be first on the one thread; once this one is stuck, it has it.
        stuck.wait_until_stuck();
        let _ = delayed.try_recv();
        client.publish(&channel, "second").unwrap();

        let (function, unheard) = hearing();
        let short_lived = client.register_listener(&other, function).unwrap();
        assert_eq!(client.publish(&other, "waits").unwrap(), 1);
        assert_eq!(subscribers(&other), 1);
        short_lived.unregister().unwrap();
        expect_silenced(&unheard);
        // Asynchronous listeners have a thread of their own.
        let (function, async_heard) = hearing_async();
        let other = unique("async");
        pollster::block_on(client.register_async_listener(&other, function)).unwrap();
        client.publish(&other, "does not wait").unwrap();
        assert_eq!(next_text(&async_heard), "does not wait");
        // And a client without listeners needs none to close.
        let bystander = open(&manager, &script, protocol);
        let report = manager.close_redis_client(&bystander);
        assert!(matches!(
            report.outcome(),
            redis_manager::CloseOutcome::Drained
        ));

        stuck.release(&client, &["first", "second"]);
        while next(&delayed).payload() != b"end" {}
        assert!(manager.unload_script(&script).is_clean());
    }
}

fn open(manager: &RedisManager, script: &ScriptHandle, protocol: Protocol) -> RedisPubSubClient {
    let options = ClientOptions::builder().protocol(protocol).build().unwrap();
    let url = TestServer::shared().url();
    manager.open_with(script, url, options).unwrap()
}
