//! Running something for a while, and what it cost.

pub(crate) mod tasks;
pub(crate) mod threads;

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::allocations::Allocated;
use crate::run::{Latency, Sample};
use crate::usage::process_cpu;

pub(crate) const WARM_UP: Duration = Duration::from_millis(300);

/// What takes longer counts as this: a minute, in nanoseconds.
const LONGEST: u64 = 60_000_000_000;

/// Looked at before each operation, instead of a clock.
static STOP: AtomicBool = AtomicBool::new(false);

fn stopped() -> bool {
    STOP.load(Relaxed)
}

/// How long each phase takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Phases {
    pub(crate) throughput: Duration,
    pub(crate) latency: Duration,
    pub(crate) allocations: Duration,
}

impl Phases {
    pub(crate) fn new(seconds: f64) -> Self {
        let whole = Duration::from_secs_f64(seconds);
        Self {
            throughput: whole,
            latency: whole / 2,
            allocations: whole / 5,
        }
    }
}

/// Time and processor time since a moment.
pub(crate) struct Cost {
    started: Instant,
    cpu: Duration,
}

impl Cost {
    pub(crate) fn start() -> Self {
        Self {
            cpu: process_cpu(),
            started: Instant::now(),
        }
    }

    pub(crate) fn of(&self, operations: u64) -> Sample {
        let elapsed = self.started.elapsed();
        Sample {
            operations,
            elapsed: elapsed.as_secs_f64(),
            cpu: (process_cpu() - self.cpu).as_secs_f64(),
            ..Sample::default()
        }
    }
}

/// Of nanoseconds; `None` if there are none.
pub(crate) fn latency(all: impl IntoIterator<Item = Vec<u64>>) -> Option<Latency> {
    let mut histogram = Histogram::<u64>::new_with_bounds(1, LONGEST, 3).expect("bounds");
    for nanos in all.into_iter().flatten() {
        histogram.saturating_record(nanos);
    }
    let micros = |quantile| histogram.value_at_quantile(quantile) as f64 / 1e3;
    (!histogram.is_empty()).then(|| Latency {
        p50: micros(0.5),
        p99: micros(0.99),
        p999: micros(0.999),
    })
}

pub(crate) fn per_operation(allocated: Allocated, operations: u64) -> Option<f64> {
    (operations > 0).then(|| allocated.calls as f64 / operations as f64)
}
