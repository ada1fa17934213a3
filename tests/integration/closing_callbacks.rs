//! Closing and callbacks: from inside one, and with one that does not end.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, mpsc};
use std::task::Poll;
use std::thread;
use std::time::Instant;

use redis_manager::CloseOutcome;
use redis_manager::prelude::*;

use crate::closing::options;
use crate::fixture::{Host, PATIENCE, PROTOCOLS, unique};
use crate::listening::{expect_silenced, publish_from_outside};

#[test]
fn of_many_closes_at_the_same_time_one_closes_and_all_return_when_it_is_done() {
    for protocol in PROTOCOLS {
        let host = Host::new();
        let clients = host.open_three(protocol);
        for client in clients {
            let start = Barrier::new(8);
            let outcomes = thread::scope(|scope| {
                let closings: Vec<_> = (0..8)
                    .map(|number| {
                        let (client, start) = (&client, &start);
                        scope.spawn(move || {
                            start.wait();
                            let report = match number % 2 {
                                0 => client.close(),
                                _ => pollster::block_on(client.close_async()),
                            };
                            assert_eq!(client.state(), ClientState::Closed);
                            assert_eq!(report.client_id(), client.client_id());
                            assert_eq!(report.client_type(), client.client_type());
                            report.outcome().clone()
                        })
                    })
                    .collect();
                closings
                    .into_iter()
                    .map(|closing| closing.join().unwrap())
                    .collect::<Vec<_>>()
            });
            let drained = outcomes
                .iter()
                .filter(|o| matches!(o, CloseOutcome::Drained));
            assert_eq!(drained.count(), 1, "{outcomes:?}");
            let late = outcomes
                .iter()
                .filter(|o| matches!(o, CloseOutcome::AlreadyClosed));
            assert_eq!(late.count(), 7, "{outcomes:?}");
            assert!(matches!(
                client.close().outcome(),
                CloseOutcome::AlreadyClosed
            ));
        }
    }
}

#[test]
fn closing_from_inside_a_callback_does_not_wait_and_ends_closed() {
    for protocol in PROTOCOLS {
        for is_async in [false, true] {
            let (host, channel) = (Host::new(), unique("inside"));
            let client: RedisPubSubClient = host.open_with(options(protocol, PATIENCE * 3));
            let own = client.clone();
            let (sender, outcomes) = mpsc::channel();
            if is_async {
                let registering = client.register_async_listener(&channel, move |_: Message| {
                    let (own, sender) = (own.clone(), sender.clone());
                    async move {
                        sender.send(own.close_async().await.outcome().clone())?;
                        sender.send(own.close_async().await.outcome().clone())?;
                        Ok(())
                    }
                });
                pollster::block_on(registering).unwrap();
            } else {
                let registered = client.register_listener(&channel, move |_: &Message| {
                    sender.send(own.close().outcome().clone())?;
                    sender.send(own.close().outcome().clone())?;
                    Ok(())
                });
                registered.unwrap();
            }
            let mut events = client.events();
            publish_from_outside(&channel, "close");
            let outcome = outcomes.recv_timeout(PATIENCE).unwrap();
            assert!(matches!(outcome, CloseOutcome::InBackground), "{outcome:?}");
            let outcome = outcomes.recv_timeout(PATIENCE).unwrap();
            assert!(
                matches!(outcome, CloseOutcome::AlreadyClosed),
                "{outcome:?}"
            );
            assert!(matches!(events.recv(), Ok(Some(ClientEvent::Closed))));
            assert_eq!(client.state(), ClientState::Closed);
            expect_silenced(&outcomes);
            host.expect_connections(0);
        }
    }
}

#[test]
fn a_callback_that_does_not_return_is_named_and_holds_up_nobody_else() {
    for protocol in PROTOCOLS {
        for is_async in [false, true] {
            let (host, channel) = (Host::new(), unique("stuck"));
            let timeout = Duration::from_millis(100);
            let clients =
                [(); 3].map(|()| host.open_with::<RedisPubSubClient>(options(protocol, timeout)));
            let commands: RedisCommandClient = host.open(protocol);
            for client in &clients {
                client
                    .register_listener(unique("other"), |_: &Message| Ok(()))
                    .unwrap();
            }
            let (start, started) = mpsc::channel();
            let (release, released) = mpsc::channel::<()>();
            let went_on = Arc::new(AtomicBool::new(false));
            let goes_on = Arc::clone(&went_on);
            if is_async {
                let registering = clients[1].register_async_listener(&channel, move |_| {
                    let (start, goes_on) = (start.clone(), Arc::clone(&goes_on));
                    async move {
                        start.send(())?;
                        poll_fn(|_| Poll::<()>::Pending).await;
                        goes_on.store(true, Ordering::SeqCst);
                        Ok(())
                    }
                });
                pollster::block_on(registering).unwrap();
            } else {
                let registered = clients[1].register_listener(&channel, move |_: &Message| {
                    start.send(())?;
                    let _ = released.recv();
                    Ok(())
                });
                registered.unwrap();
            }
            publish_from_outside(&channel, "stay");
            started.recv_timeout(PATIENCE).unwrap();

            let began = Instant::now();
            let report = host.manager.unload_script(&host.script);
            assert!(began.elapsed() < PATIENCE);
            let running: Vec<_> = report.running_callbacks().collect();
            assert_eq!(running, [&channel]);
            assert_eq!(report.clients()[1].running_callbacks(), [&*channel]);
            assert_eq!((report.drained().count(), report.cut_off().count()), (3, 1));
            assert!(!report.is_clean());
            assert!(report.to_string().contains(&channel), "{report}");
            for client in &clients {
                assert_eq!(client.state(), ClientState::Closed);
            }
            assert_eq!(commands.state(), ClientState::Closed);
            host.expect_connections(0);
            // An asynchronous one was ended and its closure dropped; a synchronous one when it returns.
            if !is_async {
                release.send(()).unwrap();
            }
            expect_silenced(&started);
            assert!(!went_on.load(Ordering::SeqCst));
        }
    }
}
