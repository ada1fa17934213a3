//! How much memory of the process a client holds that has made two calls and is idle.

use std::sync::Arc;
use std::time::Duration;

use super::{Task, host, opening};
use crate::allocations;
use crate::contestant::{Contestant, fred, redis_manager, redis_rs, rustis};
use crate::item::{Item, items};
use crate::measure::Cost;
use crate::role::{Calls, Load, Peer};
use crate::run::Sample;

/// What is made once, by the first clients, is not theirs.
const FIRST: usize = 16;
/// For what is freed after a reply.
const SETTLING: Duration = Duration::from_millis(500);

pub(crate) fn run(task: Task, load: Load, count: usize) -> Sample {
    match task.contestant {
        Contestant::RedisManager => peer::<redis_manager::Scripts>(load, count),
        Contestant::RedisManagerShared => peer::<redis_manager::Shared>(load, count),
        Contestant::RedisRs => peer::<redis_rs::Default>(load, count),
        Contestant::Fred => peer::<fred::Fred>(load, count),
        Contestant::Rustis => peer::<rustis::Rustis>(load, count),
        _ => task.no_part(),
    }
}

fn peer<P>(load: Load, count: usize) -> Sample
where
    P: Peer<Client: Calls> + Send + Sync + 'static,
{
    let host = host();
    let peer = Arc::new(host.block_on(P::start(load)));
    let item = items(1, load.size).remove(0);
    let open = {
        let peer = Arc::clone(&peer);
        move || {
            let (peer, item) = (Arc::clone(&peer), item.clone());
            async move { used(&*peer, &item).await }
        }
    };
    let sample = host.block_on(async {
        let _first = opening::open(FIRST, open.clone()).await;
        allocations::start_counting();
        let cost = Cost::start();
        let (_clients, _) = opening::open(count, open).await;
        let mut sample = cost.of(count as u64);
        tokio::time::sleep(SETTLING).await;
        let allocated = allocations::stop_counting();
        sample.memory = Some(allocated.bytes as f64 / count as f64);
        sample
    });
    // Our clients are closed with their manager.
    drop(peer);
    sample
}

async fn used<P: Peer<Client: Calls>>(peer: &P, item: &Item) -> P::Client {
    let mut client = peer.open().await;
    client.set(item).await;
    client.get(item).await;
    client
}
