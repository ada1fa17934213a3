//! Unloading a script leaves nothing of it, whatever is under way: the promise that the library is for.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context, Waker};
use std::thread;
use std::time::Instant;

use redis_manager::prelude::*;
use redis_manager::redis::Value;
use redis_manager::{ClientResources, Delivery};
use redis_manager_support::TestServer;

use crate::fixture::{Host, PATIENCE, PROTOCOLS, eventually, unique};
use crate::listening::{publish_from_outside, subscribers};

#[test]
fn a_script_with_twenty_clients_of_all_types_leaves_no_connection_and_no_callback() {
    for protocol in PROTOCOLS {
        let (host, channel) = (Host::new(), unique("twenty"));
        // Callbacks that were started, and those of them that ended.
        let (started, ended) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let mut clients: Vec<AnyClient> = Vec::new();
        let (mut sessions, mut async_sessions, mut pools) = (Vec::new(), Vec::new(), Vec::new());
        for number in 0..20 {
            let client = match number % 3 {
                0 => {
                    let client: RedisPubSubClient = host.open(protocol);
                    let (begin, end) = (Arc::clone(&started), Arc::clone(&ended));
                    let sync = client.register_listener(&channel, move |_: &Message| {
                        begin.fetch_add(1, Ordering::SeqCst);
                        thread::yield_now();
                        end.fetch_add(1, Ordering::SeqCst);
                        Ok(())
                    });
                    sync.unwrap();
                    let (begin, end) = (Arc::clone(&started), Arc::clone(&ended));
                    let registering = client.register_async_listener(&channel, move |_| {
                        begin.fetch_add(1, Ordering::SeqCst);
                        let end = Arc::clone(&end);
                        async move {
                            tokio::task::yield_now().await;
                            end.fetch_add(1, Ordering::SeqCst);
                            Ok(())
                        }
                    });
                    pollster::block_on(registering).unwrap();
                    AnyClient::from(client)
                }
                1 => {
                    let client: RedisCommandClient = host.open(protocol);
                    client.commands().set::<_, _, ()>(unique("key"), 1).unwrap();
                    sessions.push(client.session().unwrap());
                    async_sessions.push(pollster::block_on(client.session_async()).unwrap());
                    drop(client.session().unwrap());
                    client.into()
                }
                _ => {
                    let client: RedisBasicClient = host.open(protocol);
                    pools.push(client.pool().unwrap());
                    client.ping().unwrap();
                    client.into()
                }
            };
            clients.push(client);
        }
        assert_eq!(host.manager.redis_clients(&host.script).len(), 20);
        // RESP2 subscribes on sockets of their own.
        let sockets = if protocol == redis_manager::Protocol::Resp2 {
            14
        } else {
            7
        };
        eventually("every socket has its name", || {
            host.connections().len() >= sockets + 7 + 2 * 7
        });
        assert_eq!(subscribers(&channel), 7);

        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::SeqCst) {
                    publish_from_outside(&channel, "tick");
                }
            });
            eventually("messages flow", || started.load(Ordering::SeqCst) > 100);
            let report = host.manager.unload_script(&host.script);
            let started_before = started.load(Ordering::SeqCst);
            assert_eq!(
                started_before,
                ended.load(Ordering::SeqCst),
                "one was running"
            );
            assert!(report.is_clean(), "{report}");
            let reported: Vec<_> = report.clients().iter().map(|c| c.client_id()).collect();
            let opened: Vec<_> = clients.iter().map(|client| client.client_id()).collect();
            assert_eq!(reported, opened);
            assert_eq!(report.drained().count(), 20);

            host.expect_connections(0);
            assert_eq!(subscribers(&channel), 0);
            for _ in 0..100 {
                assert_eq!(publish_from_outside(&channel, "anybody there?"), 0);
            }
            assert_eq!(started.load(Ordering::SeqCst), started_before);
            done.store(true, Ordering::SeqCst);
        });

        for mut session in sessions {
            let error = Error::from(session.set::<_, _, ()>("late", 1).unwrap_err());
            assert_eq!(error.kind(), ErrorKind::Closed);
        }
        for mut session in async_sessions {
            let error = pollster::block_on(session.set::<_, _, ()>("late", 1)).unwrap_err();
            assert_eq!(Error::from(error).kind(), ErrorKind::Closed);
        }
        for pool in pools {
            assert!(pool.is_closed());
        }
        host.expect_connections(0);
    }
}

#[test]
fn handles_that_escaped_answer_closed_at_once() {
    for protocol in PROTOCOLS {
        let host = Host::new();
        let basic: RedisBasicClient = host.open(protocol);
        let command: RedisCommandClient = host.open(protocol);
        let pubsub: RedisPubSubClient = host.open(protocol);
        let (mut commands, mut async_commands) = (command.commands(), command.async_commands());
        let (mut session, connection) = (command.session().unwrap(), command.connection().clone());
        let ping = redis_manager::redis::cmd("PING");
        assert_eq!(
            connection.request(&ping).unwrap(),
            Value::SimpleString("PONG".into())
        );
        assert!(host.manager.unload_script(&host.script).is_clean());

        let publish_errors = [
            pubsub.publish("late", 1).unwrap_err(),
            pollster::block_on(pubsub.publish_async("late", 1)).unwrap_err(),
            pubsub
                .register_listener("late", |_: &Message| Ok(()))
                .unwrap_err(),
            pollster::block_on(pubsub.register_async_listener("late", async |_| Ok(())))
                .unwrap_err(),
        ];
        let errors = [
            Error::from(commands.set::<_, _, ()>("late", 1).unwrap_err()),
            Error::from(pollster::block_on(async_commands.set::<_, _, ()>("late", 1)).unwrap_err()),
            Error::from(session.set::<_, _, ()>("late", 1).unwrap_err()),
            Error::from(commands.blpop::<_, Value>("late", 0.0).unwrap_err()),
            connection.request(&ping).unwrap_err(),
            pollster::block_on(connection.request_async(&ping)).unwrap_err(),
            basic.ping().unwrap_err(),
            pollster::block_on(basic.ping_async()).unwrap_err(),
        ];
        for error in errors.into_iter().chain(publish_errors) {
            assert_eq!(error.kind(), ErrorKind::Closed, "{error:?}");
            assert_eq!(error.delivery(), Some(Delivery::NotSent), "{error:?}");
        }
        for kind in [
            command.session().map(drop).unwrap_err().kind(),
            pollster::block_on(command.session_async())
                .map(drop)
                .unwrap_err()
                .kind(),
            basic.pool().map(drop).unwrap_err().kind(),
        ] {
            assert_eq!(kind, ErrorKind::Closed);
        }
        host.expect_connections(0);
    }
}

#[test]
fn dropping_the_last_manager_unloads_everything_without_waiting() {
    for protocol in PROTOCOLS {
        for shared in [false, true] {
            let resources = ClientResources::new().unwrap();
            let manager = match shared {
                true => RedisManager::with_resources(resources),
                false => RedisManager::new().unwrap(),
            };
            let (name, channel) = (unique("dropped"), unique("dropped"));
            let script = manager.load_script(&name).unwrap();
            let url = format!("{}?clientName={name}", TestServer::shared().url());
            let options = ClientOptions::builder()
                .protocol(protocol)
                .shutdown_timeout(PATIENCE * 3)
                .build()
                .unwrap();
            let client: RedisPubSubClient =
                manager.open_with(&script, &url, options.clone()).unwrap();
            let (start, started) = mpsc::channel();
            let (release, released) = mpsc::channel::<()>();
            let listener = client.register_listener(&channel, move |_: &Message| {
                start.send(())?;
                let _ = released.recv();
                Ok(())
            });
            listener.unwrap();
            publish_from_outside(&channel, "stay");
            started.recv_timeout(PATIENCE).unwrap();

            drop(manager.clone());
            assert!(script.is_loaded(), "a clone is not the manager");
            let began = Instant::now();
            drop(manager);
            assert!(began.elapsed() < PATIENCE);
            assert!(!script.is_loaded());
            drop(release);
            let is_closed = || client.state() == ClientState::Closed;
            eventually("it is closed", is_closed);
            assert_eq!(
                client.publish(&channel, 1).unwrap_err().kind(),
                ErrorKind::Closed
            );
            eventually("no connection is left", || {
                let clients = TestServer::shared().clients().unwrap();
                clients.iter().all(|client| client.name != name)
            });
        }
    }
}

#[test]
fn an_unloading_goes_on_when_nobody_waits_for_it_any_more() {
    for protocol in PROTOCOLS {
        let host = Host::new();
        let clients: [RedisCommandClient; 3] = [(); 3].map(|()| host.open(protocol));
        {
            let mut unloading = Box::pin(host.manager.unload_script_async(&host.script));
            let _ = unloading
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()));
        }
        for client in clients {
            eventually("it is closed", || client.state() == ClientState::Closed);
        }
        host.expect_connections(0);
    }
}

#[test]
fn on_an_io_thread_unloading_waits_for_nothing_and_takes_no_more_work() {
    let host = Host::new();
    let client: RedisCommandClient = host.open(Protocol::Auto);
    let (manager, script) = (host.manager.clone(), host.script.clone());
    let escaped = client.clone();
    let unloading = host.manager.resources().spawn(async move {
        let report = manager.unload_script(&script);
        let refused = escaped.async_commands().get::<_, Value>("k").await;
        (report, refused)
    });
    let (report, refused) = pollster::block_on(unloading).unwrap();
    assert_eq!(report.in_background().count(), 1, "{report}");
    assert_eq!(Error::from(refused.unwrap_err()).kind(), ErrorKind::Closed);
    eventually("it is closed", || client.state() == ClientState::Closed);
    host.expect_connections(0);
}
