//! From where one may call: blocking calls from any thread, asynchronous ones under any executor.

use std::sync::mpsc;
use std::task::{Context, Poll, Waker};
use std::thread::{self};
use std::{pin::pin, sync::Arc};

use redis_manager::prelude::*;
use redis_manager::{Delivery, OpenRedisClient, Protocol};

use crate::fixture::{Host, PATIENCE, PROTOCOLS, unique};
use crate::listening::{hearing, next_text};

/// Everything that blocks, once. Called from wherever a script may be.
fn every_blocking_call(host: &Host, protocol: Protocol) {
    let script = host.manager.load_script(unique("script")).unwrap();
    let options = ClientOptions::builder().protocol(protocol).build().unwrap();
    let open = |client_type| {
        let opened =
            host.manager
                .open_redis_client_with(&script, client_type, host.url(), options.clone());
        opened.unwrap()
    };
    let client = open(ClientType::Command);
    let (commands, key) = (client.as_command().unwrap(), unique("key"));
    commands.commands().set::<_, _, ()>(&key, 1).unwrap();
    assert_eq!(commands.commands().get::<_, i64>(&key).unwrap(), 1);
    let mut session = commands.session().unwrap();
    let (doubled,): (i64,) = session
        .transaction(&key, |tx| {
            let value: i64 = tx.get(&key)?;
            tx.queue().set(&key, value * 2).ignore().get(&key);
            Ok(())
        })
        .unwrap();
    assert_eq!(doubled, 2);
    drop(session);

    let client = open(ClientType::PubSub);
    let (pubsub, channel) = (client.as_pub_sub().unwrap(), unique("channel"));
    let (function, heard) = hearing();
    let listener = pubsub.register_listener(&channel, function).unwrap();
    assert_eq!(pubsub.publish(&channel, "hello").unwrap(), 1);
    assert_eq!(next_text(&heard), "hello");
    listener.unregister().unwrap();
    let mut events = pubsub.events();
    pubsub.close();
    assert!(matches!(events.recv(), Ok(Some(ClientEvent::Closed))));

    let client = open(ClientType::Basic);
    assert_eq!(client.as_basic().unwrap().ping().unwrap(), "PONG");
    assert!(host.manager.close_redis_clients(&script).unwrap().len() == 2);
    assert!(host.manager.unload_script(&script).was_loaded());
}

/// The same on `thread`, which must end.
#[track_caller]
fn in_time(thread: impl FnOnce() + Send + 'static) {
    let (sender, done) = mpsc::channel();
    thread::spawn(move || {
        thread();
        sender.send(())
    });
    done.recv_timeout(PATIENCE * 2).expect("it ends");
}

#[test]
fn blocking_calls_work_on_a_plain_thread() {
    for protocol in PROTOCOLS {
        in_time(move || every_blocking_call(&Host::new(), protocol));
    }
}

#[test]
fn blocking_calls_work_on_the_only_thread_of_a_current_thread_runtime() {
    for protocol in PROTOCOLS {
        in_time(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                every_blocking_call(&Host::new(), protocol);
                tokio::spawn(async move { every_blocking_call(&Host::new(), protocol) })
                    .await
                    .unwrap();
            });
        });
    }
}

#[test]
fn blocking_calls_work_on_every_worker_of_a_multi_thread_runtime_at_once() {
    for protocol in PROTOCOLS {
        in_time(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .build()
                .unwrap();
            let tasks = [(); 4].map(|()| {
                runtime.spawn(async move { every_blocking_call(&Host::new(), protocol) })
            });
            for task in tasks {
                runtime.block_on(task).unwrap();
            }
        });
    }
}

#[test]
fn blocking_calls_work_in_a_local_set() {
    for protocol in PROTOCOLS {
        in_time(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .build()
                .unwrap();
            let local = tokio::task::LocalSet::new();
            local.block_on(&runtime, async move {
                tokio::task::spawn_local(
                    async move { every_blocking_call(&Host::new(), protocol) },
                )
                .await
                .unwrap();
            });
        });
    }
}

#[test]
fn blocking_calls_work_in_sync_and_async_listeners() {
    for protocol in PROTOCOLS {
        for is_async in [false, true] {
            let host = Arc::new(Host::new());
            let (client, channel): (RedisPubSubClient, _) = (host.open(protocol), unique("inside"));
            let (sender, done) = mpsc::channel();
            let own = Arc::clone(&host);
            if is_async {
                let registering = client.register_async_listener(&channel, move |_| {
                    let (own, sender) = (Arc::clone(&own), sender.clone());
                    async move {
                        // A listener of an asynchronous callback thread would be held up by this one.
                        blocking_calls_in_callback(&own, protocol);
                        Ok(sender.send(())?)
                    }
                });
                pollster::block_on(registering).unwrap();
            } else {
                let registered = client.register_listener(&channel, move |_: &Message| {
                    every_blocking_call_in_callback(&own, protocol);
                    Ok(sender.send(())?)
                });
                registered.unwrap();
            }
            client.publish(&channel, "go").unwrap();
            done.recv_timeout(PATIENCE).expect("it ends");
            assert!(host.manager.unload_script(&host.script).is_clean());
        }
    }
}

/// As [`every_blocking_call`], with another sync listener that hears.
fn every_blocking_call_in_callback(host: &Host, protocol: Protocol) {
    let client: RedisPubSubClient = host.open(protocol);
    let (channel, (function, heard)) = (unique("inner"), hearing());
    client.register_listener(&channel, function).unwrap();
    assert_eq!(client.publish(&channel, "hello").unwrap(), 1);
    assert_eq!(next_text(&heard), "hello");
    blocking_calls_in_callback(host, protocol);
}

/// What closes does not wait in a callback, and says so.
fn blocking_calls_in_callback(host: &Host, protocol: Protocol) {
    let script = host.manager.load_script(unique("script")).unwrap();
    let options = ClientOptions::builder().protocol(protocol).build().unwrap();
    let commands: RedisCommandClient = host
        .manager
        .open_with(&script, host.url(), options.clone())
        .unwrap();
    let key = unique("key");
    commands.commands().set::<_, _, ()>(&key, 1).unwrap();
    let mut session = commands.session().unwrap();
    assert_eq!(session.get::<_, i64>(&key).unwrap(), 1);
    let pubsub: RedisPubSubClient = host
        .manager
        .open_with(&script, host.url(), options)
        .unwrap();
    let listener = pubsub
        .register_listener(&key, |_: &Message| Ok(()))
        .unwrap();
    assert_eq!(pubsub.publish(&key, "hello").unwrap(), 1);
    listener.unregister().unwrap();
    pubsub.close();
    assert!(host.manager.unload_script(&script).was_loaded());
}

/// A script's object that says goodbye when it is dropped.
struct Farewell {
    host: Arc<Host>,
    protocol: Protocol,
    done: mpsc::Sender<()>,
}

impl Drop for Farewell {
    fn drop(&mut self) {
        every_blocking_call(&self.host, self.protocol);
        let _ = self.done.send(());
    }
}

#[test]
fn blocking_calls_work_in_drop_inside_and_outside_a_runtime() {
    for protocol in PROTOCOLS {
        let (done, dones) = mpsc::channel();
        let host = Arc::new(Host::new());
        let farewell = || Farewell {
            host: Arc::clone(&host),
            protocol,
            done: done.clone(),
        };
        let outside = farewell();
        in_time(move || drop(outside));
        let [current, worker, aborted] = [(); 3].map(|()| farewell());
        in_time(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .build()
                .unwrap();
            runtime.block_on(async move { drop(current) });
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .build()
                .unwrap();
            let dropping = runtime.spawn(async move { drop(worker) });
            runtime.block_on(dropping).unwrap();
            let waiting = runtime.spawn(async move {
                let _aborted = aborted;
                std::future::pending::<()>().await;
            });
            waiting.abort();
            assert!(runtime.block_on(waiting).unwrap_err().is_cancelled());
        });
        for _ in 0..4 {
            dones.recv_timeout(PATIENCE).unwrap();
        }
    }
}

#[test]
fn blocking_calls_work_on_the_threads_of_a_foreign_pool() {
    for protocol in PROTOCOLS {
        let host = Host::new();
        let (sender, jobs) = mpsc::channel::<usize>();
        let jobs = std::sync::Mutex::new(jobs);
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    while let Ok(_job) = { jobs.lock().unwrap().recv() } {
                        every_blocking_call(&host, protocol);
                    }
                });
            }
            for job in 0..6 {
                sender.send(job).unwrap();
            }
            drop(sender);
        });
        host.expect_connections(0);
    }
}

#[test]
fn a_thousand_blocking_calls_in_one_task_all_return() {
    for protocol in PROTOCOLS {
        in_time(move || {
            let (host, key) = (Host::new(), unique("counter"));
            let client: RedisCommandClient = host.open(protocol);
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .build()
                .unwrap();
            let counting = runtime.spawn(async move {
                let mut commands = client.commands();
                for expected in 1..=1000 {
                    assert_eq!(commands.incr::<_, _, i64>(&key, 1).unwrap(), expected);
                }
            });
            runtime.block_on(counting).unwrap();
        });
    }
}

#[test]
fn threads_that_share_a_client_get_each_its_own_replies() {
    for protocol in PROTOCOLS {
        let (host, key) = (Host::new(), unique("shared"));
        let client: RedisCommandClient = host.open(protocol);
        thread::scope(|scope| {
            for number in 0..8 {
                let (mut commands, mut async_commands) =
                    (client.commands(), client.async_commands());
                let (client, key) = (&client, &key);
                scope.spawn(move || {
                    for round in 0..200 {
                        let value = format!("{number}-{round}");
                        let echo = redis_manager::redis::cmd("ECHO").arg(&value).to_owned();
                        assert_eq!(echo.query::<String>(&mut commands).unwrap(), value);
                        let own = format!("{key}-{number}");
                        commands.set::<_, _, ()>(&own, &value).unwrap();
                        // A call that nobody waits for any more takes no one else's reply.
                        {
                            let mut dropped = client.async_commands();
                            let mut dropped = pin!(dropped.get::<_, String>("nobody waits"));
                            let _: Poll<_> = dropped
                                .as_mut()
                                .poll(&mut Context::from_waker(Waker::noop()));
                        }
                        let got: String = pollster::block_on(async_commands.get(&own)).unwrap();
                        assert_eq!(got, value);
                    }
                });
            }
        });
        assert!(host.manager.unload_script(&host.script).is_clean());
    }
}

#[test]
fn a_layer_alone_opens_from_anywhere_too() {
    for protocol in PROTOCOLS {
        let host = Host::new();
        let script = ScriptHandle::new("alone");
        let options = ClientOptions::builder().protocol(protocol).build().unwrap();
        let uri: RedisUri = host.url().parse().unwrap();
        let resources = host.manager.resources();
        let client =
            RedisPubSubClient::open(&script, uri.clone(), options.clone(), resources).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let other = runtime.block_on(async {
            RedisCommandClient::open(&script, uri, options, resources).unwrap()
        });
        script.gate().shut();
        client.close();
        other.close();
        let error = client.publish("late", 1).unwrap_err();
        assert_eq!(error.delivery(), Some(Delivery::NotSent));
        host.expect_connections(0);
    }
}
