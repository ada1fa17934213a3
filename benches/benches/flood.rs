//! How 99 scripts that work fare beside one that floods, with and without limits.
//!
//! Each of the 99 calls its client and publishes a message to itself every few milliseconds, at its own pace whatever
//! the others do, and both latencies are recorded. The flooding script has a thread of its own and does 64 things at a
//! time, each again and again, and a tick later when it is refused. No limit of ours keeps a script from burning its
//! thread's time without a pause: what that alone does to the others is measured too.
#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a benchmark fails by panicking, and prints what it measured"
)]

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use hdrhistogram::Histogram;
use parking_lot::Mutex;
use redis_manager::prelude::*;
use redis_manager::redis::pipe;
use redis_manager_support::TestServer;
use tokio::runtime::{Builder, Runtime};
use tokio::time::MissedTickBehavior;

const WORKERS: u32 = 99;
/// How often each of them calls and publishes.
const PACE: Duration = Duration::from_millis(25);
const ROUNDS: usize = 9;
const ROUND: Duration = Duration::from_secs(1);
/// When the flooding script tries again what was refused.
const TICK: Duration = Duration::from_millis(1);
/// How many things the flooding script does at the same time.
const TASKS: usize = 64;

/// What a host may think of.
fn limits() -> ScriptOptions {
    ScriptOptions::default().with_limits(
        ScriptLimits::none()
            .with_clients(4)
            .with_listeners(8)
            .with_sessions(2)
            .with_blocking_calls(4)
            .with_callback_threads(2)
            .with_commands_in_flight(64)
            .with_bytes_queued(64 * 1024)
            .with_operations_per_second(2_000)
            .with_openings_per_second(10),
    )
}

#[derive(Clone, Copy, PartialEq)]
enum Flood {
    Nothing,
    /// It only keeps its thread busy.
    Thread,
    Commands,
    Messages,
    BlockingCalls,
    Connections,
}

impl fmt::Display for Flood {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Nothing => "nothing",
            Self::Thread => "its thread",
            Self::Commands => "commands",
            Self::Messages => "messages",
            Self::BlockingCalls => "blocking calls",
            Self::Connections => "connections",
        })
    }
}

const CASES: [(Flood, bool); 10] = [
    (Flood::Nothing, false),
    (Flood::Thread, false),
    (Flood::Commands, true),
    (Flood::Commands, false),
    (Flood::Messages, true),
    (Flood::Messages, false),
    (Flood::BlockingCalls, true),
    (Flood::BlockingCalls, false),
    (Flood::Connections, true),
    (Flood::Connections, false),
];

/// What the scripts that work have measured in one round.
struct Round {
    began: Instant,
    calls: Mutex<Histogram<u64>>,
    messages: Mutex<Histogram<u64>>,
}

impl Round {
    fn begin() -> Arc<Self> {
        let histogram = || Mutex::new(Histogram::new(3).expect("a histogram"));
        Arc::new(Self {
            began: Instant::now(),
            calls: histogram(),
            messages: histogram(),
        })
    }

    fn is_over(&self) -> bool {
        self.began.elapsed() >= ROUND
    }

    /// The time since it began, to be sent in a message.
    fn now(&self) -> u64 {
        let now = self.began.elapsed().as_micros();
        now.try_into().expect("a round is short")
    }
}

fn note(latencies: &Mutex<Histogram<u64>>, micros: u64) {
    latencies.lock().record(micros).expect("a latency");
}

/// p50 and p99 in microseconds.
fn percentiles(latencies: &Mutex<Histogram<u64>>) -> [f64; 2] {
    let latencies = latencies.lock();
    [0.5, 0.99].map(|quantile| latencies.value_at_quantile(quantile) as f64)
}

/// A script that works.
struct Worker {
    client: RedisCommandClient,
    pubsub: RedisPubSubClient,
    channel: String,
    /// The round that it works in.
    heard: Arc<Mutex<Option<Arc<Round>>>>,
}

impl Worker {
    fn load(manager: &RedisManager, number: u32) -> Self {
        let channel = format!("worker {number}");
        let script = manager.load_script(&channel).expect("a script");
        let url = TestServer::shared().url();
        let client: RedisCommandClient = manager.open(&script, &*url).expect("a client");
        let set = client.commands().set::<_, _, ()>("working", "value");
        set.expect("it is set");
        let pubsub: RedisPubSubClient = manager.open(&script, &*url).expect("a client");
        let heard = Arc::new(Mutex::new(None::<Arc<Round>>));
        let hears = Arc::clone(&heard);
        let listener = pubsub.register_listener(&*channel, move |message: &Message| {
            let sent: u64 = message.payload_str()?.parse()?;
            if let Some(round) = &*hears.lock() {
                note(&round.messages, round.now().saturating_sub(sent));
            }
            Ok(())
        });
        listener.expect("a listener");
        Self {
            client,
            pubsub,
            channel,
            heard,
        }
    }

    async fn work(&self, round: Arc<Round>, number: u32) {
        *self.heard.lock() = Some(Arc::clone(&round));
        let first = round.began + PACE * number / WORKERS;
        let mut pace = tokio::time::interval_at(first.into(), PACE);
        pace.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut commands = self.client.async_commands();
        while !round.is_over() {
            pace.tick().await;
            let called = round.now();
            let value: String = commands.get("working").await.expect("a value");
            note(&round.calls, round.now() - called);
            drop(value);
            let published = self.pubsub.publish_async(&*self.channel, round.now());
            published.await.expect("it is published");
        }
        *self.heard.lock() = None;
    }
}

/// Floods until the round is over, and returns how much succeeded.
fn flood(manager: &RedisManager, script: &ScriptHandle, kind: Flood, round: &Round) -> u64 {
    let url = TestServer::shared().url();
    let client: RedisCommandClient = manager.open(script, &*url).expect("a client");
    let pubsub: RedisPubSubClient = manager.open(script, &*url).expect("a client");
    if kind == Flood::Messages {
        for _ in 0..50 {
            let blocks = |_: &Message| {
                thread::sleep(Duration::from_millis(5));
                Ok(())
            };
            // As many as it may.
            drop(pubsub.register_listener("flood", blocks));
        }
    }
    let done = AtomicU64::new(0);
    let task = async || {
        let mut commands = client.async_commands();
        while !round.is_over() {
            let succeeded = match kind {
                Flood::Nothing => return,
                Flood::Thread => false,
                Flood::Commands => {
                    let mut many = pipe();
                    for _ in 0..20 {
                        many.set("flood", "x".repeat(100)).ignore();
                    }
                    many.query_async::<()>(&mut commands).await.is_ok()
                }
                Flood::Messages => {
                    let published = pubsub.publish_async("flood", "x".repeat(100));
                    published.await.is_ok()
                }
                Flood::BlockingCalls => {
                    let popped = commands.blpop::<_, Option<[String; 2]>>("nothing", 0.02);
                    popped.await.is_ok()
                }
                Flood::Connections => {
                    let opened = manager.open_async::<RedisCommandClient>(script, &*url);
                    match opened.await {
                        Ok(client) => {
                            client.close_async().await;
                            true
                        }
                        Err(_) => false,
                    }
                }
            };
            done.fetch_add(u64::from(succeeded), Ordering::Relaxed);
            if succeeded || kind == Flood::Thread {
                tokio::task::yield_now().await;
            } else {
                tokio::time::sleep(TICK).await;
            }
        }
    };
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    runtime.block_on(join_all((0..TASKS).map(|_| task())));
    done.into_inner()
}

/// p50 and p99 of calls, those of messages, and how often the flood came through in a second.
fn measure(
    manager: &RedisManager,
    host: &Runtime,
    workers: &Arc<Vec<Worker>>,
    (kind, is_limited): (Flood, bool),
) -> [f64; 5] {
    let options = if is_limited {
        limits()
    } else {
        ScriptOptions::default()
    };
    let script = manager.load_script_with("flood", options).expect("loaded");
    let round = Round::begin();
    let work = |number: u32| {
        let (workers, round) = (Arc::clone(workers), Arc::clone(&round));
        host.spawn(async move { workers[number as usize].work(round, number).await })
    };
    let working: Vec<_> = (0..WORKERS).map(work).collect();
    let done = flood(manager, &script, kind, &round);
    for worker in working {
        host.block_on(worker).expect("it worked");
    }
    drop(manager.unload_script(&script));
    let ([call, slow_call], [message, slow_message]) =
        (percentiles(&round.calls), percentiles(&round.messages));
    [
        call,
        slow_call,
        message,
        slow_message,
        done as f64 / ROUND.as_secs_f64(),
    ]
}

fn median(results: &[[f64; 5]], index: usize) -> f64 {
    let mut values: Vec<_> = results.iter().map(|figures| figures[index]).collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    let manager = RedisManager::new().expect("a manager");
    let host = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let workers = (0..WORKERS).map(|number| Worker::load(&manager, number));
    let workers = Arc::new(workers.collect::<Vec<_>>());

    let mut results = CASES.map(|_| Vec::new());
    for _ in 0..ROUNDS {
        for (case, results) in CASES.into_iter().zip(&mut results) {
            results.push(measure(&manager, &host, &workers, case));
        }
    }

    println!(
        "{WORKERS} scripts that work beside one that floods; medians of {ROUNDS} rounds of {ROUND:?}"
    );
    println!(
        "{:15} {:7} | {:>9} {:>9} {:>6} | {:>11} {:>9} {:>6} | {:>9}",
        "flood of", "limits", "call p50", "p99 us", "", "message p50", "p99 us", "", "flood/s"
    );
    let alone = [1, 3].map(|index| median(&results[0], index));
    for ((kind, is_limited), results) in CASES.iter().zip(&results) {
        let [call, slow_call, message, slow_message, done] =
            std::array::from_fn(|index| median(results, index));
        let limits = if *is_limited { "yes" } else { "" };
        let (calls, messages) = (slow_call / alone[0], slow_message / alone[1]);
        println!(
            "{kind:15} {limits:7} | {call:9.0} {slow_call:9.0} x{calls:5.1} | {message:11.0} {slow_message:9.0} x{messages:5.1} | {done:9.0}",
        );
    }
}
