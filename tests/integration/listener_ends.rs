//! How a listener ends: waited for, silent from then on, and with everything it held let go.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread;

use redis_manager::prelude::*;
use redis_manager::{CloseOutcome, Protocol};

use crate::fixture::{Host, PATIENCE, PROTOCOLS, eventually, unique};
use crate::listening::{expect_silenced, subscribers, until_released};

/// Options under which a wait that should not be is taken for a hang.
pub(crate) fn patient(protocol: Protocol) -> ClientOptions {
    ClientOptions::builder()
        .protocol(protocol)
        .shutdown_timeout(PATIENCE * 3)
        .build()
        .unwrap()
}

fn impatient(protocol: Protocol) -> ClientOptions {
    ClientOptions::builder()
        .protocol(protocol)
        .shutdown_timeout(Duration::from_millis(50))
        .build()
        .unwrap()
}

/// Runs `f` on a thread of its own and fails if it does not end.
#[track_caller]
pub(crate) fn in_time<T: Send + 'static>(what: &str, f: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, done) = mpsc::channel();
    thread::spawn(move || sender.send(f()));
    done.recv_timeout(PATIENCE)
        .unwrap_or_else(|error| panic!("{what}: {error}"))
}

/// Registers a listener that blocks, or waits, in each call until it is released.
fn register_blocked(
    client: &RedisPubSubClient,
    channel: &str,
    is_async: bool,
    finished: &Arc<AtomicBool>,
) -> (ScriptPubSubListener, Receiver<()>, Sender<()>) {
    let (start, started) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let finished = Arc::clone(finished);
    let listener = if is_async {
        let released = Arc::new(Mutex::new(released));
        let registering = client.register_async_listener(channel, move |_: Message| {
            let (start, finished) = (start.clone(), Arc::clone(&finished));
            let released = Arc::clone(&released);
            async move {
                start.send(())?;
                until_released(&released).await;
                finished.store(true, Ordering::SeqCst);
                Ok(())
            }
        });
        pollster::block_on(registering).unwrap()
    } else {
        let listener = client.register_listener(channel, move |_: &Message| {
            start.send(())?;
            let _ = released.recv();
            finished.store(true, Ordering::SeqCst);
            Ok(())
        });
        listener.unwrap()
    };
    (listener, started, release)
}

#[test]
fn unregistering_waits_for_the_call_that_is_running() {
    for protocol in PROTOCOLS {
        let host = Host::new();
        let client: RedisPubSubClient = host.open_with(patient(protocol));
        for is_async in [false, true] {
            for all in [false, true] {
                let (channel, finished) = (unique("waits"), Arc::default());
                let (listener, started, release) =
                    register_blocked(&client, &channel, is_async, &finished);
                client.publish(&channel, "stay").unwrap();
                started.recv_timeout(PATIENCE).unwrap();
                let unregistering = thread::spawn({
                    let (client, channel, finished) =
                        (client.clone(), channel.clone(), Arc::clone(&finished));
                    move || {
                        if all {
                            assert_eq!(client.unregister_listeners(channel).unwrap(), 1);
                        } else {
                            listener.unregister().unwrap();
                        }
                        finished.load(Ordering::SeqCst)
                    }
                });
                // Everything else that it waits for has happened by then.
                eventually("the server is told", || subscribers(&channel) == 0);
                assert!(!unregistering.is_finished());
                release.send(()).unwrap();
                assert!(
                    unregistering.join().unwrap(),
                    "returned while it was running"
                );
            }
        }
    }
}

#[test]
fn unregistering_waits_no_longer_than_the_shutdown_timeout() {
    for protocol in PROTOCOLS {
        for is_async in [false, true] {
            let (host, channel, finished) = (Host::new(), unique("stuck"), Arc::default());
            let client: RedisPubSubClient = host.open_with(impatient(protocol));
            let (listener, started, release) =
                register_blocked(&client, &channel, is_async, &finished);
            client.publish(&channel, "stay").unwrap();
            started.recv_timeout(PATIENCE).unwrap();
            let handle = listener.clone();
            in_time("unregistering", move || handle.unregister()).unwrap();
            assert!(!listener.is_registered());
            assert!(!finished.load(Ordering::SeqCst));
            assert_eq!(subscribers(&channel), 0);
            drop(release);
            // The closure, which has the sender, goes when its call returns.
            expect_silenced(&started);
            assert!(finished.load(Ordering::SeqCst));
        }
    }
}

#[test]
fn a_call_that_outlives_its_unregistering_is_named_when_the_client_closes() {
    for protocol in PROTOCOLS {
        for is_async in [false, true] {
            let (host, channel, finished) = (Host::new(), unique("outlives"), Arc::default());
            let client: RedisPubSubClient = host.open_with(impatient(protocol));
            let (listener, started, release) =
                register_blocked(&client, &channel, is_async, &finished);
            client.publish(&channel, "stay").unwrap();
            started.recv_timeout(PATIENCE).unwrap();
            listener.unregister().unwrap();
            let report = host.manager.unload_script(&host.script);
            let running: Vec<_> = report.running_callbacks().collect();
            assert_eq!(running, [&channel], "{report}");
            if is_async {
                // Aborted, so that nothing of the script goes on.
                expect_silenced(&started);
                assert!(!finished.load(Ordering::SeqCst));
            }
            drop(release);
            expect_silenced(&started);
        }
    }
}

#[test]
fn closing_waits_for_a_call_that_has_unregistered_itself() {
    for protocol in PROTOCOLS {
        let (host, channel) = (Host::new(), unique("itself"));
        let client: RedisPubSubClient = host.open_with(patient(protocol));
        let (own, of) = (client.clone(), channel.clone());
        let (start, started) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let finished = Arc::new(AtomicBool::new(false));
        let finish = Arc::clone(&finished);
        client
            .register_listener(&channel, move |_: &Message| {
                own.unregister_listeners(&of)?;
                start.send(())?;
                let _ = released.recv();
                finish.store(true, Ordering::SeqCst);
                Ok(())
            })
            .unwrap();
        client.publish(&channel, "stay").unwrap();
        started.recv_timeout(PATIENCE).unwrap();
        let closing = thread::spawn(move || client.close());
        // All else that closing does is quick.
        eventually("it is closing", || {
            host.manager.redis_clients(&host.script).is_empty()
        });
        assert!(!closing.is_finished());
        drop(release);
        let report = closing.join().unwrap();
        assert!(finished.load(Ordering::SeqCst), "{report}");
        assert!(matches!(report.outcome(), CloseOutcome::Drained));
    }
}

#[test]
fn once_unregistering_returned_no_call_is_running_or_starts_and_the_closure_is_gone() {
    for protocol in PROTOCOLS {
        let (host, channel) = (Host::new(), unique("race"));
        let client: RedisPubSubClient = host.open_with(patient(protocol));
        let publisher: RedisPubSubClient = host.open(protocol);
        let done = Arc::new(AtomicBool::new(false));
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while !done.load(Ordering::SeqCst) {
                        publisher.publish(&channel, "tick").unwrap();
                    }
                });
            }
            for round in 0..200 {
                // Its owners are this and the closure.
                let calls = Arc::new(AtomicUsize::new(0));
                let own = Arc::clone(&calls);
                let listener = if round % 2 == 0 {
                    client.register_listener(&channel, move |_: &Message| {
                        own.fetch_add(1, Ordering::SeqCst);
                        thread::yield_now();
                        Ok(())
                    })
                } else {
                    let registering = client.register_async_listener(&channel, move |_| {
                        let own = Arc::clone(&own);
                        async move {
                            own.fetch_add(1, Ordering::SeqCst);
                            tokio::task::yield_now().await;
                            Ok(())
                        }
                    });
                    pollster::block_on(registering)
                };
                let listener = listener.unwrap();
                let until = round % 7;
                eventually("some calls", || calls.load(Ordering::SeqCst) >= until);
                listener.unregister().unwrap();
                assert_eq!(Arc::strong_count(&calls), 1, "round {round}");
            }
            done.store(true, Ordering::SeqCst);
        });
    }
}

#[test]
fn no_event_follows_closed_even_if_a_callback_outlives_its_client() {
    for protocol in PROTOCOLS {
        let (host, channel) = (Host::new(), unique("outlives"));
        let client: RedisPubSubClient = host.open_with(impatient(protocol));
        let (start, started) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        client
            .register_listener(&channel, move |_: &Message| {
                start.send(())?;
                let _ = released.recv();
                Err("too late".into())
            })
            .unwrap();
        let mut events = client.events();
        client.publish(&channel, "stay").unwrap();
        started.recv_timeout(PATIENCE).unwrap();
        client.close();
        drop(release);
        expect_silenced(&started);
        assert!(matches!(events.recv(), Ok(Some(ClientEvent::Closed))));
        assert!(events.recv().unwrap().is_none());
        assert!(client.events().recv().unwrap().is_none());
    }
}
