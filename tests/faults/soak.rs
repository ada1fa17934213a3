//! Everything at once, for an hour: scripts come and go while their server is killed, stalled and hangs up.
//! Nothing grows, and nothing that is promised for a moment stops being so.

mod calls;
mod chat;
mod harm;
mod scripts;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

use redis_manager::prelude::*;
use redis_manager_support::TestServer;
use tokio::sync::RwLock;
use tokio::time::sleep;

use crate::harness::{Run, eventually};
use crate::process::{memory, open_files};

/// How many scripts are loaded at the same time.
const SCRIPTS: usize = 8;
/// What the memory of an otherwise flat process varies by.
const UNEVEN: usize = 8 << 20;

#[test]
fn nothing_grows_and_every_promise_holds_for_an_hour_of_everything_at_once() {
    Run::on_runtime("soak", async |run| {
        let lasts = run.scale(Duration::from_secs(10), long_duration());
        let minute = run.scale(Duration::from_secs(3), Duration::from_secs(60));
        let soak = Arc::new(Soak::new());
        let at_rest = soak.held();
        let began = Instant::now();
        let workers: Vec<_> = (0..SCRIPTS)
            .map(|_| tokio::spawn(Arc::clone(&soak).work(run.random.fork())))
            .collect();

        let mut samples = Vec::new();
        while began.elapsed() < lasts {
            let next = Instant::now() + minute;
            while Instant::now() < next {
                sleep(Duration::from_millis(run.random.below(500))).await;
                soak.harm(&mut run.random).await;
                let failed = workers.iter().find(|worker| worker.is_finished());
                assert!(
                    failed.is_none(),
                    "a worker ended: its panic is printed above"
                );
            }
            samples.push(soak.sample(run, at_rest, began.elapsed()).await);
        }
        soak.over.store(true, SeqCst);
        for worker in workers {
            worker.await.unwrap();
        }
        soak.close_epoch();
        // What the first tenth of it left is what it takes.
        let warm = samples[samples.len() / 10];
        let last = samples[samples.len() - 1];
        run.report(
            "memory after the warm-up and at the end",
            format!("{warm}, {last} bytes"),
        );
        assert!(!run.is_long() || last <= warm + warm / 10 + UNEVEN);
        assert_eq!(soak.manager.scripts().len(), 0);
    });
}

fn long_duration() -> Duration {
    let seconds = std::env::var("REDIS_MANAGER_FAULTS_SOAK_SECONDS").ok();
    Duration::from_secs(seconds.map_or(3600, |seconds| seconds.parse().unwrap()))
}

struct Soak {
    server: TestServer,
    manager: RedisManager,
    /// Read by whoever has a script; written by whoever wants to see the process without any.
    scripts: RwLock<()>,
    next_script: AtomicU64,
    /// Read by whoever counts up; written by whoever ends the server's life, and with it the counter.
    epoch: RwLock<()>,
    counted: AtomicI64,
    perhaps_counted: AtomicI64,
    calls: AtomicU64,
    pushes: AtomicU64,
    pops: AtomicU64,
    messages: AtomicU64,
    /// Messages out of order or twice, and calls of a listener whose script is gone.
    disorder: AtomicU64,
    over: AtomicBool,
}

impl Soak {
    fn new() -> Self {
        Self {
            server: TestServer::start(),
            manager: RedisManager::new().unwrap(),
            scripts: RwLock::default(),
            next_script: AtomicU64::new(0),
            epoch: RwLock::default(),
            counted: AtomicI64::new(0),
            perhaps_counted: AtomicI64::new(0),
            calls: AtomicU64::new(0),
            pushes: AtomicU64::new(0),
            pops: AtomicU64::new(0),
            messages: AtomicU64::new(0),
            disorder: AtomicU64::new(0),
            over: AtomicBool::new(false),
        }
    }

    /// The files and the tasks of this process.
    fn held(&self) -> (usize, usize) {
        (open_files(), self.manager.resources().alive_tasks())
    }

    /// Every increment of this server's life ran once if it was answered, and at most once if not.
    fn close_epoch(&self) {
        let counter = self.server.run(&["GET", "counter"]).as_int().unwrap_or(0);
        let counted = self.counted.swap(0, SeqCst);
        let perhaps = self.perhaps_counted.swap(0, SeqCst);
        assert!(
            (counted..=counted + perhaps).contains(&counter),
            "{counted} counted, {perhaps} perhaps, {counter} ran"
        );
    }

    /// Waits until no script is loaded; then this process holds what it held before the first.
    async fn sample(&self, run: &Run, at_rest: (usize, usize), elapsed: Duration) -> usize {
        let _nobody = self.scripts.write().await;
        eventually("the process is at rest", || self.held() == at_rest);
        eventually("the server has no connection of ours", || {
            self.server.clients().unwrap().is_empty()
        });
        assert_eq!(self.disorder.load(SeqCst), 0);
        assert!(self.pops.load(SeqCst) <= self.pushes.load(SeqCst));
        let memory = memory();
        let (files, tasks) = at_rest;
        let count = |counter: &AtomicU64| counter.load(SeqCst);
        run.report(
            &format!("after {elapsed:.0?}: files, tasks, memory; scripts, calls, messages so far"),
            format!(
                "{files}, {tasks}, {memory} bytes; {}, {}, {}",
                count(&self.next_script),
                count(&self.calls),
                count(&self.messages),
            ),
        );
        memory
    }
}
