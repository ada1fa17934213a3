//! What a closure holds is dropped with its listener, and that is the script's code: it may call, block and panic.

use std::sync::Arc;
use std::sync::mpsc::{self};

use redis_manager::CloseOutcome;
use redis_manager::prelude::*;

use crate::fixture::{Host, PATIENCE, PROTOCOLS, eventually, unique};
use crate::listener_ends::{in_time, patient};
use crate::listening::{hearing, next_text, publish_from_outside, subscribers};

#[test]
fn closures_are_gone_when_unregistering_closing_or_unloading_returns() {
    for protocol in PROTOCOLS {
        for is_async in [false, true] {
            for way in ["unregister", "all", "close", "unload", "shutdown"] {
                let (host, channel) = (Host::new(), unique("held"));
                let client: RedisPubSubClient = host.open_with(patient(protocol));
                let held = Arc::new(());
                let own = Arc::clone(&held);
                let listener = if is_async {
                    let registering = client.register_async_listener(&channel, move |_| {
                        let own = Arc::clone(&own);
                        async move {
                            drop(own);
                            Ok(())
                        }
                    });
                    pollster::block_on(registering).unwrap()
                } else {
                    let listener = client.register_listener(&channel, move |_: &Message| {
                        let _ = &own;
                        Ok(())
                    });
                    listener.unwrap()
                };
                for _ in 0..10 {
                    publish_from_outside(&channel, "hello");
                }
                match way {
                    "unregister" => listener.unregister().unwrap(),
                    "all" => drop(client.unregister_listeners(&channel).unwrap()),
                    "close" => drop(client.close()),
                    "unload" => assert!(host.manager.unload_script(&host.script).is_clean()),
                    _ => drop(host.manager.shutdown().unwrap()),
                }
                assert_eq!(Arc::strong_count(&held), 1, "{way}, async: {is_async}");
            }
        }
    }
}

/// Does something when it is dropped.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Registers a listener that holds `value` and, when a message says so, unregisters all of its channel.
fn register_holding<T: Send + Sync + 'static>(
    client: &RedisPubSubClient,
    channel: &str,
    is_async: bool,
    value: T,
) -> redis_manager::Result<ScriptPubSubListener> {
    let (own, of) = (client.clone(), channel.to_owned());
    if is_async {
        let value = Arc::new(value);
        let registering = client.register_async_listener(channel, move |_: Message| {
            let (own, of, value) = (own.clone(), of.clone(), Arc::clone(&value));
            async move {
                own.unregister_listeners_async(&of).await?;
                drop(value);
                Ok(())
            }
        });
        pollster::block_on(registering)
    } else {
        client.register_listener(channel, move |_: &Message| {
            let _ = &value;
            own.unregister_listeners(&of)?;
            Ok(())
        })
    }
}

#[test]
fn a_value_whose_drop_calls_its_client_deadlocks_nothing() {
    for protocol in PROTOCOLS {
        for is_async in [false, true] {
            for call in ["publish", "register", "unregister", "close", "unload"] {
                for end in ["outside", "itself", "close", "unload"] {
                    let what = format!("{call} in drop, ended by {end}, async: {is_async}");
                    let (host, channel, other) = (Host::new(), unique("drop"), unique("other"));
                    let client: RedisPubSubClient = host.open_with(patient(protocol));
                    let (function, _heard) = hearing();
                    client.register_listener(&other, function).unwrap();
                    let (done, dropped) = mpsc::channel();
                    let (own, manager, script) =
                        (client.clone(), host.manager.clone(), host.script.clone());
                    let value = OnDrop(move || {
                        // A closed client refuses, which is an answer too.
                        match call {
                            "publish" => drop(own.publish(&other, "farewell")),
                            "register" => drop(own.register_listener(&other, |_: &Message| Ok(()))),
                            "unregister" => drop(own.unregister_listeners(&other)),
                            "close" => drop(own.close()),
                            _ => drop(manager.unload_script(&script)),
                        }
                        let _ = done.send(());
                    });
                    let listener = register_holding(&client, &channel, is_async, value).unwrap();
                    match end {
                        "outside" => in_time(&what, move || listener.unregister()).unwrap(),
                        "itself" => drop(publish_from_outside(&channel, "end")),
                        "close" => {
                            let report = in_time(&what, move || client.close());
                            assert!(matches!(report.outcome(), CloseOutcome::Drained), "{what}");
                        }
                        _ => {
                            let (manager, script) = (host.manager.clone(), host.script.clone());
                            let report = in_time(&what, move || manager.unload_script(&script));
                            assert!(report.is_clean(), "{what}: {report}");
                        }
                    }
                    let dropped = dropped.recv_timeout(PATIENCE);
                    assert_eq!(dropped, Ok(()), "{what}");
                    let (manager, script) = (host.manager.clone(), host.script.clone());
                    in_time(&what, move || manager.unload_script(&script));
                    host.expect_connections(0);
                }
            }
        }
    }
}

#[test]
fn a_refused_registration_may_close_its_client_when_it_is_dropped() {
    let server = redis_manager_support::TestServer::start();
    for protocol in PROTOCOLS {
        let host = Host::new();
        server.run(&[
            "ACL",
            "SETUSER",
            "mute",
            "on",
            ">pw",
            "+@all",
            "resetchannels",
        ]);
        let url = format!("redis://mute:pw@{}:{}", server.host(), server.port());
        let client: RedisPubSubClient = host
            .manager
            .open_with(&host.script, url, patient(protocol))
            .unwrap();
        let own = client.clone();
        let value = OnDrop(move || drop(own.close()));
        let error = in_time("registering", move || {
            client.register_listener("secret", move |_: &Message| {
                let _ = &value;
                Ok(())
            })
        });
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Server);
        assert!(host.manager.redis_clients(&host.script).is_empty());
    }
}

#[test]
fn a_value_whose_drop_panics_touches_nothing_else() {
    for protocol in PROTOCOLS {
        for is_async in [false, true] {
            let (host, other) = (Host::new(), unique("other"));
            let client: RedisPubSubClient = host.open_with(patient(protocol));
            let mut events = client.events();
            let (function, heard) = hearing();
            client.register_listener(&other, function).unwrap();
            let channels = [(); 4].map(|()| unique("panics"));
            let listeners = channels.each_ref().map(|channel| {
                let value = OnDrop(|| panic!("deliberate panic in drop"));
                register_holding(&client, channel, is_async, value).unwrap()
            });
            // From outside, by itself, and the other two with the client.
            listeners[0].unregister().unwrap();
            client.publish(&channels[1], "end").unwrap();
            eventually("the server is told", || subscribers(&channels[1]) == 0);
            client.publish(&other, "still here").unwrap();
            assert_eq!(next_text(&heard), "still here");
            let report = in_time("closing", move || client.close());
            assert!(
                matches!(report.outcome(), CloseOutcome::Drained),
                "{report}"
            );
            let mut failed = Vec::new();
            while let Some(event) = events.recv().unwrap() {
                if let ClientEvent::ListenerFailed {
                    channel, message, ..
                } = event
                {
                    assert_eq!(message, "panicked: deliberate panic in drop");
                    failed.push(String::from_utf8(channel.name().to_vec()).unwrap());
                }
            }
            failed.sort();
            assert_eq!(failed, channels, "async: {is_async}");
        }
    }
}
