//! Tasks that publish through one client what nobody listens to.

use super::{Task, host};
use crate::contestant::raw_socket::Window;
use crate::contestant::{Contestant, fred, redis_manager, redis_rs, rustis};
use crate::item::{Item, items};
use crate::measure::tasks::{self, Operation};
use crate::measure::threads;
use crate::role::{Load, Peer, Publishes};
use crate::run::Sample;

struct Publishing<C> {
    client: C,
    item: Item,
}

impl<C: Publishes> Operation for Publishing<C> {
    async fn run(&mut self) {
        self.client.publish(&self.item).await;
    }
}

pub(crate) fn run(task: Task, load: Load) -> Sample {
    match task.contestant {
        Contestant::RedisManager => peer::<redis_manager::Publishers>(task, load),
        Contestant::RedisRs => peer::<redis_rs::Default>(task, load),
        Contestant::RedisRsTuned => peer::<redis_rs::Tuned>(task, load),
        Contestant::Fred => peer::<fred::Fred>(task, load),
        Contestant::Rustis => peer::<rustis::Rustis>(task, load),
        Contestant::RawSocket => {
            let items = items(load.depth, load.size);
            let window = Window::of_publishing(load, &items, load.depth.div_ceil(2));
            threads::measure(vec![window], task.phases)
        }
        _ => task.no_part(),
    }
}

fn peer<P: Peer<Client: Publishes>>(task: Task, load: Load) -> Sample {
    let host = host();
    let peer = host.block_on(P::start(load));
    let client = host.block_on(peer.open());
    let publishing = |item| Publishing {
        client: client.clone(),
        item,
    };
    let operations = items(load.depth, load.size).into_iter().map(publishing);
    tasks::measure(host, operations.collect(), 1, task.phases)
}
