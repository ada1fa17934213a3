//! Replacing a script of a cluster while messages come.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread;

use redis_manager::prelude::*;
use redis_manager_support::{TestCluster, TestServer};

use crate::fixture::{Host, PROTOCOLS, eventually, unique};
use crate::reconnect::options;
use crate::reloading::number;

const RELOADS: usize = 100;

/// What each generation has heard, while all is published by `node`.
fn heard_by_all(
    cluster: &TestCluster,
    node: &TestServer,
    channel: &Channel,
    options: &ClientOptions,
) -> (BTreeSet<u64>, u64) {
    let host = Host::new();
    let name = unique("chat");
    let heard = Arc::new(Mutex::new(BTreeSet::new()));
    let reload = || {
        let reload = host.manager.reload_script(&name).unwrap();
        let client: RedisPubSubClient = host
            .manager
            .open_with(reload.script(), cluster.url(), options.clone())
            .unwrap();
        let heard = Arc::clone(&heard);
        client
            .register_listener(channel.clone(), move |message: &Message| {
                heard.lock().unwrap().insert(number(message));
                Ok(())
            })
            .unwrap();
        reload.finish().unwrap();
    };
    // Of which nobody is to have missed the first.
    reload();
    let (stop, published) = (AtomicBool::new(false), AtomicU64::new(0));
    let command = match channel.kind() {
        redis_manager::ChannelKind::Shard => "SPUBLISH",
        _ => "PUBLISH",
    };
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(SeqCst) {
                let number = published.load(SeqCst).to_string();
                node.run(&[command.as_bytes(), channel.name(), number.as_bytes()]);
                published.fetch_add(1, SeqCst);
            }
        });
        for _ in 0..RELOADS {
            reload();
        }
        stop.store(true, SeqCst);
    });
    let published = published.load(SeqCst);
    eventually("the last one is heard", || {
        heard.lock().unwrap().last() == Some(&(published - 1))
    });
    let heard = heard.lock().unwrap().clone();
    (heard, published)
}

/// Of plain channels only where both generations have them by one node: what one node has heard, another hears a moment
/// later.
#[test]
fn nothing_is_lost_of_shard_channels_nor_of_plain_ones_on_a_connection_that_is_shared() {
    let cluster = TestCluster::shared();
    let has_shards = TestServer::shared().is_tried_with("SSUBSCRIBE");
    for protocol in PROTOCOLS {
        for (shared, is_shard) in [(true, false), (true, true), (false, true)] {
            if is_shard && !has_shards {
                continue;
            }
            let name = unique("channel");
            let channel = match is_shard {
                true => Channel::shard(&*name),
                false => Channel::new(&*name),
            };
            let node = cluster.owner_of(&name);
            // They drop nothing.
            let options = options(protocol).listener_queue_size(1_000_000);
            let options = options.shared(shared).build().unwrap();
            let (heard, published) = heard_by_all(cluster, node, &channel, &options);
            assert!((0..published).eq(heard), "{channel}, shared: {shared}");
        }
    }
}
