//! One thread a call in flight.

use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::{Duration, Instant};

use super::{Cost, Phases, STOP, WARM_UP, latency, per_operation, stopped};
use crate::allocations;
use crate::run::Sample;

/// What a thread does again and again.
pub(crate) trait Steps: Send {
    /// Returns how many operations it was.
    fn step(&mut self) -> u64;

    /// Says also how many nanoseconds each of them took.
    fn timed_step(&mut self, latencies: &mut Vec<u64>) -> u64 {
        let started = Instant::now();
        let operations = self.step();
        latencies.push(started.elapsed().as_nanos() as u64);
        operations
    }
}

pub(crate) fn measure<S: Steps>(mut all: Vec<S>, phases: Phases) -> Sample {
    phase(&mut all, WARM_UP, counted);

    let cost = Cost::start();
    let operations = phase(&mut all, phases.throughput, counted)
        .into_iter()
        .sum();
    let mut sample = cost.of(operations);

    sample.latency = latency(phase(&mut all, phases.latency, timed));

    allocations::start_counting();
    let operations = phase(&mut all, phases.allocations, counted)
        .into_iter()
        .sum();
    sample.allocations = per_operation(allocations::stop_counting(), operations);
    sample
}

fn phase<S: Steps, T: Send>(all: &mut [S], duration: Duration, body: fn(&mut S) -> T) -> Vec<T> {
    STOP.store(false, Relaxed);
    thread::scope(|scope| {
        let threads: Vec<_> = all
            .iter_mut()
            .map(|steps| scope.spawn(move || body(steps)))
            .collect();
        thread::sleep(duration);
        STOP.store(true, Relaxed);
        let join = |thread: thread::ScopedJoinHandle<'_, T>| thread.join();
        let outputs = threads.into_iter().map(join);
        outputs.map(|output| output.expect("no panic")).collect()
    })
}

fn counted<S: Steps>(steps: &mut S) -> u64 {
    let mut operations = 0;
    while !stopped() {
        operations += steps.step();
    }
    operations
}

fn timed<S: Steps>(steps: &mut S) -> Vec<u64> {
    let mut nanos = Vec::with_capacity(1024);
    while !stopped() {
        steps.timed_step(&mut nanos);
    }
    nanos
}
