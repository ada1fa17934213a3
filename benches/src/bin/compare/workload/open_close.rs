//! Opening many clients and closing all of them, again and again.

use std::sync::Arc;
use std::time::Duration;

use redis_manager::{CloseOutcome, RedisCommandClient};
use tokio::runtime::Handle;

use super::{Task, host, opening};
use crate::allocations;
use crate::contestant::{Contestant, redis_manager::Scripts, redis_rs};
use crate::measure::{Cost, latency, per_operation};
use crate::role::Load;
use crate::run::Sample;

const WARM_UP: usize = 100;

pub(crate) fn run(task: Task, load: Load, count: usize) -> Sample {
    match task.contestant {
        Contestant::RedisManager => {
            let scripts = Arc::new(Scripts::new(load));
            repeat(task, count, |count| clients_of_a_script(&scripts, count))
        }
        Contestant::RedisRs => {
            let client = redis_rs::client(load);
            repeat(task, count, |count| connections(client.clone(), count))
        }
        _ => task.no_part(),
    }
}

fn repeat<F>(task: Task, count: usize, open_and_close: impl Fn(usize) -> F) -> Sample
where
    F: Future<Output = Vec<u64>>,
{
    host().block_on(async {
        open_and_close(WARM_UP).await;
        let cost = Cost::start();
        let mut latencies = Vec::new();
        loop {
            latencies.push(open_and_close(count).await);
            let mut sample = cost.of((latencies.len() * count) as u64);
            if sample.elapsed < task.phases.throughput.as_secs_f64() {
                continue;
            }
            sample.latency = latency(latencies);
            allocations::start_counting();
            open_and_close(count).await;
            sample.allocations = per_operation(allocations::stop_counting(), count as u64);
            break sample;
        }
    })
}

async fn clients_of_a_script(scripts: &Arc<Scripts>, count: usize) -> Vec<u64> {
    let script = scripts.load();
    let open = {
        let (scripts, script) = (Arc::clone(scripts), script.clone());
        move || {
            let (scripts, script) = (Arc::clone(&scripts), script.clone());
            async move { scripts.open_for::<RedisCommandClient>(&script).await }
        }
    };
    let (_clients, latencies) = opening::open(count, open).await;
    let reports = scripts.manager.close_redis_clients_async(&script).await;
    assert!(reports.len() == count, "a client was not closed");
    let drained = |outcome: &CloseOutcome| matches!(outcome, CloseOutcome::Drained);
    let all = reports.iter().all(|report| drained(report.outcome()));
    assert!(all, "a client was cut off");
    latencies
}

/// They close when their handles are dropped, and are closed when their tasks have ended.
async fn connections(client: redis_manager::redis::Client, count: usize) -> Vec<u64> {
    let alive = || Handle::current().metrics().num_alive_tasks();
    let before = alive();
    let open = move || {
        let client = client.clone();
        async move { redis_rs::connect(&client).await }
    };
    let (clients, latencies) = opening::open(count, open).await;
    drop(clients);
    while alive() > before {
        tokio::time::sleep(Duration::from_micros(200)).await;
    }
    latencies
}
