//! The figures to reach.

use super::quantity::Quantity::{self, Cpu, Instructions, Memory, Rate, Time};
use super::target::Bound::{AtLeast, AtMost};
use super::target::Rival::{self, BestPeer, Named, Ourselves};
use super::target::{Bound, Target};

const OURS: &str = "redis-manager";
/// Its clients have one connection.
const SHARED: &str = "redis-manager shared";
const REDIS_RS: Rival = Named("redis-rs");
const BROADCAST: Rival = Named("tokio broadcast");

const fn target(
    work: &'static str,
    workload: &'static str,
    quantity: Quantity,
    bound: Bound,
    rival: Rival,
) -> Target {
    Target {
        work,
        workload,
        ours: OURS,
        rival,
        quantity,
        bound,
        stretch: None,
    }
}

impl Target {
    const fn of(self, ours: &'static str) -> Self {
        Self { ours, ..self }
    }

    const fn stretch(self, bound: Bound) -> Self {
        Self {
            stretch: Some(bound),
            ..self
        }
    }
}

const NO_MORE: Bound = AtMost(1.0);

#[rustfmt::skip]
pub(super) const TARGETS: &[Target] = &[
    target("async, 1 in flight", "async/32B/1", Rate, AtLeast(1.0), BestPeer),
    target("async, 1 in flight", "async/32B/1", Cpu, NO_MORE, BestPeer),
    target("async, 16 in flight", "async/32B/16", Rate, AtLeast(1.0), BestPeer),
    target("async, 16 in flight", "async/32B/16", Cpu, NO_MORE, BestPeer),
    target("async, 128 in flight", "async/32B/128", Rate, AtLeast(1.15), BestPeer),
    target("async, 128 in flight", "async/32B/128", Rate, AtLeast(1.6), REDIS_RS),
    target("async, 128 in flight", "async/32B/128", Rate, AtLeast(0.55), Named("raw socket")).stretch(AtLeast(0.7)),
    target("async, 1 024 in flight", "async/32B/1024", Rate, AtLeast(2.0), BestPeer),
    target("async, 1 024 in flight", "async/32B/1024", Rate, AtLeast(3.0), REDIS_RS),
    target("async, 1 024 in flight", "async/32B/1024", Rate, AtLeast(0.6), Named("raw socket")).stretch(AtLeast(0.7)),
    target("sync, one thread, no `busy_poll`", "sync/1", Rate, AtLeast(1.0), Named("redis-rs blocking")).of("redis-manager asleep"),
    target("sync, one thread, no `busy_poll`", "sync/1", Rate, AtLeast(1.1), REDIS_RS).of("redis-manager asleep"),
    target("sync, one thread", "sync/1", Rate, AtLeast(2.0), Named("redis-rs blocking")),
    target("sync, one thread", "sync/1", Rate, AtLeast(2.0), REDIS_RS),
    target("sync, 8 threads", "sync/8", Rate, AtLeast(1.0), Ourselves { workload: "sync/1", words: "one thread" }),
    target("subscriber, one channel", "subscribe/32B", Rate, AtLeast(1.0), BestPeer),
    target("subscriber, one channel", "subscribe/32B", Cpu, NO_MORE, BestPeer),
    target("fan-out to 100 listeners", "fanout/100", Rate, AtLeast(2.0), BROADCAST),
    target("fan-out to 100 listeners", "fanout/100", Cpu, AtMost(0.5), BROADCAST),
    target("fan-out to 100 listeners", "fanout/100", Rate, AtLeast(2.0), BROADCAST).of("redis-manager async"),
    target("fan-out to 100 listeners", "fanout/100", Cpu, AtMost(0.5), BROADCAST).of("redis-manager async"),
    target("typed call", "instructions/typed-call", Instructions, AtMost(1.03), Named("typed on core's connection"))
        .of("through async_commands()"),
    target("open and close 1 000 clients", "open-close/1000", Time, AtMost(1.1), REDIS_RS),
    target("1 000 clients", "memory/1000", Memory, AtMost(1.1), REDIS_RS),
    target("1 000 clients", "memory/1000", Memory, AtMost(0.7), Named(OURS)).of(SHARED),
    target("2 000 scripts, 1 in flight", "scripts/32B/1", Rate, AtLeast(1.0), Named(OURS)).of(SHARED),
    target("2 000 scripts, 128 in flight", "scripts/32B/128", Rate, AtLeast(1.0), Named(OURS)).of(SHARED),
];
