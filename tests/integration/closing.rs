//! What closing a client waits for, when it stops waiting, and what it leaves: nothing.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Instant;

use redis_manager::prelude::*;
use redis_manager::redis::RedisResult;
use redis_manager::{CloseOutcome, CloseReport, Delivery, DisconnectedBehavior, Protocol};
use redis_manager_support::TestServer;

use crate::fixture::{Host, PATIENCE, PROTOCOLS, eventually, unique};

pub(crate) fn options(protocol: Protocol, shutdown_timeout: Duration) -> ClientOptions {
    ClientOptions::builder()
        .protocol(protocol)
        .shutdown_timeout(shutdown_timeout)
        .build()
        .unwrap()
}

pub(crate) fn is_drained(report: &CloseReport) -> bool {
    matches!(report.outcome(), CloseOutcome::Drained)
}

fn poll_once<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_command_handed_over_before_the_close_is_answered_or_reported() {
    for protocol in PROTOCOLS {
        for round in 0..20 {
            let (host, key) = (Host::new(), unique("incremented"));
            let client: RedisCommandClient = host.open_with(options(protocol, PATIENCE));
            let calls: Vec<_> = (0..100)
                .map(|_| {
                    let (mut commands, key) = (client.async_commands(), key.clone());
                    tokio::spawn(async move { commands.incr::<_, _, i64>(key, 1).await })
                })
                .collect();
            for _ in 0..round {
                tokio::task::yield_now().await;
            }
            let report = client.close_async().await;
            assert!(is_drained(&report), "{report}");
            let (mut acknowledged, mut not_sent) = (0, 0);
            for call in calls {
                match call.await.unwrap().map_err(Error::from) {
                    Ok(_) => acknowledged += 1,
                    Err(error) => {
                        assert_eq!(error.kind(), ErrorKind::Closed);
                        // Drained: what was sent was answered.
                        assert_eq!(error.delivery(), Some(Delivery::NotSent));
                        not_sent += 1;
                    }
                }
            }
            assert_eq!(acknowledged + not_sent, 100);
            let counter = TestServer::shared().run(&["GET", &key]).as_int();
            assert_eq!(counter.unwrap_or(0), acknowledged, "{protocol:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_close_that_cuts_at_once_reports_what_may_have_run() {
    for protocol in PROTOCOLS {
        for round in 0..20 {
            let (host, key) = (Host::new(), unique("cut"));
            let client: RedisCommandClient = host.open_with(options(protocol, Duration::ZERO));
            let calls: Vec<_> = (0..100)
                .map(|_| {
                    let (mut commands, key) = (client.async_commands(), key.clone());
                    tokio::spawn(async move { commands.incr::<_, _, i64>(key, 1).await })
                })
                .collect();
            for _ in 0..round {
                tokio::task::yield_now().await;
            }
            client.close_async().await;
            let (mut acknowledged, mut unknown) = (0, 0);
            for call in calls {
                match call.await.unwrap().map_err(Error::from) {
                    Ok(_) => acknowledged += 1,
                    Err(error) if error.delivery() == Some(Delivery::Unknown) => unknown += 1,
                    Err(error) => assert_eq!(error.delivery(), Some(Delivery::NotSent), "{error}"),
                }
            }
            // Once the connection is gone the server runs nothing more of it.
            host.expect_connections(0);
            let counter = TestServer::shared().run(&["GET", &key]).as_int();
            let counter = counter.unwrap_or(0);
            assert!(
                (acknowledged..=acknowledged + unknown).contains(&counter),
                "{acknowledged} acknowledged, {unknown} unknown, {counter} ran"
            );
        }
    }
}

#[test]
fn closing_waits_for_a_command_in_flight_and_refuses_new_ones_meanwhile() {
    for protocol in PROTOCOLS {
        let (host, key) = (Host::new(), unique("awaited"));
        let client: RedisCommandClient = host.open_with(options(protocol, PATIENCE));
        let mut commands = client.commands();
        let list = key.clone();
        let popping =
            thread::spawn(move || -> RedisResult<(String, String)> { commands.blpop(&list, 0.0) });
        eventually("it blocks", || {
            host.connections()
                .iter()
                .any(|client| client.cmd == "blpop")
        });
        let closing = thread::spawn({
            let client = client.clone();
            move || client.close()
        });
        eventually("it is closing", || client.state() == ClientState::Closing);
        let refused = client.commands().incr::<_, _, i64>(&key, 1).unwrap_err();
        let refused = Error::from(refused);
        assert_eq!(
            (refused.kind(), refused.delivery()),
            (ErrorKind::Closed, Some(Delivery::NotSent))
        );
        assert!(!closing.is_finished());
        TestServer::shared().run(&["RPUSH", &key, "value"]);
        assert_eq!(popping.join().unwrap().unwrap(), (key, "value".to_owned()));
        let report = closing.join().unwrap();
        assert!(is_drained(&report), "{report}");
        host.expect_connections(0);
    }
}

#[test]
fn a_server_that_does_not_answer_holds_a_close_up_until_its_timeout_and_no_longer() {
    let server = TestServer::start();
    for protocol in PROTOCOLS {
        let host = Host::new();
        let client: RedisCommandClient = host
            .manager
            .open_with(
                &host.script,
                server.url(),
                options(protocol, Duration::from_millis(100)),
            )
            .unwrap();
        server.pause().unwrap();
        let mut handles: Vec<_> = (0..5).map(|_| client.async_commands()).collect();
        let mut calls: Vec<_> = handles
            .iter_mut()
            .map(|commands| Box::pin(commands.incr::<_, _, i64>("paused", 1)))
            .collect();
        for call in &mut calls {
            assert!(poll_once(call.as_mut()).is_pending());
        }
        let began = Instant::now();
        let report = client.close();
        assert!(began.elapsed() < PATIENCE);
        assert_eq!(report.commands_cut_off(), 5);
        assert!(matches!(report.outcome(), CloseOutcome::CutOff), "{report}");
        assert!(
            report.to_string().contains("cut off 5 commands"),
            "{report}"
        );
        for call in &mut calls {
            let Poll::Ready(Err(error)) = poll_once(call.as_mut()) else {
                panic!("the caller is told at once");
            };
            let error = Error::from(error);
            assert_eq!(
                (error.kind(), error.delivery(), error.command()),
                (ErrorKind::Closed, Some(Delivery::Unknown), Some("INCRBY"))
            );
        }
        server.resume().unwrap();
        eventually("no connection is left", || {
            server.clients().unwrap().is_empty()
        });
    }
}

#[test]
fn futures_that_nobody_polls_any_more_keep_no_connection_of_a_closed_client() {
    for protocol in PROTOCOLS {
        let (host, key, list) = (Host::new(), unique("forgotten"), unique("list"));
        let client: RedisCommandClient = host.open_with(options(protocol, Duration::ZERO));
        let (mut shared, mut own) = (client.async_commands(), client.async_commands());
        let mut incrementing = Box::pin(shared.incr::<_, _, i64>(&key, 1));
        let _ = poll_once(incrementing.as_mut());
        let mut popping = Box::pin(own.blpop::<_, (String, String)>(&list, 0.0));
        eventually("it blocks", || {
            assert!(poll_once(popping.as_mut()).is_pending());
            host.connections()
                .iter()
                .any(|client| client.cmd == "blpop")
        });
        let report = host.manager.unload_script(&host.script);
        assert_eq!(report.clients().len(), 1);
        host.expect_connections(0);
        drop((incrementing, popping));
    }
}

#[test]
fn a_closed_client_says_so_in_its_state_and_its_events_end() {
    for protocol in PROTOCOLS {
        let host = Host::new();
        let clients = host.open_three(protocol);
        for client in clients {
            let (mut events, mut async_events) = (client.events(), client.events());
            let waiting = thread::spawn(move || {
                let first = events.recv().unwrap();
                (first, events.recv().unwrap())
            });
            assert!(is_drained(&client.close()));
            assert_eq!(client.state(), ClientState::Closed);
            let (first, second) = waiting.join().unwrap();
            assert!(matches!(first, Some(ClientEvent::Closed)), "{first:?}");
            assert!(second.is_none(), "{second:?}");
            let first = pollster::block_on(async_events.recv_async());
            assert!(matches!(first, Some(ClientEvent::Closed)));
            assert!(pollster::block_on(async_events.recv_async()).is_none());
            assert!(client.events().recv().unwrap().is_none());
        }
    }
}

#[test]
fn a_close_goes_on_when_nobody_waits_for_it_any_more() {
    for protocol in PROTOCOLS {
        let host = Host::new();
        let clients = host.open_three(protocol);
        for client in &clients {
            let mut events = client.events();
            let mut closing = client.close_async();
            let _ = poll_once(closing.as_mut());
            drop(closing);
            assert!(matches!(events.recv(), Ok(Some(ClientEvent::Closed))));
            assert_eq!(client.state(), ClientState::Closed);
        }
        host.expect_connections(0);
    }
}

#[test]
fn a_client_whose_server_is_gone_closes_all_the_same() {
    let server = TestServer::start();
    for protocol in PROTOCOLS {
        let host = Host::new();
        let options = ClientOptions::builder()
            .protocol(protocol)
            .shutdown_timeout(PATIENCE * 3)
            .disconnected_behavior(DisconnectedBehavior::Reject)
            .build()
            .unwrap();
        let clients: [AnyClient; 2] = [
            host.manager
                .open_with::<RedisCommandClient>(&host.script, server.url(), options.clone())
                .unwrap()
                .into(),
            host.manager
                .open_with::<RedisPubSubClient>(&host.script, server.url(), options)
                .unwrap()
                .into(),
        ];
        let held = Arc::new(());
        let (own, pubsub) = (Arc::clone(&held), clients[1].as_pub_sub().unwrap());
        let listener = pubsub.register_listener("gone", move |_: &Message| {
            let _ = &own;
            Ok(())
        });
        let mut events = clients.each_ref().map(ScriptRedisClient::events);
        server.kill().unwrap();
        for events in &mut events {
            let event = events.recv().unwrap();
            assert!(
                matches!(event, Some(ClientEvent::Disconnected { .. })),
                "{event:?}"
            );
        }
        let error = pubsub.publish("gone", "?").unwrap_err();
        assert_eq!(
            (error.kind(), error.delivery()),
            (ErrorKind::Disconnected, Some(Delivery::NotSent))
        );
        // There is nobody left to tell.
        listener.unwrap().unregister().unwrap();
        assert_eq!(Arc::strong_count(&held), 1);
        let report = host.manager.unload_script(&host.script);
        assert_eq!(report.drained().count(), 2, "{report}");
        for client in &clients {
            assert_eq!(client.state(), ClientState::Closed);
        }
        server.restart().unwrap();
    }
}
