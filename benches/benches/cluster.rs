//! Calls of a client to a cluster, beside those of redis-rs' asynchronous cluster client, and beside ours to one server.
//!
//! Rounds of all contestants are interleaved. A figure is the median of the rounds, a ratio the median of the rounds'
//! ratios. Processor time is this process's, without the servers'.
#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a benchmark fails by panicking, and prints what it measured"
)]

use std::fmt;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use nix::time::{ClockId, clock_gettime};
use redis_manager::prelude::*;
use redis_manager::redis::aio::ConnectionLike;
use redis_manager::redis::cluster::ClusterClient;
use redis_manager::redis::cluster_async::ClusterConnection;
use redis_manager::redis::{AsyncCommands, pipe};
use redis_manager::{RedisAsyncCommands, redis};
use redis_manager_support::{TestCluster, TestServer};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_millis(300);
/// How many keys there are, in as many slots as chance has it, and as many more in one slot.
const KEYS: usize = 1_000;

#[derive(Clone, Copy, PartialEq)]
enum Work {
    /// One after the other.
    Alone,
    /// From as many tasks, each one after the other.
    Tasks(usize),
    /// As many calls that are begun together by one task, which then awaits them all.
    Together(usize),
    /// One pipeline of as many after the other.
    Pipeline(usize),
    /// The same with keys of one slot.
    PipelineOfSlot(usize),
    Mget(usize),
    Mset(usize),
}

const WORKS: [Work; 7] = [
    Work::Alone,
    Work::Tasks(64),
    Work::Together(100),
    Work::Pipeline(100),
    Work::PipelineOfSlot(100),
    Work::Mget(20),
    Work::Mset(20),
];

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alone => write!(f, "one GET after the other"),
            Self::Tasks(tasks) => write!(f, "GETs from {tasks} tasks"),
            Self::Together(calls) => write!(f, "{calls} GETs at once, from one task"),
            Self::Pipeline(length) => write!(f, "pipelines of {length} GETs, all slots"),
            Self::PipelineOfSlot(length) => write!(f, "pipelines of {length} GETs, one slot"),
            Self::Mget(keys) => write!(f, "MGET of {keys} keys, all slots"),
            Self::Mset(keys) => write!(f, "MSET of {keys} keys, all slots"),
        }
    }
}

/// Who is measured.
#[derive(Clone, Copy)]
enum Contestant {
    Ours,
    RedisRs,
    /// Ours in a cluster whose only node has all slots: what the client does for a cluster, without more servers.
    OursOnOneNode,
    OursOnAServer,
}

const CONTESTANTS: [Contestant; 4] = [
    Contestant::Ours,
    Contestant::RedisRs,
    Contestant::OursOnOneNode,
    Contestant::OursOnAServer,
];

impl fmt::Display for Contestant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ours => "redis-manager",
            Self::RedisRs => "redis-rs",
            Self::OursOnOneNode => "redis-manager, cluster of one node",
            Self::OursOnAServer => "redis-manager, plain server",
        })
    }
}

/// What was reached in one round.
#[derive(Clone, Copy)]
struct Figures {
    per_second: f64,
    /// Microseconds of processor time.
    cpu_per_call: f64,
}

struct Clients {
    ours: RedisAsyncCommands,
    redis_rs: ClusterConnection,
    on_one_node: RedisAsyncCommands,
    on_a_server: RedisAsyncCommands,
}

impl Clients {
    /// Nothing if it is refused.
    async fn measure(&self, contestant: Contestant, work: Work) -> Option<Figures> {
        match contestant {
            // It has no pipelines of several slots.
            Contestant::RedisRs if matches!(work, Work::Pipeline(_)) => {
                let refused = pipeline(self.redis_rs.clone(), "", KEYS).await;
                assert!(refused.is_err(), "redis-rs has learnt it");
                None
            }
            Contestant::RedisRs => Some(measure(&self.redis_rs, work).await),
            Contestant::Ours => Some(measure(&self.ours, work).await),
            Contestant::OursOnOneNode => Some(measure(&self.on_one_node, work).await),
            Contestant::OursOnAServer => Some(measure(&self.on_a_server, work).await),
        }
    }
}

/// Works for one round.
async fn measure<C>(connection: &C, work: Work) -> Figures
where
    C: ConnectionLike + Clone + Send + Sync + 'static,
{
    let tasks = if let Work::Tasks(tasks) = work {
        tasks
    } else {
        1
    };
    let (began, cpu) = (Instant::now(), processor_time());
    let mut working = JoinSet::new();
    for task in 0..tasks {
        let mut connection = connection.clone();
        working.spawn(async move {
            let mut calls = 0;
            while began.elapsed() < ROUND {
                calls += call(&mut connection, work, task * 31 + calls).await;
            }
            calls
        });
    }
    let calls: usize = working.join_all().await.into_iter().sum();
    let (took, cpu) = (began.elapsed(), processor_time() - cpu);
    Figures {
        per_second: calls as f64 / took.as_secs_f64(),
        cpu_per_call: cpu.as_secs_f64() * 1e6 / calls as f64,
    }
}

/// Does it once, and returns how many calls that were.
async fn call<C>(connection: &mut C, work: Work, number: usize) -> usize
where
    C: ConnectionLike + Clone + Send + Sync,
{
    match work {
        Work::Alone | Work::Tasks(_) => {
            get(connection, number % KEYS).await;
            1
        }
        Work::Together(calls) => {
            let get = |number| {
                let mut connection = connection.clone();
                async move { get(&mut connection, number).await }
            };
            join_all((0..calls).map(get)).await.len()
        }
        Work::Pipeline(length) | Work::PipelineOfSlot(length) => {
            let tag = if matches!(work, Work::Pipeline(_)) {
                ""
            } else {
                "{one slot}"
            };
            let values = pipeline(connection.clone(), tag, length).await;
            assert!(values.expect("values").into_iter().eq(0..length));
            length
        }
        Work::Mget(keys) => {
            let keys: Vec<_> = (0..keys).map(|number| key("", number)).collect();
            let values: Vec<usize> = connection.mget(&keys).await.expect("values");
            assert!(values.into_iter().eq(0..keys.len()));
            1
        }
        Work::Mset(keys) => {
            let pairs: Vec<_> = (0..keys).map(|number| (key("", number), number)).collect();
            let () = connection.mset(&pairs).await.expect("they are set");
            1
        }
    }
}

async fn get<C: ConnectionLike + Send + Sync>(connection: &mut C, number: usize) {
    let value: usize = connection.get(key("", number)).await.expect("a value");
    assert_eq!(value, number, "the reply of another call");
}

async fn pipeline<C: ConnectionLike>(
    mut connection: C,
    tag: &str,
    length: usize,
) -> redis::RedisResult<Vec<usize>> {
    let mut pipeline = pipe();
    for number in 0..length {
        pipeline.get(key(tag, number));
    }
    pipeline.query_async(&mut connection).await
}

fn key(tag: &str, number: usize) -> String {
    format!("{tag}key:{number}")
}

/// User and system time of this process so far.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID);
    Duration::from(time.expect("processes have clocks"))
}

/// The median, the least and the most.
fn spread(values: impl Iterator<Item = f64>) -> [f64; 3] {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    [
        values[values.len() / 2],
        values[0],
        values[values.len() - 1],
    ]
}

fn open(manager: &RedisManager, script: &ScriptHandle, url: String) -> RedisAsyncCommands {
    let client: RedisCommandClient = manager.open(script, url).expect("a client");
    let mut commands = client.commands();
    for tag in ["", "{one slot}"] {
        for number in 0..KEYS {
            let set = commands.set::<_, _, ()>(key(tag, number), number);
            set.expect("it is set");
        }
    }
    client.async_commands()
}

fn report(work: Work, rounds: &[[Option<Figures>; CONTESTANTS.len()]]) {
    println!("\n**{work}**\n");
    println!("| contestant | calls/s | least–most | ours ÷ this | CPU µs/call | ours ÷ this |");
    println!("| --- | ---: | ---: | ---: | ---: | ---: |");
    for (index, contestant) in CONTESTANTS.iter().enumerate() {
        let figures = || rounds.iter().filter_map(|round| round[index]);
        if figures().next().is_none() {
            println!("| {contestant} | refused | | | | |");
            continue;
        }
        let [per_second, least, most] = spread(figures().map(|it| it.per_second));
        let [cpu, ..] = spread(figures().map(|it| it.cpu_per_call));
        let pairs = || rounds.iter().filter_map(|round| round[0].zip(round[index]));
        let [faster, ..] = spread(pairs().map(|(ours, it)| ours.per_second / it.per_second));
        let [dearer, ..] = spread(pairs().map(|(ours, it)| ours.cpu_per_call / it.cpu_per_call));
        println!(
            "| {contestant} | {per_second:.0} | {least:.0}–{most:.0} | {faster:.2} | {cpu:.2} | {dearer:.2} |"
        );
    }
}

fn main() {
    let cluster = TestCluster::builder().replicas(0).start_or_panic();
    let single_node = TestCluster::builder()
        .masters(1)
        .replicas(0)
        .start_or_panic();
    let runtime = Runtime::new().expect("a runtime");
    let manager = RedisManager::new().expect("a manager");
    let script = manager.load_script("bench").expect("a script");
    let nodes = cluster.nodes().iter().map(TestServer::url);
    let redis_rs = ClusterClient::new(nodes).expect("a client");
    let redis_rs = runtime.block_on(redis_rs.get_async_connection());
    let clients = Clients {
        ours: open(&manager, &script, cluster.url()),
        redis_rs: redis_rs.expect("a connection"),
        on_one_node: open(&manager, &script, single_node.url()),
        on_a_server: open(&manager, &script, TestServer::shared().url()),
    };
    println!("three masters; medians of {ROUNDS} rounds of {ROUND:?}");
    for work in WORKS {
        let mut rounds = Vec::new();
        // The first is not counted: everybody connects, and learns whether waiting awake pays.
        for round in 0..=ROUNDS {
            let mut figures = [None; CONTESTANTS.len()];
            for turn in 0..CONTESTANTS.len() {
                // Each round is begun by another.
                let index = (round + turn) % CONTESTANTS.len();
                let measured = clients.measure(CONTESTANTS[index], work);
                figures[index] = runtime.block_on(measured);
            }
            if round > 0 {
                rounds.push(figures);
            }
        }
        report(work, &rounds);
    }
    manager.shutdown().expect("a shutdown");
}
