//! Threads that block, each with a key of its own.

use redis_manager::redis::aio::MultiplexedConnection;
use redis_manager::redis::{self, Commands};
use redis_manager::{RedisCommandClient, RedisCommands};
use tokio::runtime::Handle;

use super::{Task, host};
use crate::contestant::raw_socket::Window;
use crate::contestant::typed::Typed;
use crate::contestant::{Contestant, redis_manager::Scripts, redis_rs};
use crate::item::{Item, items};
use crate::measure::threads::{self, Steps};
use crate::role::{BlockingCalls, Calls, Load};
use crate::run::Sample;

/// As many threads as `load.depth`.
pub(crate) fn run(task: Task, load: Load) -> Sample {
    let of_one = Load { depth: 1, ..load };
    match task.contestant {
        Contestant::RedisManager => shared_client(task, load, &Scripts::new(load)),
        Contestant::RedisManagerAsleep => shared_client(task, load, &Scripts::asleep(load)),
        Contestant::RedisRsBlocking => {
            let client = redis_rs::client(load);
            threads(task, load, || {
                client.get_connection().expect("a connection")
            })
        }
        Contestant::RedisRs => {
            let host = host();
            let shared = host.block_on(redis_rs::connect(&redis_rs::client(load)));
            threads(task, load, || BlockedOn {
                host: host.handle().clone(),
                connection: Typed(shared.clone()),
            })
        }
        Contestant::RawSocket => {
            let window = |item: Item| Window::of_keys(of_one, &[item], 1);
            let windows = items(load.depth, load.size).into_iter().map(window);
            threads::measure(windows.collect(), task.phases)
        }
        _ => task.no_part(),
    }
}

fn shared_client(task: Task, load: Load, scripts: &Scripts) -> Sample {
    let opening = scripts.open_client::<RedisCommandClient>();
    let client = host().block_on(opening);
    threads(task, load, || client.commands())
}

fn threads<C: BlockingCalls>(task: Task, load: Load, connect: impl Fn() -> C) -> Sample {
    let alternating = |item| Alternating {
        client: connect(),
        item,
        is_set: false,
    };
    let all = items(load.depth, load.size).into_iter().map(alternating);
    threads::measure(all.collect(), task.phases)
}

struct Alternating<C> {
    client: C,
    item: Item,
    is_set: bool,
}

impl<C: BlockingCalls> Steps for Alternating<C> {
    fn step(&mut self) -> u64 {
        match self.is_set {
            false => self.client.set(&self.item),
            true => self.client.get(&self.item),
        }
        self.is_set = !self.is_set;
        1
    }
}

impl BlockingCalls for RedisCommands {
    fn set(&mut self, item: &Item) {
        set(self, item);
    }

    fn get(&mut self, item: &Item) {
        get(self, item);
    }
}

impl BlockingCalls for redis::Connection {
    fn set(&mut self, item: &Item) {
        set(self, item);
    }

    fn get(&mut self, item: &Item) {
        get(self, item);
    }
}

fn set(connection: &mut impl Commands, item: &Item) {
    let (key, value): (&[u8], &[u8]) = (&item.key, &item.value);
    let ok: bool = connection.set(key, value).expect("SET");
    assert!(ok, "SET was not answered with OK");
}

fn get(connection: &mut impl Commands, item: &Item) {
    let key: &[u8] = &item.key;
    let value: Vec<u8> = connection.get(key).expect("GET");
    assert!(value == item.value, "GET was answered with another value");
}

/// What a host without a blocking client does.
struct BlockedOn {
    host: Handle,
    connection: Typed<MultiplexedConnection>,
}

impl BlockingCalls for BlockedOn {
    fn set(&mut self, item: &Item) {
        self.host.block_on(self.connection.set(item));
    }

    fn get(&mut self, item: &Item) {
        self.host.block_on(self.connection.get(item));
    }
}
