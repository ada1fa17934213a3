//! What is measured, and who takes part in it.

use crate::contestant::Contestant::{self, *};

#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// SET and GET from as many tasks as are said, on one client.
    Async { size: usize, depth: usize },
    /// The same, while each of many scripts has a client of its own.
    Scripts { count: usize, depth: usize },
    /// SET and GET from threads that block.
    Sync { threads: usize },
    /// One pipeline after the other.
    Pipeline { length: usize },
    /// PUBLISH from as many tasks as are said, on one client.
    Publish { depth: usize },
    /// Listeners of one channel.
    Listen { listeners: usize },
    /// Clients that are opened and closed.
    OpenClose { count: usize },
    /// Scripts with a client each that are unloaded at once.
    Unload { count: usize },
    /// Clients that are idle.
    Memory { count: usize },
    /// GET through the facade and without, under callgrind.
    TypedCall,
}

#[derive(Clone, Debug)]
pub(crate) struct Workload {
    /// "async/32B/128"; what stands before the first slash is its group.
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) unit: &'static str,
    pub(crate) kind: Kind,
    pub(crate) contestants: Vec<Contestant>,
}

impl Workload {
    pub(crate) fn group(&self) -> &str {
        self.id.split_once('/').map_or(&self.id, |(group, _)| group)
    }
}

const DEPTHS: [usize; 4] = [1, 16, 128, 1024];
const SIZES: [(&str, &str, usize); 3] = [
    ("32B", "32 B", 32),
    ("1kB", "1 kB", 1000),
    ("100kB", "100 kB", 100_000),
];
const SCRIPTS: usize = 2000;

/// Everything, in the order in which it is run.
pub(crate) fn all() -> Vec<Workload> {
    let mut all = calls();
    for threads in [1, 2, 8] {
        all.push(Workload {
            id: format!("sync/{threads}"),
            title: format!(
                "blocking SET and GET of 32 B, {}",
                counted(threads, "thread")
            ),
            unit: "operations",
            kind: Kind::Sync { threads },
            contestants: vec![
                RedisManager,
                RedisManagerAsleep,
                RedisRsBlocking,
                RedisRs,
                RawSocket,
            ],
        });
    }
    all.push(Workload {
        id: "pipeline/100".to_owned(),
        title: "pipelines of 50 SET and 50 GET of 32 B, one at a time; latency is a pipeline's"
            .to_owned(),
        unit: "operations",
        kind: Kind::Pipeline { length: 100 },
        contestants: vec![
            RedisManager,
            RedisRs,
            RedisRsTuned,
            DeadpoolRedis,
            Fred,
            Rustis,
            RawSocket,
        ],
    });
    for depth in [1, 128] {
        all.push(Workload {
            id: format!("publish/{depth}"),
            title: format!("PUBLISH of 32 B to nobody, {depth} in flight on one client"),
            unit: "messages",
            kind: Kind::Publish { depth },
            contestants: vec![RedisManager, RedisRs, RedisRsTuned, Fred, Rustis, RawSocket],
        });
    }
    all.push(Workload {
        id: "subscribe/32B".to_owned(),
        title: "one listener of one channel, messages of 32 B; latency is from the write of 512 of them".to_owned(),
        unit: "messages",
        kind: Kind::Listen { listeners: 1 },
        contestants: vec![RedisManager, RedisManagerAsync, RedisRs, Fred, Rustis],
    });
    all.push(Workload {
        id: "fanout/100".to_owned(),
        title: "100 listeners of one channel, messages of 32 B; latency is from the write of 512 of them".to_owned(),
        unit: "callbacks",
        kind: Kind::Listen { listeners: 100 },
        contestants: vec![RedisManager, RedisManagerAsync, TokioBroadcast],
    });
    all.extend(lives());
    all
}

fn calls() -> Vec<Workload> {
    let mut all = Vec::new();
    for (name, words, size) in SIZES {
        for depth in DEPTHS {
            let raised = match size * depth {
                100_000_000.. => "; `request_queue_bytes` raised, and rustis' `max_queued_bytes`",
                _ => "",
            };
            all.push(Workload {
                id: format!("async/{name}/{depth}"),
                title: format!("SET and GET of {words}, {depth} in flight on one client{raised}"),
                unit: "operations",
                kind: Kind::Async { size, depth },
                contestants: vec![
                    RedisManager,
                    RedisManagerAsleep,
                    RedisRs,
                    RedisRsTuned,
                    DeadpoolRedis,
                    Fred,
                    Rustis,
                    RawSocket,
                ],
            });
        }
    }
    for depth in DEPTHS {
        all.push(Workload {
            id: format!("scripts/32B/{depth}"),
            title: format!(
                "SET and GET of 32 B, {depth} in flight, 2 000 scripts with a client each"
            ),
            unit: "operations",
            kind: Kind::Scripts {
                count: SCRIPTS,
                depth,
            },
            contestants: vec![
                RedisManager,
                RedisManagerAsleep,
                RedisManagerShared,
                RedisRs,
                Fred,
                Rustis,
            ],
        });
    }
    all
}

fn lives() -> Vec<Workload> {
    vec![
        Workload {
            id: "open-close/1000".to_owned(),
            title: "1 000 clients of one script, opened 64 at a time and closed at once; latency is an opening's".to_owned(),
            unit: "clients",
            kind: Kind::OpenClose { count: 1000 },
            contestants: vec![RedisManager, RedisRs],
        },
        Workload {
            id: "unload/1000".to_owned(),
            title: "1 000 scripts with a client each, unloaded at once".to_owned(),
            unit: "scripts",
            kind: Kind::Unload { count: 1000 },
            contestants: vec![RedisManager],
        },
        Workload {
            id: "memory/1000".to_owned(),
            title: "heap of a client that is idle, of 1 000".to_owned(),
            unit: "clients",
            kind: Kind::Memory { count: 1000 },
            contestants: vec![RedisManager, RedisManagerShared, RedisRs, Fred, Rustis],
        },
        Workload {
            id: "instructions/typed-call".to_owned(),
            title: "a typed GET of 32 B, counted by callgrind".to_owned(),
            unit: "operations",
            kind: Kind::TypedCall,
            contestants: vec![ThroughAsyncCommands, RedisManagerWatched, TypedBareConnection, BareConnection],
        },
    ]
}

fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

pub(crate) fn by_id(id: &str) -> Option<Workload> {
    all().into_iter().find(|workload| workload.id == id)
}
