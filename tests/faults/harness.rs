//! What the fault tests have in common: a seed, a scale, one at a time, and a report.

use std::fmt::Display;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::random::Random;

/// Bounds a wait that is expected to end at once; it is there to catch a hang.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// One run of one fault test. While it lives no other runs: they measure the process and the machine.
pub(crate) struct Run {
    name: &'static str,
    is_long: bool,
    began: Instant,
    pub(crate) random: Random,
    _alone: MutexGuard<'static, ()>,
}

impl Run {
    /// Takes the seed from `REDIS_MANAGER_FAULTS_SEED`, else from the clock, and prints it.
    pub(crate) fn begin(name: &'static str) -> Self {
        static ALONE: Mutex<()> = Mutex::new(());
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let seed = std::env::var("REDIS_MANAGER_FAULTS_SEED").ok();
        let seed = seed.and_then(|seed| seed.parse().ok()).unwrap_or_else(|| {
            let now = SystemTime::now().duration_since(UNIX_EPOCH);
            now.unwrap().as_nanos() as u64
        });
        let is_long = std::env::var("REDIS_MANAGER_FAULTS").is_ok_and(|form| form == "long");
        let form = if is_long { "long" } else { "short" };
        println!("{name}: {form}, REDIS_MANAGER_FAULTS_SEED={seed}");
        Self {
            name,
            is_long,
            began: Instant::now(),
            random: Random::new(seed),
            _alone: alone,
        }
    }

    /// Begins it, and runs `body` on a runtime that is there no longer than the run: the files and threads of another one
    /// would be counted as those of whoever runs then.
    pub(crate) fn on_runtime(name: &'static str, body: impl AsyncFnOnce(&mut Self)) {
        let mut run = Self::begin(name);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(body(&mut run));
    }

    /// Whether the figures of `docs/reliability.md` are to be made, and its bounds in time to hold.
    pub(crate) fn is_long(&self) -> bool {
        self.is_long
    }

    /// How much there is to do: in CI, and in the long form.
    pub(crate) fn scale<T>(&self, short: T, long: T) -> T {
        if self.is_long { long } else { short }
    }

    /// Prints one figure of the report.
    pub(crate) fn report(&self, what: &str, figure: impl Display) {
        println!("| {} | {what} | {figure} |", self.name);
    }

    /// Reports the spread of `times`.
    pub(crate) fn report_spread(&self, what: &str, times: &mut [Duration]) {
        let [half, most, last] = spread(times);
        let figure = format!("p50 {half:.1?}, p99 {most:.1?}, max {last:.1?}");
        self.report(what, figure);
    }

    /// As [`Run::report_spread`], and in the long form bounds the 99th percentile.
    #[track_caller]
    pub(crate) fn report_times(&self, what: &str, times: &mut [Duration], bound: Duration) {
        let [half, most, last] = spread(times);
        let figure = format!("p50 {half:.1?}, p99 {most:.1?}, max {last:.1?} (p99 ≤ {bound:?})");
        self.report(what, figure);
        assert!(
            !self.is_long || most <= bound,
            "{what}: p99 {most:?} > {bound:?}"
        );
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.report("took", format!("{:.1?}", self.began.elapsed()));
        }
    }
}

/// The median of `times`, their 99th percentile and the longest.
fn spread(times: &mut [Duration]) -> [Duration; 3] {
    times.sort_unstable();
    [50, 99, 100].map(|percent| {
        let index = (times.len() * percent / 100).min(times.len().saturating_sub(1));
        times.get(index).copied().unwrap_or_default()
    })
}

/// Waits until `condition` holds.
#[track_caller]
pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
