//! Unloading many scripts at once, each of which has a client.

use std::sync::Arc;
use std::time::Instant;

use redis_manager::{RedisCommandClient, ScriptHandle};

use super::{Task, host, opening};
use crate::allocations;
use crate::contestant::{Contestant, redis_manager::Scripts};
use crate::measure::{Cost, latency, per_operation};
use crate::role::Load;
use crate::run::Sample;

const WARM_UP: usize = 100;
/// Loading takes longer than unloading and is not measured, so time alone would not bound it.
const MOST_REPEATS: usize = 10;

pub(crate) fn run(task: Task, load: Load, count: usize) -> Sample {
    if task.contestant != Contestant::RedisManager {
        task.no_part();
    }
    let scripts = Arc::new(Scripts::new(load));
    host().block_on(async {
        unload(&scripts, loaded(&scripts, WARM_UP).await).await;
        let mut total = Sample::default();
        let mut latencies = Vec::new();
        while total.elapsed < task.phases.throughput.as_secs_f64() && latencies.len() < MOST_REPEATS
        {
            let all = loaded(&scripts, count).await;
            let cost = Cost::start();
            latencies.push(unload(&scripts, all).await);
            let sample = cost.of(count as u64);
            total.operations += sample.operations;
            total.elapsed += sample.elapsed;
            total.cpu += sample.cpu;
        }
        total.latency = latency(latencies);
        let all = loaded(&scripts, count).await;
        allocations::start_counting();
        unload(&scripts, all).await;
        total.allocations = per_operation(allocations::stop_counting(), count as u64);
        total
    })
}

async fn loaded(scripts: &Arc<Scripts>, count: usize) -> Vec<ScriptHandle> {
    let scripts = Arc::clone(scripts);
    let open = move || {
        let scripts = Arc::clone(&scripts);
        async move {
            let script = scripts.load();
            scripts.open_for::<RedisCommandClient>(&script).await;
            script
        }
    };
    opening::open(count, open).await.0
}

async fn unload(scripts: &Arc<Scripts>, all: Vec<ScriptHandle>) -> Vec<u64> {
    let started = Instant::now();
    let tasks: Vec<_> = all
        .into_iter()
        .map(|script| {
            let scripts = Arc::clone(scripts);
            tokio::spawn(async move {
                let report = scripts.manager.unload_script_async(&script).await;
                assert!(report.is_clean(), "{report}");
                started.elapsed().as_nanos() as u64
            })
        })
        .collect();
    let mut latencies = Vec::with_capacity(tasks.len());
    for task in tasks {
        latencies.push(task.await.expect("a task that does not panic"));
    }
    latencies
}
