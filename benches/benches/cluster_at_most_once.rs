//! How many increments run more than once while nodes of a cluster stop, go on and are killed: those of our client, and
//! those of redis-rs' asynchronous cluster client with several settings, all at the same time in one cluster.
//!
//! Each increment has a key of its own, so that one which ran twice is seen whatever became of the others.
//! `REDIS_MANAGER_FAULTS_SEED` repeats a course.
#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a benchmark fails by panicking, and prints what it measured"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use fastrand::Rng;
use redis_manager::Delivery;
use redis_manager::prelude::*;
use redis_manager::redis::aio::ConnectionLike;
use redis_manager::redis::cluster::{ClusterClient, ClusterClientBuilder};
use redis_manager::redis::{AsyncCommands, RedisResult};
use redis_manager_support::{TestCluster, TestServer};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

/// Every fourth is a kill, of which the replica takes over.
const FAULTS: usize = 24;
/// For how long a node stops, in milliseconds. The others take it for down after 1.5 s.
const STOP: std::ops::Range<u64> = 600..1_200;
/// Shorter than any stop.
const SHORT: Duration = Duration::from_millis(300);
/// Longer than any stop and any failover.
const LONG: Duration = Duration::from_secs(10);
const TASKS: usize = 24;
/// Between two calls of a task.
const PAUSE: Duration = Duration::from_millis(20);
/// Only to catch a hang.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the caller was told.
#[derive(Clone, Copy, PartialEq)]
enum Told {
    Done,
    /// That it was not sent. redis-rs does not say that.
    NotSent,
    Failed,
}

impl Told {
    fn of(result: &RedisResult<i64>, is_ours: bool) -> Self {
        match result {
            Ok(_) => Self::Done,
            Err(error) if is_ours => match Error::from(error.clone()).delivery() {
                Some(Delivery::NotSent) => Self::NotSent,
                _ => Self::Failed,
            },
            Err(_) => Self::Failed,
        }
    }
}

/// A client with certain settings, and what becomes of its increments.
struct Contestant {
    name: &'static str,
    is_ours: bool,
    writers: Vec<JoinHandle<Vec<Told>>>,
}

impl Contestant {
    fn begin<C>(
        name: &'static str,
        is_ours: bool,
        connection: &C,
        runtime: &Runtime,
        stop: &Arc<AtomicBool>,
    ) -> Self
    where
        C: ConnectionLike + Clone + Send + Sync + 'static,
    {
        let write = |task| {
            let (mut connection, stop) = (connection.clone(), Arc::clone(stop));
            runtime.spawn(async move {
                let mut told = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let key = key(name, task, told.len());
                    let result = connection.incr(key, 1).await;
                    told.push(Told::of(&result, is_ours));
                    tokio::time::sleep(PAUSE).await;
                }
                told
            })
        };
        Self {
            name,
            is_ours,
            writers: (0..TASKS).map(write).collect(),
        }
    }

    fn has_ended(&self) -> bool {
        self.writers.iter().all(JoinHandle::is_finished)
    }

    fn audit(self, runtime: &Runtime, reader: &RedisCommandClient) -> Account {
        let mut account = Account::default();
        for (task, writer) in self.writers.into_iter().enumerate() {
            let told = runtime.block_on(writer).expect("it wrote");
            let keys: Vec<_> = (0..told.len())
                .map(|number| key(self.name, task, number))
                .collect();
            let mut values = Vec::new();
            for keys in keys.chunks(500) {
                let some: Vec<Option<u64>> = reader.commands().mget(keys).expect("values");
                values.extend(some);
            }
            for (told, value) in told.into_iter().zip(values) {
                account.note(told, value.unwrap_or_default());
            }
        }
        if self.is_ours {
            assert_eq!(account.twice, 0, "{}: it ran more than once", self.name);
            assert_eq!(account.denied, 0, "{}: it ran and was not sent", self.name);
        }
        account
    }
}

/// What became of the increments of one contestant.
#[derive(Default)]
struct Account {
    calls: usize,
    done: usize,
    not_sent: usize,
    /// Of those that failed and were not said not to be sent.
    failed_and_ran: usize,
    /// Said not to be sent, and run all the same.
    denied: usize,
    /// Acknowledged and gone with a master that was killed.
    lost: usize,
    twice: usize,
    /// How often something ran that had run before.
    surplus: u64,
    most: u64,
}

impl Account {
    fn note(&mut self, told: Told, value: u64) {
        self.calls += 1;
        self.done += usize::from(told == Told::Done);
        self.lost += usize::from(told == Told::Done && value == 0);
        self.not_sent += usize::from(told == Told::NotSent);
        self.denied += usize::from(told == Told::NotSent && value > 0);
        self.failed_and_ran += usize::from(told == Told::Failed && value > 0);
        self.twice += usize::from(value > 1);
        self.surplus += value.saturating_sub(1);
        self.most = self.most.max(value);
    }
}

fn key(name: &str, task: usize, number: usize) -> String {
    format!("{name}:{task}:{number}")
}

/// Stops and kills masters, one after the other, and counts both.
fn disturb(cluster: &TestCluster, random: &mut Rng) -> [usize; 2] {
    let (mut stops, mut kills) = (0, 0);
    for fault in 1..=FAULTS {
        thread::sleep(Duration::from_millis(random.u64(200..600)));
        let masters = cluster.masters();
        let master = masters[random.usize(0..masters.len())];
        if fault % 4 == 0 {
            let heirs = cluster.replicas_of(master);
            master.kill().expect("it is killed");
            eventually("a replica takes over", || {
                heirs.iter().any(|heir| cluster.is_master(heir))
            });
            cluster.wait_until_ok();
            master.restart().expect("it is back");
            kills += 1;
        } else {
            master.pause().expect("it stops");
            thread::sleep(Duration::from_millis(random.u64(STOP)));
            master.resume().expect("it goes on");
            stops += 1;
        }
        cluster.wait_until_whole();
    }
    [stops, kills]
}

fn eventually(what: &str, condition: impl Fn() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(
            began.elapsed() < PATIENCE,
            "not within {PATIENCE:?}: {what}"
        );
        thread::sleep(Duration::from_millis(2));
    }
}

fn seed() -> u64 {
    let given = std::env::var("REDIS_MANAGER_FAULTS_SEED").ok();
    given.and_then(|seed| seed.parse().ok()).unwrap_or_else(|| {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        now.expect("a clock").as_secs()
    })
}

fn ours(
    manager: &RedisManager,
    script: &ScriptHandle,
    cluster: &TestCluster,
    timeout: Duration,
) -> RedisCommandClient {
    let options = manager.new_client_options().command_timeout(timeout);
    let options = options.build().expect("options");
    let client = manager.open_with(script, cluster.url(), options);
    client.expect("a client")
}

fn redis_rs(cluster: &TestCluster) -> ClusterClientBuilder {
    let nodes = cluster.nodes().iter().map(TestServer::url);
    ClusterClient::builder(nodes).response_timeout(SHORT)
}

fn main() {
    let seed = seed();
    println!("REDIS_MANAGER_FAULTS_SEED={seed}");
    let cluster = TestCluster::start();
    let runtime = Runtime::new().expect("a runtime");
    let manager = RedisManager::new().expect("a manager");
    let script = manager.load_script("bench").expect("a script");
    let stop = Arc::new(AtomicBool::new(false));

    let mut contestants = Vec::new();
    for (name, timeout) in [
        ("redis-manager, 0.3 s a call", SHORT),
        ("redis-manager, 10 s a call", LONG),
    ] {
        let commands = ours(&manager, &script, &cluster, timeout).async_commands();
        contestants.push(Contestant::begin(name, true, &commands, &runtime, &stop));
    }
    let patient = || redis_rs(&cluster).overall_response_timeout(Some(LONG));
    for (name, builder) in [
        ("redis-rs, 0.3 s a call", redis_rs(&cluster)),
        ("redis-rs, 0.3 s a try, 10 s a call", patient()),
        ("redis-rs, the same without retries", patient().retries(0)),
    ] {
        let client = builder.build().expect("a client");
        let connection = runtime.block_on(client.get_async_connection());
        let connection = connection.expect("a connection");
        contestants.push(Contestant::begin(name, false, &connection, &runtime, &stop));
    }

    let [stops, kills] = disturb(&cluster, &mut Rng::with_seed(seed));
    stop.store(true, Ordering::Relaxed);
    eventually("no call hangs", || {
        contestants.iter().all(Contestant::has_ended)
    });
    println!("{stops} stops of {STOP:?} ms and {kills} kills of masters; {TASKS} tasks each\n");
    println!(
        "| client | increments | acknowledged | failed: said not to be sent | failed, and ran | ran more than once | runs too many | most runs of one | acknowledged, and lost with a node |"
    );
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    let reader = ours(&manager, &script, &cluster, LONG);
    for contestant in contestants {
        let name = contestant.name;
        let Account {
            calls,
            done,
            not_sent,
            failed_and_ran,
            lost,
            twice,
            surplus,
            most,
            ..
        } = contestant.audit(&runtime, &reader);
        println!(
            "| {name} | {calls} | {done} | {not_sent} | {failed_and_ran} | {twice} | {surplus} | {most} | {lost} |"
        );
    }
    manager.shutdown().expect("a shutdown");
}
