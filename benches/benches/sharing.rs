//! 1 000 scripts that share one connection, beside 1 000 with a connection each: sockets, memory, throughput.
//!
//! Every call is another script's than the one before.
#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a benchmark fails by panicking, and prints what it measured"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use redis_manager::prelude::*;
use redis_manager_support::TestServer;
use tokio::runtime::{Builder, Runtime};

const SCRIPTS: usize = 1_000;
const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_millis(700);
/// How many calls are in flight: of threads that block, and of tasks.
const THREADS: [usize; 2] = [1, 8];
const TASKS: [usize; 2] = [16, 128];

/// The scripts of one kind, with a client each.
struct Scripts {
    manager: RedisManager,
    clients: Arc<Vec<RedisCommandClient>>,
    next: AtomicUsize,
    bytes: usize,
}

impl Scripts {
    fn load(is_shared: bool) -> Self {
        let before = resident_bytes();
        let manager = RedisManager::new().expect("a manager");
        let options = manager.new_client_options().shared(is_shared);
        let options = options.build().expect("options");
        let url = format!(
            "{}?clientName=shared-{is_shared}",
            TestServer::shared().url()
        );
        let open = |number| {
            let script = manager
                .load_script(format!("script {number}"))
                .expect("a script");
            let client = manager.open_with(&script, &*url, options.clone());
            client.expect("a client")
        };
        let clients = Arc::new((0..SCRIPTS).map(open).collect());
        Self {
            manager,
            clients,
            next: AtomicUsize::new(0),
            bytes: resident_bytes().saturating_sub(before),
        }
    }

    fn sockets(&self, is_shared: bool) -> usize {
        let clients = TestServer::shared()
            .clients()
            .expect("the server's clients");
        let name = format!("shared-{is_shared}");
        clients.iter().filter(|client| client.name == name).count()
    }

    fn next(&self) -> &RedisCommandClient {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        &self.clients[number % SCRIPTS]
    }

    /// Calls in a second, of threads that wait for each.
    fn by_threads(&self, threads: usize) -> f64 {
        let began = Instant::now();
        let call = || {
            let mut calls = 0;
            while began.elapsed() < ROUND {
                let value: String = self.next().commands().get("key").expect("a value");
                assert!(value == "value", "the reply of another call");
                calls += 1;
            }
            calls
        };
        let calls: usize = thread::scope(|scope| {
            let calling: Vec<_> = (0..threads).map(|_| scope.spawn(call)).collect();
            calling
                .into_iter()
                .map(|thread| thread.join().expect("it called"))
                .sum()
        });
        calls as f64 / began.elapsed().as_secs_f64()
    }

    /// Calls in a second, of tasks of the host that await each.
    fn by_tasks(&self, host: &Runtime, tasks: usize) -> f64 {
        let began = Instant::now();
        let call = async || {
            let mut calls = 0;
            while began.elapsed() < ROUND {
                let value: String = self
                    .next()
                    .async_commands()
                    .get("key")
                    .await
                    .expect("a value");
                assert!(value == "value", "the reply of another call");
                calls += 1;
            }
            calls
        };
        let calling = join_all((0..tasks).map(|_| call()));
        let calls: usize = host.block_on(calling).into_iter().sum();
        calls as f64 / began.elapsed().as_secs_f64()
    }
}

/// What the process has in memory.
fn resident_bytes() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let resident = pages
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse::<usize>().ok());
    resident.expect("a number of pages") * 4096
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    let admin = RedisManager::new().expect("a manager");
    let script = admin.load_script("admin").expect("a script");
    let client: RedisCommandClient = admin
        .open(&script, TestServer::shared().url())
        .expect("a client");
    client
        .commands()
        .set::<_, _, ()>("key", "value")
        .expect("set");
    let host = Builder::new_current_thread().build().expect("a runtime");

    // Shared first: what it takes is not taken from what the others have freed.
    let shared = Scripts::load(true);
    let own = Scripts::load(false);
    let mut figures = vec![[Vec::new(), Vec::new()]; THREADS.len() + TASKS.len()];
    for _ in 0..ROUNDS {
        for (scripts, kind) in [(&shared, 0), (&own, 1)] {
            let by_threads = THREADS.map(|threads| scripts.by_threads(threads));
            let by_tasks = TASKS.map(|tasks| scripts.by_tasks(&host, tasks));
            for (figure, value) in figures.iter_mut().zip(by_threads.iter().chain(&by_tasks)) {
                figure[kind].push(*value);
            }
        }
    }

    println!("{SCRIPTS} scripts, medians of {ROUNDS} rounds of {ROUND:?}");
    println!("{:32} {:>10} {:>10} {:>7}", "", "shared", "own", "ratio");
    let line = |what: &str, shared: f64, own: f64| {
        println!("{what:32} {shared:10.0} {own:10.0} {:7.2}", shared / own);
    };
    line(
        "sockets",
        shared.sockets(true) as f64,
        own.sockets(false) as f64,
    );
    let kilobytes = |bytes: usize| bytes as f64 / 1000.0;
    line(
        "resident memory, kB",
        kilobytes(shared.bytes),
        kilobytes(own.bytes),
    );
    let names = THREADS.map(|threads| format!("calls/s, {threads} blocking thread(s)"));
    let names = names
        .into_iter()
        .chain(TASKS.map(|tasks| format!("calls/s, {tasks} tasks")));
    for (name, [shared, own]) in names.zip(&mut figures) {
        line(&name, median(shared), median(own));
    }
    for scripts in [shared, own] {
        scripts.manager.shutdown().expect("a shutdown");
    }
}
