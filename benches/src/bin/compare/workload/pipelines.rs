//! One task that sends one pipeline after the other.

use super::{Task, host};
use crate::contestant::raw_socket::Window;
use crate::contestant::{Contestant, deadpool_redis, fred, redis_manager, redis_rs, rustis};
use crate::item::{Item, items};
use crate::measure::tasks::{self, Operation};
use crate::measure::threads;
use crate::role::{Calls, Load, Peer};
use crate::run::Sample;

struct Pipelining<C> {
    client: C,
    items: Vec<Item>,
}

impl<C: Calls> Operation for Pipelining<C> {
    async fn run(&mut self) {
        self.client.pipeline(&self.items).await;
    }
}

/// `load.depth` is the length of a pipeline: half of it SET, half of it GET.
pub(crate) fn run(task: Task, load: Load) -> Sample {
    match task.contestant {
        Contestant::RedisManager => peer::<redis_manager::Scripts>(task, load),
        Contestant::RedisRs => peer::<redis_rs::Default>(task, load),
        Contestant::RedisRsTuned => peer::<redis_rs::Tuned>(task, load),
        Contestant::DeadpoolRedis => peer::<deadpool_redis::Pooled>(task, load),
        Contestant::Fred => peer::<fred::Fred>(task, load),
        Contestant::Rustis => peer::<rustis::Rustis>(task, load),
        Contestant::RawSocket => {
            let items = items(load.depth / 2, load.size);
            let window = Window::of_keys(load, &items, load.depth);
            threads::measure(vec![window], task.phases)
        }
        _ => task.no_part(),
    }
}

fn peer<P: Peer<Client: Calls>>(task: Task, load: Load) -> Sample {
    let host = host();
    let peer = host.block_on(P::start(load));
    let pipelining = Pipelining {
        client: host.block_on(peer.open()),
        items: items(load.depth / 2, load.size),
    };
    tasks::measure(host, vec![pipelining], load.depth as u64, task.phases)
}
