//! Many scripts, each with a client and a key of its own; tasks walk over their shares of them.

use std::sync::Arc;

use super::{Task, host, opening};
use crate::contestant::{Contestant, fred, redis_manager, redis_rs, rustis};
use crate::item::{Item, items};
use crate::measure::tasks::{self, Operation};
use crate::role::{Calls, Load, Peer};
use crate::run::Sample;

/// SET and GET in turn, and each client the other one in the next pass.
struct Walking<C> {
    clients: Vec<(C, Item)>,
    next: usize,
    passes: usize,
}

impl<C: Calls> Operation for Walking<C> {
    async fn run(&mut self) {
        let (client, item) = &mut self.clients[self.next];
        match (self.next + self.passes) % 2 {
            0 => client.set(item).await,
            _ => client.get(item).await,
        }
        self.next += 1;
        if self.next == self.clients.len() {
            self.next = 0;
            self.passes += 1;
        }
    }
}

pub(crate) fn run(task: Task, load: Load, count: usize) -> Sample {
    match task.contestant {
        Contestant::RedisManager => peer::<redis_manager::Scripts>(task, load, count),
        Contestant::RedisManagerAsleep => peer::<redis_manager::Asleep>(task, load, count),
        Contestant::RedisManagerShared => peer::<redis_manager::Shared>(task, load, count),
        Contestant::RedisRs => peer::<redis_rs::Default>(task, load, count),
        Contestant::Fred => peer::<fred::Fred>(task, load, count),
        Contestant::Rustis => peer::<rustis::Rustis>(task, load, count),
        _ => task.no_part(),
    }
}

fn peer<P>(task: Task, load: Load, count: usize) -> Sample
where
    P: Peer<Client: Calls> + Send + Sync + 'static,
{
    let host = host();
    // Each client has one call at a time.
    let of_one = Load { depth: 1, ..load };
    let peer = Arc::new(host.block_on(P::start(of_one)));
    let open = {
        let peer = Arc::clone(&peer);
        move || {
            let peer = Arc::clone(&peer);
            async move { peer.open().await }
        }
    };
    let mut walkers: Vec<_> = (0..load.depth)
        .map(|_| Walking {
            clients: Vec::new(),
            next: 0,
            passes: 0,
        })
        .collect();
    host.block_on(async {
        let (clients, _) = opening::open(count, open).await;
        let clients = clients.into_iter().zip(items(count, load.size));
        for (index, (mut client, item)) in clients.enumerate() {
            // The first pass gets half of them.
            client.set(&item).await;
            walkers[index % load.depth].clients.push((client, item));
        }
    });
    let sample = tasks::measure(host, walkers, 1, task.phases);
    // Our clients are closed with their manager.
    drop(peer);
    sample
}
