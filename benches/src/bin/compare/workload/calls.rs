//! Tasks that share one client, each with a key of its own, which it sets and gets in turn.

use super::{Task, host};
use crate::contestant::raw_socket::Window;
use crate::contestant::{Contestant, deadpool_redis, fred, redis_manager, redis_rs, rustis};
use crate::item::{Item, items};
use crate::measure::tasks::{self, Operation};
use crate::measure::threads;
use crate::role::{Calls, Load, Peer};
use crate::run::Sample;

struct Alternating<C> {
    client: C,
    item: Item,
    is_set: bool,
}

impl<C: Calls> Operation for Alternating<C> {
    async fn run(&mut self) {
        match self.is_set {
            false => self.client.set(&self.item).await,
            true => self.client.get(&self.item).await,
        }
        self.is_set = !self.is_set;
    }
}

pub(crate) fn run(task: Task, load: Load) -> Sample {
    match task.contestant {
        Contestant::RedisManager => peer::<redis_manager::Scripts>(task, load),
        Contestant::RedisManagerAsleep => peer::<redis_manager::Asleep>(task, load),
        Contestant::RedisRs => peer::<redis_rs::Default>(task, load),
        Contestant::RedisRsTuned => peer::<redis_rs::Tuned>(task, load),
        Contestant::DeadpoolRedis => peer::<deadpool_redis::Pooled>(task, load),
        Contestant::Fred => peer::<fred::Fred>(task, load),
        Contestant::Rustis => peer::<rustis::Rustis>(task, load),
        Contestant::RawSocket => {
            let items = items(load.depth, load.size);
            let window = Window::of_keys(load, &items, load.depth.div_ceil(2));
            threads::measure(vec![window], task.phases)
        }
        _ => task.no_part(),
    }
}

fn peer<P: Peer<Client: Calls>>(task: Task, load: Load) -> Sample {
    let host = host();
    let peer = host.block_on(P::start(load));
    let client = host.block_on(peer.open());
    let alternating = |item| Alternating {
        client: client.clone(),
        item,
        is_set: false,
    };
    let operations = items(load.depth, load.size).into_iter().map(alternating);
    tasks::measure(host, operations.collect(), 1, task.phases)
}
