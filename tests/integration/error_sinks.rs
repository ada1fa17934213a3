//! Where a host learns what went wrong in a script's callbacks.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use redis_manager::prelude::*;
use redis_manager::{ClientId, FailureCause, ListenerId, ScriptFailure};

use crate::fixture::{Host, PATIENCE, PROTOCOLS, unique};
use crate::listening::publish_from_outside;

/// An error of a script's own.
#[derive(Debug, PartialEq)]
struct Broke {
    coins: i32,
}

impl fmt::Display for Broke {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} coins", self.coins)
    }
}

impl std::error::Error for Broke {}

fn misbehave(message: &Message) -> ListenerResult {
    match message.payload() {
        b"error" => Err(Broke { coins: -3 }.into()),
        // A panic that prints nothing.
        b"panic" => std::panic::resume_unwind(Box::new("out of coins".to_owned())),
        _ => Ok(()),
    }
}

/// Registers a listener of `kind` that misbehaves; a local one is polled on a thread of its own.
fn register(client: &RedisPubSubClient, kind: &str, channel: &str) -> ScriptPubSubListener {
    let own = client.listener(channel);
    match kind {
        "sync" => own.register(misbehave).unwrap(),
        "async" => {
            let registering = own.register_async(|message| async move { misbehave(&message) });
            pollster::block_on(registering).unwrap()
        }
        _ => {
            let (register, registered) = self::channel();
            std::thread::spawn(move || {
                let local = own.register_local(misbehave).unwrap();
                register.send(local.handle().clone()).unwrap();
                pollster::block_on(local);
            });
            registered.recv_timeout(PATIENCE).unwrap()
        }
    }
}

/// What a sink is told.
#[derive(Debug, PartialEq)]
struct Told {
    script: ScriptHandle,
    client: Option<ClientId>,
    listener: Option<ListenerId>,
    channel: Option<Channel>,
    cause: Result<i32, String>,
}

/// A sink that passes on what it is told.
fn telling(sender: Sender<Told>) -> impl Fn(&ScriptFailure) + Send + Sync + 'static {
    move |failure| {
        let cause = match failure.cause() {
            FailureCause::Error(error) => Ok(error.downcast_ref::<Broke>().unwrap().coins),
            FailureCause::Panic(text) => Err(text.clone()),
            other => panic!("{other}"),
        };
        let told = Told {
            script: failure.script().clone(),
            client: failure.client_id(),
            listener: failure.listener(),
            channel: failure.channel().cloned(),
            cause,
        };
        // The test may be over.
        let _ = sender.send(told);
    }
}

#[track_caller]
fn next(told: &Receiver<Told>) -> Told {
    told.recv_timeout(PATIENCE).unwrap()
}

#[test]
fn a_failure_says_whose_it_is_and_keeps_the_type_of_an_error_and_the_text_of_a_panic() {
    for protocol in PROTOCOLS {
        let host = Host::new();
        let client: RedisPubSubClient = host.open(protocol);
        let (sender, told) = channel();
        host.script.set_error_sink(telling(sender));
        for kind in ["sync", "async", "local"] {
            let channel = unique("fails");
            let listener = register(&client, kind, &channel);
            for (payload, cause) in [("error", Ok(-3)), ("panic", Err("out of coins".to_owned()))] {
                publish_from_outside(&channel, payload);
                let expected = Told {
                    script: host.script.clone(),
                    client: Some(client.client_id()),
                    listener: Some(listener.id()),
                    channel: Some(Channel::new(&channel)),
                    cause,
                };
                assert_eq!(next(&told), expected, "{kind}, {protocol:?}");
            }
            listener.unregister().unwrap();
        }
        assert!(told.try_recv().is_err());
    }
}

#[test]
fn each_script_has_a_sink_of_its_own_and_a_later_one_replaces_it() {
    for protocol in PROTOCOLS {
        let hosts = [Host::new(), Host::new()];
        let channel = unique("mixed");
        let mut sinks = hosts.each_ref().map(|host| {
            let client: RedisPubSubClient = host.open(protocol);
            let (sender, told) = self::channel();
            host.script.set_error_sink(telling(sender));
            register(&client, "sync", &channel);
            told
        });
        publish_from_outside(&channel, "error");
        for (host, told) in hosts.iter().zip(&sinks) {
            assert_eq!(next(told).script, host.script);
        }
        let (sender, later) = self::channel();
        hosts[0].script.set_error_sink(telling(sender));
        // With the sink went the sender that it held.
        let earlier = std::mem::replace(&mut sinks[0], later);
        assert!(earlier.recv_timeout(PATIENCE).is_err());
        publish_from_outside(&channel, "panic");
        for (host, told) in hosts.iter().zip(&sinks) {
            let failure = next(told);
            assert_eq!(failure.script, host.script);
            assert_eq!(failure.cause, Err("out of coins".to_owned()));
            assert!(told.try_recv().is_err());
        }
    }
}

#[test]
fn a_sink_that_panics_or_blocks_or_unregisters_holds_up_nothing_else() {
    for protocol in PROTOCOLS {
        let host = Host::new();
        let client: RedisPubSubClient = host.open(protocol);
        for kind in ["sync", "async", "local"] {
            let channel = unique("sink");
            let (sender, told) = self::channel();
            let (has_panicked, tell) = (AtomicBool::new(false), telling(sender));
            let own = client.clone();
            host.script.set_error_sink(move |failure: &ScriptFailure| {
                tell(failure);
                if !has_panicked.swap(true, Ordering::SeqCst) {
                    std::panic::resume_unwind(Box::new("deliberate panic"));
                }
                // As a callback, it may call the client, also to end who failed.
                let channel = failure.channel().unwrap();
                assert_eq!(own.unregister_listeners(channel).unwrap(), 1);
            });
            let listener = register(&client, kind, &channel);
            publish_from_outside(&channel, "error");
            assert_eq!(next(&told).cause, Ok(-3), "{kind}");
            assert!(listener.is_registered());
            publish_from_outside(&channel, "panic");
            assert_eq!(next(&told).cause, Err("out of coins".to_owned()), "{kind}");
            crate::fixture::eventually("it is unregistered", || !listener.is_registered());
        }
        assert_eq!(client.state(), ClientState::Connected);
    }
}
