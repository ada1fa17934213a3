//! What a listener may count on: order, threads of its own to block, and that its failures are its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver};

use redis_manager::prelude::*;
use redis_manager::{ClientEvent, ClientResources, EventStream};

use crate::fixture::{Host, PATIENCE, PROTOCOLS, unique};
use crate::listening::{expect_silenced, hearing, hearing_async, next_text};

/// Long queues, so that nothing is dropped.
fn roomy(protocol: redis_manager::Protocol) -> ClientOptions {
    ClientOptions::builder()
        .protocol(protocol)
        .listener_queue_size(20_000)
        .build()
        .unwrap()
}

#[test]
fn every_listener_hears_ten_thousand_messages_in_the_order_they_were_published() {
    for protocol in PROTOCOLS {
        let (host, channel) = (Host::new(), unique("order"));
        let client: RedisPubSubClient = host.open_with(roomy(protocol));
        let (function, one) = hearing();
        let (other_function, other) = hearing();
        let (async_function, third) = hearing_async();
        let registered = [
            client.register_listener(&channel, function).unwrap(),
            client.register_listener(&channel, other_function).unwrap(),
            pollster::block_on(client.register_async_listener(&channel, async_function)).unwrap(),
        ];
        let publisher: RedisCommandClient = host.open(protocol);
        let mut pipeline = redis_manager::redis::pipe();
        for number in 0..10_000 {
            pipeline.publish(&channel, number);
        }
        pipeline.exec(&mut publisher.commands()).unwrap();
        for heard in [&one, &other, &third] {
            for number in 0..10_000 {
                assert_eq!(next_text(heard), number.to_string(), "{protocol:?}");
            }
        }
        for listener in registered {
            assert_eq!(listener.dropped(), 0);
            listener.unregister().unwrap();
        }
        for heard in [one, other, third] {
            expect_silenced(&heard);
        }
    }
}

#[test]
fn a_slow_asynchronous_listener_is_awaited_one_message_at_a_time() {
    for protocol in PROTOCOLS {
        let (host, channel) = (Host::new(), unique("one-at-a-time"));
        let client: RedisPubSubClient = host.open(protocol);
        let (sender, heard) = mpsc::channel();
        let running = Arc::new(AtomicUsize::new(0));
        let listener = client.register_async_listener(&channel, move |message: Message| {
            let (sender, running) = (sender.clone(), Arc::clone(&running));
            async move {
                let at_once = running.fetch_add(1, Ordering::SeqCst) + 1;
                for _ in 0..5 {
                    tokio::task::yield_now().await;
                }
                running.fetch_sub(1, Ordering::SeqCst);
                sender.send((at_once, message))?;
                Ok(())
            }
        });
        pollster::block_on(listener).unwrap();
        for number in 0..500 {
            client.publish(&channel, number).unwrap();
        }
        for number in 0..500 {
            let (at_once, message) = heard.recv_timeout(PATIENCE).unwrap();
            assert_eq!(at_once, 1);
            assert_eq!(message.payload_str().unwrap(), number.to_string());
        }
    }
}

#[test]
fn a_listener_that_blocks_holds_up_neither_other_listeners_nor_commands() {
    for protocol in PROTOCOLS {
        let (host, channel) = (Host::new(), unique("blocks"));
        let client: RedisPubSubClient = host.open(protocol);
        let (release, released) = channel_of();
        let (started, has_started) = channel_of();
        let blocked = client
            .register_listener(&channel, move |_: &Message| {
                started.send(())?;
                released.recv()?;
                Ok(())
            })
            .unwrap();
        let (function, sync_heard) = hearing();
        client.register_listener(&channel, function).unwrap();
        let (function, async_heard) = hearing_async();
        pollster::block_on(client.register_async_listener(&channel, function)).unwrap();
        for number in 0..10 {
            assert_eq!(client.publish(&channel, number).unwrap(), 1);
            assert_eq!(next_text(&sync_heard), number.to_string());
            assert_eq!(next_text(&async_heard), number.to_string());
        }
        for _ in 0..10 {
            has_started.recv_timeout(PATIENCE).unwrap();
            assert!(has_started.try_recv().is_err(), "one message at a time");
            release.send(()).unwrap();
        }
        blocked.unregister().unwrap();
    }
}

fn channel_of() -> (mpsc::Sender<()>, Receiver<()>) {
    mpsc::channel()
}

#[test]
fn no_listener_runs_on_a_thread_that_does_io() {
    fn thread() -> String {
        let thread = std::thread::current();
        thread.name().unwrap_or_default().to_owned()
    }
    for protocol in PROTOCOLS {
        let (host, channel) = (Host::new(), unique("threads"));
        let client: RedisPubSubClient = host.open(protocol);
        let (sender, names) = mpsc::channel();
        let async_sender = sender.clone();
        client
            .register_listener(&channel, move |_: &Message| Ok(sender.send(thread())?))
            .unwrap();
        let registered = client.register_async_listener(&channel, move |_: Message| {
            let sender = async_sender.clone();
            let called = thread();
            async move {
                sender.send(called)?;
                tokio::task::yield_now().await;
                Ok(sender.send(thread())?)
            }
        });
        pollster::block_on(registered).unwrap();
        for _ in 0..50 {
            client.publish(&channel, "where am I?").unwrap();
            for _ in 0..3 {
                let name = names.recv_timeout(PATIENCE).unwrap();
                assert_eq!(name, "redis-callback");
            }
        }
    }
}

#[test]
fn asynchronous_listeners_run_on_the_runtime_that_the_host_names() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("the-host")
        .build()
        .unwrap();
    let resources = ClientResources::builder()
        .async_callbacks_on(runtime.handle().clone())
        .build()
        .unwrap();
    let manager = RedisManager::with_resources(resources);
    for protocol in PROTOCOLS {
        let (script, channel) = (manager.load_script(unique("host")).unwrap(), unique("host"));
        let url = redis_manager_support::TestServer::shared().url();
        let client: RedisPubSubClient = manager.open_with(&script, url, roomy(protocol)).unwrap();
        let (sender, names) = mpsc::channel();
        let async_sender = sender.clone();
        let name = || std::thread::current().name().map(str::to_owned);
        let registered = client.register_async_listener(&channel, move |_: Message| {
            let sender = async_sender.clone();
            async move { Ok(sender.send(name())?) }
        });
        pollster::block_on(registered).unwrap();
        client.publish(&channel, "where am I?").unwrap();
        let heard = names.recv_timeout(PATIENCE).unwrap();
        assert_eq!(heard.as_deref(), Some("the-host"));

        client
            .register_listener(&channel, move |_: &Message| Ok(sender.send(name())?))
            .unwrap();
        client.publish(&channel, "and I?").unwrap();
        let mut heard = [(); 2].map(|()| names.recv_timeout(PATIENCE).unwrap().unwrap());
        heard.sort();
        assert_eq!(heard, ["redis-callback", "the-host"]);
        assert!(manager.unload_script(&script).is_clean());
    }
}

/// The failures among the next events, as channel and message.
fn next_failure(events: &mut EventStream) -> (String, String) {
    loop {
        match events.recv().unwrap().expect("the client is open") {
            ClientEvent::ListenerFailed {
                channel, message, ..
            } => {
                return (String::from_utf8(channel.name().to_vec()).unwrap(), message);
            }
            ClientEvent::Closed => panic!("closed"),
            _ => {}
        }
    }
}

#[test]
fn an_error_or_a_panic_is_reported_and_the_listener_and_all_others_go_on() {
    fn fail(message: &Message) -> ListenerResult {
        match message.payload() {
            b"error" => Err("deliberate error".into()),
            b"text" => panic!("deliberate panic"),
            b"format" => panic!("deliberate panic of {}", "text"),
            b"value" => std::panic::panic_any(7),
            _ => Ok(()),
        }
    }
    let cases = [
        ("error", "deliberate error"),
        ("text", "panicked: deliberate panic"),
        ("format", "panicked: deliberate panic of text"),
        ("value", "panicked: with a value that is no text"),
    ];
    for protocol in PROTOCOLS {
        let host = Host::new();
        let client: RedisPubSubClient = host.open(protocol);
        for kind in ["sync", "async call", "async future"] {
            let channel = unique("fails");
            let (sender, heard) = mpsc::channel();
            let hear = move |message: &Message| sender.send(message.clone());
            match kind {
                "sync" => client
                    .register_listener(&channel, move |message: &Message| {
                        hear(message)?;
                        fail(message)
                    })
                    .map(drop),
                "async call" => {
                    let registering =
                        client.register_async_listener(&channel, move |message: Message| {
                            let heard = hear(&message);
                            // Before there is a future.
                            let failed = fail(&message);
                            async move {
                                heard?;
                                failed
                            }
                        });
                    pollster::block_on(registering).map(drop)
                }
                _ => {
                    let registering =
                        client.register_async_listener(&channel, move |message: Message| {
                            let heard = hear(&message);
                            async move {
                                heard?;
                                tokio::task::yield_now().await;
                                fail(&message)
                            }
                        });
                    pollster::block_on(registering).map(drop)
                }
            }
            .unwrap();
            let (function, untouched) = hearing();
            client.register_listener(&channel, function).unwrap();
            let mut events = client.events();
            for (payload, expected) in cases {
                client.publish(&channel, payload).unwrap();
                assert_eq!(next_text(&heard), payload);
                let reported = next_failure(&mut events);
                assert_eq!(reported, (channel.clone(), expected.to_owned()), "{kind}");
                assert_eq!(next_text(&untouched), payload);
            }
            client.publish(&channel, "fine").unwrap();
            assert_eq!(next_text(&heard), "fine", "{kind}");
            assert_eq!(client.unregister_listeners(&channel).unwrap(), 2);
            expect_silenced(&heard);
            assert!(events.try_recv().is_none(), "nothing else failed");
        }
        assert_eq!(client.state(), ClientState::Connected);
    }
}
