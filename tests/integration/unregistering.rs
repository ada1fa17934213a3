//! Unregistering, against a flood of messages and against itself: no call starts afterwards, and from inside a
//! callback nothing is waited for.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use redis_manager::prelude::*;

use crate::fixture::{Host, PATIENCE, PROTOCOLS, eventually, unique};
use crate::listener_ends::{in_time, patient};
use crate::listening::{next_of, subscribers};

/// Registers a listener of `kind` that counts its calls, and those that are running; with the thread that polls
/// it, if it is one that is polled.
fn register_counting(
    client: &RedisPubSubClient,
    kind: &str,
    channel: &str,
    calls: &Arc<AtomicUsize>,
    running: &Arc<AtomicUsize>,
) -> (ScriptPubSubListener, Option<thread::JoinHandle<()>>) {
    let (calls, running) = (Arc::clone(calls), Arc::clone(running));
    let call = {
        let (calls, running) = (Arc::clone(&calls), Arc::clone(&running));
        move |_: &Message| {
            running.fetch_add(1, Ordering::SeqCst);
            calls.fetch_add(1, Ordering::SeqCst);
            thread::yield_now();
            running.fetch_sub(1, Ordering::SeqCst);
            Ok(())
        }
    };
    match kind {
        "sync" => (client.register_listener(channel, call).unwrap(), None),
        "async" => {
            let registering = client.register_async_listener(channel, move |_: Message| {
                let (calls, running) = (Arc::clone(&calls), Arc::clone(&running));
                async move {
                    running.fetch_add(1, Ordering::SeqCst);
                    calls.fetch_add(1, Ordering::SeqCst);
                    tokio::task::yield_now().await;
                    running.fetch_sub(1, Ordering::SeqCst);
                    Ok(())
                }
            });
            (pollster::block_on(registering).unwrap(), None)
        }
        _ => {
            let (client, channel) = (client.clone(), channel.to_owned());
            let (sender, registered) = self::channel();
            let polling = thread::spawn(move || {
                let listener = client.listener(&channel);
                let local = listener.register_local(move |message: &Message| call(message));
                let local = local.unwrap();
                sender.send(local.handle().clone()).unwrap();
                pollster::block_on(local);
            });
            (registered.recv_timeout(PATIENCE).unwrap(), Some(polling))
        }
    }
}

/// Says that it is over when it is dropped, also by a test that fails.
struct Over<'flag>(&'flag AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn once_unregistering_returned_no_call_runs_and_none_starts_however_many_messages_come() {
    for protocol in PROTOCOLS {
        let (host, channel) = (Host::new(), unique("hammered"));
        let client: RedisPubSubClient = host.open_with(patient(protocol));
        let publisher: RedisPubSubClient = host.open(protocol);
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while !done.load(Ordering::SeqCst) {
                        publisher.publish(&channel, "tick").unwrap();
                    }
                });
            }
            let _over = Over(&done);
            for round in 0..90 {
                let kind = ["sync", "async", "local"][round % 3];
                let (calls, running) = (Arc::default(), Arc::default());
                let (listener, polling) =
                    register_counting(&client, kind, &channel, &calls, &running);
                eventually("some calls", || calls.load(Ordering::SeqCst) >= round % 7);
                match round % 2 {
                    0 => listener.unregister().unwrap(),
                    _ => assert_eq!(client.unregister_listeners(&channel).unwrap(), 1),
                }
                assert_eq!(running.load(Ordering::SeqCst), 0, "{kind}, round {round}");
                let before = calls.load(Ordering::SeqCst);
                if let Some(polling) = polling {
                    // It sees the end, and nothing before that.
                    in_time("the polling ends", move || polling.join().unwrap());
                } else {
                    // Messages arrive still, at another listener of the channel.
                    let mut messages = client.messages(&channel).unwrap();
                    next_of(&mut messages);
                }
                let after = calls.load(Ordering::SeqCst);
                assert_eq!(before, after, "{kind}, round {round}");
            }
        });
    }
}

/// Where two callbacks meet, so that both are inside at the same time.
#[derive(Clone, Default)]
struct Meeting(Arc<AtomicUsize>);

impl Meeting {
    async fn meet(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
        while self.0.load(Ordering::SeqCst) < 2 {
            tokio::task::yield_now().await;
        }
    }

    fn meet_blocking(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
        while self.0.load(Ordering::SeqCst) < 2 {
            thread::yield_now();
        }
    }
}

/// One of two listeners that unregister each other.
struct Duellist {
    meeting: Meeting,
    other: Mutex<Receiver<ScriptPubSubListener>>,
    done: Sender<()>,
}

impl Duellist {
    fn other(&self) -> ScriptPubSubListener {
        self.other.lock().unwrap().recv().unwrap()
    }

    fn call(&self) -> ListenerResult {
        let other = self.other();
        self.meeting.meet_blocking();
        other.unregister()?;
        Ok(self.done.send(())?)
    }

    async fn call_async(&self, blocks: bool) -> ListenerResult {
        let other = self.other();
        self.meeting.meet().await;
        if blocks {
            other.unregister()?;
        } else {
            other.unregister_async().await?;
        }
        Ok(self.done.send(())?)
    }

    fn register(
        self,
        client: &RedisPubSubClient,
        kind: &'static str,
        channel: &str,
    ) -> ScriptPubSubListener {
        match kind {
            "sync" => {
                let listener = client.register_listener(channel, move |_: &Message| self.call());
                listener.unwrap()
            }
            "local" => {
                let (client, channel) = (client.clone(), channel.to_owned());
                let (sender, registered) = self::channel();
                thread::spawn(move || {
                    let listener = client.listener(&channel);
                    let local = listener.register_local(move |_: &Message| self.call());
                    let local = local.unwrap();
                    sender.send(local.handle().clone()).unwrap();
                    pollster::block_on(local);
                });
                registered.recv_timeout(PATIENCE).unwrap()
            }
            _ => {
                let this = Arc::new(self);
                let blocks = kind == "async that blocks";
                let registering = client.register_async_listener(channel, move |_: Message| {
                    let this = Arc::clone(&this);
                    let call: Pin<Box<dyn Future<Output = ListenerResult> + Send>> =
                        Box::pin(async move { this.call_async(blocks).await });
                    call
                });
                pollster::block_on(registering).unwrap()
            }
        }
    }
}

#[test]
fn two_listeners_of_any_kind_that_unregister_each_other_at_the_same_time_never_wait() {
    let kinds = ["sync", "async", "async that blocks", "local"];
    for protocol in PROTOCOLS {
        let host = Host::new();
        // A wait that should not be is longer than the test's patience.
        let client: RedisPubSubClient = host.open_with(patient(protocol));
        for one in kinds {
            for other in kinds {
                let (channel, meeting) = (unique("duel"), Meeting::default());
                let (done, dones) = self::channel();
                let mut listeners = Vec::new();
                let mut introductions = Vec::new();
                for kind in [one, other] {
                    let (introduce, introduced) = self::channel();
                    let duellist = Duellist {
                        meeting: meeting.clone(),
                        other: Mutex::new(introduced),
                        done: done.clone(),
                    };
                    listeners.push(duellist.register(&client, kind, &channel));
                    introductions.push(introduce);
                }
                drop(done);
                for (introduce, other) in introductions.iter().zip(listeners.iter().rev()) {
                    introduce.send(other.clone()).unwrap();
                }
                client.publish(&channel, "draw!").unwrap();
                for _ in 0..2 {
                    let done = dones.recv_timeout(PATIENCE);
                    done.unwrap_or_else(|error| panic!("{one} and {other}: {error}"));
                }
                // Both functions are dropped, so neither is ever called again.
                assert!(dones.recv_timeout(PATIENCE).is_err(), "{one} and {other}");
                assert!(listeners.iter().all(|listener| !listener.is_registered()));
                eventually("the server is told", || subscribers(&channel) == 0);
            }
        }
    }
}
