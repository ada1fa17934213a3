//! Asynchronous calls, under any executor and under none.

use std::sync::Arc;
use std::task::{Context, Wake, Waker};
use std::thread::{self, Thread};

use redis_manager::Protocol;
use redis_manager::prelude::*;

use crate::fixture::{Host, PATIENCE, PROTOCOLS, unique};
use crate::listening::{hearing_async, next_text};

/// Everything that is asynchronous, once. Its type says that every future of it is `Send`.
async fn every_async_call(manager: RedisManager, url: String, protocol: Protocol) {
    let script = manager.load_script(unique("script")).unwrap();
    let options = ClientOptions::builder().protocol(protocol).build().unwrap();
    let commands: RedisCommandClient = manager
        .open_with_async(&script, &*url, options.clone())
        .await
        .unwrap();
    let key = unique("key");
    commands
        .async_commands()
        .set::<_, _, ()>(&key, 1)
        .await
        .unwrap();
    assert_eq!(
        commands.async_commands().get::<_, i64>(&key).await.unwrap(),
        1
    );
    let (mut one, mut other) = (commands.async_commands(), commands.async_commands());
    let (one, other) = futures_util::future::join(
        one.incr::<_, _, i64>(&key, 1),
        other.incr::<_, _, i64>(&key, 1),
    )
    .await;
    assert_eq!(one.unwrap() + other.unwrap(), 5);
    let mut session = commands.session_async().await.unwrap();
    // The closure owns what it uses: with a reference inside, the compiler (1.95) finds the future not
    // general enough to be `Send`.
    let own = key.clone();
    let (doubled,): (i64,) = session
        .transaction_async(&key, async move |tx| {
            let value: i64 = tx.get(&own).await?;
            tx.queue().set(&own, value * 2).ignore().get(&own);
            Ok(())
        })
        .await
        .unwrap();
    assert_eq!(doubled, 6);
    drop(session);

    let pubsub = manager.open_redis_client_with_async(&script, ClientType::PubSub, &*url, options);
    let pubsub = pubsub.await.unwrap().as_pub_sub().unwrap().clone();
    let (channel, (function, heard)) = (unique("channel"), hearing_async());
    let listener = pubsub
        .register_async_listener(&channel, function)
        .await
        .unwrap();
    assert_eq!(pubsub.publish_async(&channel, "hello").await.unwrap(), 1);
    assert_eq!(next_text(&heard), "hello");
    listener.unregister_async().await.unwrap();
    assert_eq!(
        pubsub.unregister_listeners_async(&channel).await.unwrap(),
        0
    );
    let mut events = pubsub.events();
    pubsub.close_async().await;
    assert!(matches!(
        events.recv_async().await,
        Some(ClientEvent::Closed)
    ));

    let basic: RedisBasicClient = manager.open_async(&script, &*url).await.unwrap();
    assert_eq!(basic.ping_async().await.unwrap(), "PONG");
    assert_eq!(
        manager.close_redis_client_async(&basic).await.client_id(),
        basic.client_id()
    );
    assert_eq!(manager.close_redis_clients_async(&script).await.len(), 1);
    assert!(manager.unload_script_async(&script).await.was_loaded());
    let (script, _) = manager
        .reload_script(script.name())
        .unwrap()
        .finish_async()
        .await
        .unwrap();
    assert!(manager.unload_script_async(&script).await.was_loaded());
}

fn everything(host: &Host, protocol: Protocol) -> impl Future<Output = ()> + Send + 'static {
    every_async_call(host.manager.clone(), host.url(), protocol)
}

#[test]
fn asynchronous_calls_work_without_any_runtime() {
    for protocol in PROTOCOLS {
        let host = Host::new();
        pollster::block_on(everything(&host, protocol));
        host.expect_connections(0);
    }
}

#[test]
fn asynchronous_calls_work_spawned_on_a_multi_thread_runtime() {
    for protocol in PROTOCOLS {
        let host = Host::new();
        // Without tokio's own drivers: everything of ours has its own.
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .build()
            .unwrap();
        let tasks = [(); 4].map(|()| runtime.spawn(everything(&host, protocol)));
        for task in tasks {
            runtime.block_on(task).unwrap();
        }
        host.expect_connections(0);
    }
}

#[test]
fn asynchronous_calls_work_on_a_current_thread_runtime_and_in_a_local_set() {
    for protocol in PROTOCOLS {
        let host = Host::new();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(everything(&host, protocol));
        let local = tokio::task::LocalSet::new();
        let task = local.spawn_local(everything(&host, protocol));
        local.block_on(&runtime, task).unwrap();
        host.expect_connections(0);
    }
}

#[test]
fn asynchronous_calls_work_polled_by_hand_on_changing_threads() {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    for protocol in PROTOCOLS {
        let host = Host::new();
        let mut future = Box::pin(everything(&host, protocol));
        // Each poll on a thread of its own, with a waker of its own.
        while thread::scope(|scope| {
            let polling = scope.spawn(|| {
                let waker = Waker::from(Arc::new(Unpark(thread::current())));
                let polled = future.as_mut().poll(&mut Context::from_waker(&waker));
                if polled.is_pending() {
                    thread::park_timeout(PATIENCE);
                }
                polled.is_pending()
            });
            polling.join().unwrap()
        }) {}
        host.expect_connections(0);
    }
}
