//! Blocking calls from wherever they may be made, on a master that sentinels name and on a cluster: listeners, and threads.

use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::thread;

use redis_manager::prelude::*;
use redis_manager_support::{SentinelTrio, TestCluster};

use crate::fixture::{Host, PATIENCE, PROTOCOLS, eventually, unique};
use crate::reconnect::{open, options};

const CALLERS: usize = 8;

/// A listener that calls everything by which it might wait for itself.
#[track_caller]
fn expect_no_deadlock(url: &str) {
    for protocol in PROTOCOLS {
        let host = Host::new();
        let client: RedisCommandClient = open(&host, url, options(protocol));
        let pubsub: RedisPubSubClient = open(&host, url, options(protocol));
        let (first, second, key) = (unique("first"), unique("second"), unique("key"));
        let (sender, done) = channel();
        let itself: &'static Mutex<Option<ScriptPubSubListener>> =
            Box::leak(Box::new(Mutex::new(None)));
        let own = (client.clone(), pubsub.clone(), second.clone(), key.clone());
        let listener = pubsub.register_listener(&first, move |message: &Message| {
            let (client, pubsub, second, key) = &own;
            let () = client.commands().set(key, message.payload())?;
            let (counted,): (i64,) = client.session()?.transaction(key, |transaction| {
                transaction.queue().incr(key, 1);
                Ok(())
            })?;
            let () = client.commands().rpush(format!("{{{key}}}list"), counted)?;
            let _: (String, i64) = client.commands().blpop(format!("{{{key}}}list"), 5.0)?;
            let sender = sender.clone();
            pubsub.register_listener(second, move |message: &Message| {
                Ok(sender.send(message.payload_str()?.to_owned())?)
            })?;
            pubsub.publish(second, counted)?;
            if let Some(listener) = itself.lock().unwrap().take() {
                listener.unregister()?;
            }
            Ok(())
        });
        *itself.lock().unwrap() = Some(listener.unwrap());
        pubsub.publish(&first, 41).unwrap();
        assert_eq!(done.recv_timeout(PATIENCE).unwrap(), "42");
        let report = host.manager.unload_script(&host.script);
        assert!(report.is_clean(), "{report}");
    }
}

/// Threads that each call and wait, and none of which gets another's answer.
#[track_caller]
fn expect_own_answers(url: &str, shared: bool) {
    for protocol in PROTOCOLS {
        let host = Host::new();
        let client: RedisCommandClient = open(&host, url, options(protocol).shared(shared));
        thread::scope(|scope| {
            for caller in 0..CALLERS {
                let (client, key) = (&client, unique("caller"));
                scope.spawn(move || {
                    for round in 0..200 {
                        let mut commands = client.commands();
                        let () = commands.set(&key, caller * 1_000 + round).unwrap();
                        let own: usize = commands.get(&key).unwrap();
                        assert_eq!(own, caller * 1_000 + round);
                        if round % 20 == 0 {
                            let own: usize = client.session().unwrap().get(&key).unwrap();
                            assert_eq!(own, caller * 1_000 + round);
                            let own: usize =
                                pollster::block_on(client.async_commands().get(&key)).unwrap();
                            assert_eq!(own, caller * 1_000 + round);
                        }
                    }
                });
            }
        });
        assert!(host.manager.unload_script(&host.script).is_clean());
        eventually("no task is left", || {
            host.manager.resources().alive_tasks() == 0
        });
    }
}

#[test]
fn a_listener_may_call_its_own_clients_on_a_master_that_sentinels_name() {
    expect_no_deadlock(&SentinelTrio::start().url());
}

#[test]
fn a_listener_may_call_its_own_clients_in_a_cluster() {
    expect_no_deadlock(&TestCluster::shared().url());
}

#[test]
fn threads_that_block_get_their_own_answers_on_a_master_that_sentinels_name() {
    let trio = SentinelTrio::start();
    for shared in [false, true] {
        expect_own_answers(&trio.url(), shared);
    }
}

#[test]
fn threads_that_block_get_their_own_answers_in_a_cluster() {
    for shared in [false, true] {
        expect_own_answers(&TestCluster::shared().url(), shared);
    }
}
