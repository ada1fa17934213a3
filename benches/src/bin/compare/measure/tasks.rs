//! One task a call in flight.

use std::future::Future;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use super::{Cost, Phases, STOP, WARM_UP, latency, per_operation, stopped};
use crate::allocations;
use crate::run::Sample;

/// What a task does again and again.
pub(crate) trait Operation: Send + 'static {
    fn run(&mut self) -> impl Future<Output = ()> + Send;
}

/// Runs all of them at the same time; each run counts as `weight` operations.
pub(crate) fn measure<O: Operation>(
    runtime: &Runtime,
    operations: Vec<O>,
    weight: u64,
    phases: Phases,
) -> Sample {
    runtime.block_on(async {
        let (operations, _) = count(operations, WARM_UP).await;

        let cost = Cost::start();
        let (operations, runs) = count(operations, phases.throughput).await;
        let mut sample = cost.of(runs * weight);

        let timed = phase(operations, phases.latency, timed).await;
        let (operations, latencies): (Vec<O>, Vec<_>) = timed.into_iter().unzip();
        sample.latency = latency(latencies);

        allocations::start_counting();
        let (_operations, runs) = count(operations, phases.allocations).await;
        sample.allocations = per_operation(allocations::stop_counting(), runs * weight);
        sample
    })
}

async fn count<O: Operation>(operations: Vec<O>, duration: Duration) -> (Vec<O>, u64) {
    let counted = phase(operations, duration, counted).await;
    let (operations, runs): (Vec<O>, Vec<u64>) = counted.into_iter().unzip();
    (operations, runs.into_iter().sum())
}

async fn phase<O, F>(operations: Vec<O>, duration: Duration, body: fn(O) -> F) -> Vec<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    STOP.store(false, Relaxed);
    let tasks: Vec<_> = operations.into_iter().map(body).map(tokio::spawn).collect();
    tokio::time::sleep(duration).await;
    STOP.store(true, Relaxed);
    let mut outputs = Vec::with_capacity(tasks.len());
    for task in tasks {
        outputs.push(task.await.expect("a task that does not panic"));
    }
    outputs
}

async fn counted<O: Operation>(mut operation: O) -> (O, u64) {
    let mut runs = 0;
    while !stopped() {
        operation.run().await;
        runs += 1;
    }
    (operation, runs)
}

async fn timed<O: Operation>(mut operation: O) -> (O, Vec<u64>) {
    let mut nanos = Vec::with_capacity(1024);
    let mut last = Instant::now();
    while !stopped() {
        operation.run().await;
        let now = Instant::now();
        nanos.push(now.duration_since(last).as_nanos() as u64);
        last = now;
    }
    (operation, nanos)
}
