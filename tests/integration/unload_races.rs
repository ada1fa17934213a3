//! Unloading while something else is under way: an opening, a closing, another shutdown.

use std::net::TcpListener;
use std::sync::{Barrier, mpsc};
use std::task::{Context, Waker};
use std::thread;
use std::time::Instant;

use redis_manager::CloseOutcome;
use redis_manager::prelude::*;
use redis_manager::redis::Value;
use redis_manager_support::TestServer;

use crate::fixture::{Host, PATIENCE, PROTOCOLS, eventually, unique};

/// A tiny generator, so that a seed tells the whole round.
fn next_random(state: &mut u64) -> u64 {
    *state = state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1);
    *state >> 33
}

#[test]
fn an_opening_that_races_an_unloading_fails_or_its_client_is_closed() {
    let seed = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .subsec_nanos();
    let mut random = u64::from(seed);
    let host = Host::new();
    let (mut refused, mut opened) = (0, 0);
    for round in 0..100 {
        let protocol = PROTOCOLS[round % 2];
        let script = host.manager.load_script(unique("race")).unwrap();
        let start = Barrier::new(4);
        let delay = next_random(&mut random) % 3000;
        let kinds = [(); 3].map(|()| next_random(&mut random) % 3);
        let outcomes = thread::scope(|scope| {
            let openings = kinds.map(|kind| {
                let (host, script, start) = (&host, &script, &start);
                scope.spawn(move || {
                    start.wait();
                    let options = ClientOptions::builder().protocol(protocol).build().unwrap();
                    let client_type = match kind {
                        0 => ClientType::Basic,
                        1 => ClientType::Command,
                        _ => ClientType::PubSub,
                    };
                    host.manager
                        .open_redis_client_with(script, client_type, host.url(), options)
                })
            });
            start.wait();
            // Somewhere between before the first byte and after the last.
            let until = Instant::now() + Duration::from_micros(delay);
            while Instant::now() < until {
                thread::yield_now();
            }
            let report = host.manager.unload_script(&script);
            assert!(report.is_clean(), "seed {seed}, round {round}: {report}");
            assert!(host.manager.redis_clients(&script).is_empty());
            openings.map(|opening| opening.join().unwrap())
        });
        for outcome in outcomes {
            match outcome {
                Ok(client) => {
                    assert_eq!(
                        client.state(),
                        ClientState::Closed,
                        "seed {seed}, round {round}"
                    );
                    opened += 1;
                }
                Err(error) => {
                    assert_eq!(
                        error.kind(),
                        ErrorKind::ScriptUnloaded,
                        "seed {seed}, round {round}: {error}"
                    );
                    refused += 1;
                }
            }
        }
        host.expect_connections(0);
    }
    assert!(
        opened > 0 && refused > 0,
        "seed {seed}, no race: {opened} opened, {refused} refused"
    );
}

/// A port that takes connections and never says a word.
fn silent_port() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    (listener, url)
}

#[test]
fn unloading_ends_an_opening_that_waits_for_a_server_that_never_answers() {
    for protocol in PROTOCOLS {
        let host = Host::new();
        for client_type in [ClientType::Command, ClientType::PubSub] {
            let script = host.manager.load_script(unique("silent")).unwrap();
            let (listener, url) = silent_port();
            let options = ClientOptions::builder()
                .protocol(protocol)
                .connect_timeout(PATIENCE * 10)
                .build()
                .unwrap();
            thread::scope(|scope| {
                let opening = scope.spawn(|| {
                    host.manager
                        .open_redis_client_with(&script, client_type, url, options)
                });
                let (mut socket, _) = listener.accept().unwrap();
                let began = Instant::now();
                let report = host.manager.unload_script(&script);
                assert!(report.was_loaded() && report.clients().is_empty());
                let error = opening.join().unwrap().unwrap_err();
                assert_eq!(error.kind(), ErrorKind::ScriptUnloaded);
                assert!(began.elapsed() < PATIENCE);
                // The socket is gone too: what was sent can be read to its end.
                socket.set_read_timeout(Some(PATIENCE)).unwrap();
                std::io::copy(&mut socket, &mut std::io::sink()).unwrap();
            });
        }
    }
}

#[test]
fn an_opening_that_is_dropped_opens_nothing_even_if_it_was_done() {
    for protocol in PROTOCOLS {
        let host = Host::new();
        let options = ClientOptions::builder().protocol(protocol).build().unwrap();
        let opening =
            host.manager
                .open_with_async::<RedisPubSubClient>(&host.script, host.url(), options);
        let mut opening = Box::pin(opening);
        let mut context = Context::from_waker(Waker::noop());
        assert!(opening.as_mut().poll(&mut context).is_pending());
        eventually("it is open, and its future does not know", || {
            !host.manager.redis_clients(&host.script).is_empty()
        });
        drop(opening);
        eventually("it is closed", || {
            host.manager.redis_clients(&host.script).is_empty()
        });
        host.expect_connections(0);
    }
}

/// A client with a call in flight that ends when the returned list gets an element.
fn with_a_call_in_flight(
    host: &Host,
    protocol: redis_manager::Protocol,
) -> (RedisCommandClient, String, mpsc::Receiver<bool>) {
    let options = ClientOptions::builder()
        .protocol(protocol)
        .shutdown_timeout(PATIENCE * 3);
    let client: RedisCommandClient = host.open_with(options.build().unwrap());
    let (list, mut commands) = (unique("in-flight"), client.commands());
    let (sender, answered) = mpsc::channel();
    let key = list.clone();
    thread::spawn(move || sender.send(commands.blpop::<_, Value>(key, 0.0).is_ok()));
    eventually("it blocks", || {
        host.connections().iter().any(|c| c.cmd == "blpop")
    });
    (client, list, answered)
}

#[test]
fn unloading_waits_for_a_client_that_somebody_else_is_closing() {
    for protocol in PROTOCOLS {
        for all in [false, true] {
            let host = Host::new();
            let (client, list, answered) = with_a_call_in_flight(&host, protocol);
            let closing = thread::spawn({
                let (manager, script, client) =
                    (host.manager.clone(), host.script.clone(), client.clone());
                move || match all {
                    false => manager.close_redis_client(&client),
                    true => manager.close_redis_clients(&script).unwrap().remove(0),
                }
            });
            eventually("it is closing", || client.state() == ClientState::Closing);
            // Opening another one does not make the script forget it.
            let _other: RedisBasicClient = host.open(protocol);
            let (manager, script) = (host.manager.clone(), host.script.clone());
            let (sender, unloaded) = mpsc::channel();
            thread::spawn(move || {
                let report = manager.unload_script(&script);
                sender.send((client.state(), report))
            });
            eventually("the gate is shut", || !host.script.is_loaded());
            assert!(unloaded.try_recv().is_err());
            TestServer::shared().run(&["RPUSH", &list, "value"]);
            let (state, report) = unloaded.recv_timeout(PATIENCE).unwrap();
            assert_eq!(state, ClientState::Closed);
            assert!(report.is_clean(), "{report}");
            assert!(matches!(
                closing.join().unwrap().outcome(),
                CloseOutcome::Drained
            ));
            assert!(answered.recv_timeout(PATIENCE).unwrap());
            host.expect_connections(0);
        }
    }
}

#[test]
fn a_second_shutdown_does_not_cut_the_first_one_short() {
    for protocol in PROTOCOLS {
        let host = Host::new();
        let (client, list, answered) = with_a_call_in_flight(&host, protocol);
        let shutdowns = [(); 2].map(|()| {
            let manager = host.manager.clone();
            let shutdown = thread::spawn(move || manager.shutdown().unwrap());
            eventually("it is closing", || client.state() == ClientState::Closing);
            shutdown
        });
        assert!(answered.try_recv().is_err());
        TestServer::shared().run(&["RPUSH", &list, "value"]);
        assert!(answered.recv_timeout(PATIENCE).unwrap());
        let [first, second] = shutdowns.map(|shutdown| shutdown.join().unwrap());
        assert_eq!((first.len(), second.len()), (1, 0));
        assert_eq!(first[0].drained().count(), 1, "{}", first[0]);
        host.expect_connections(0);
    }
}
