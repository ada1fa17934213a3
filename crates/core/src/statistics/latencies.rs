//! How long calls took, in buckets.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::LatencySnapshot;

/// Each power of two is divided into so many buckets of one width: what is read from the middle of one is wrong by 1/16
/// at most.
const PARTS: usize = 8;
const PART_BITS: u32 = PARTS.ilog2();
/// The first bucket begins at 2^10 ns, which is 1 µs, and takes what is less.
const LOWEST_BIT: u32 = 10;
/// The last one ends at 2^36 ns, which is 69 s, and takes what is more.
const HIGHEST_BIT: u32 = 36;
const BUCKETS: usize = (HIGHEST_BIT - LOWEST_BIT) as usize * PARTS;

/// The bucket of a latency.
#[inline]
fn bucket(nanos: u64) -> usize {
    let nanos = nanos.clamp(1 << LOWEST_BIT, (1 << HIGHEST_BIT) - 1);
    let bit = nanos.ilog2();
    let part = (nanos >> (bit - PART_BITS)) as usize & (PARTS - 1);
    (bit - LOWEST_BIT) as usize * PARTS + part
}

/// The middle of a bucket.
fn middle(bucket: usize) -> u64 {
    let width = 1 << (bucket / PARTS + (LOWEST_BIT - PART_BITS) as usize);
    let low = (PARTS + bucket % PARTS) as u64 * width;
    low + width / 2
}

/// Counts latencies. Any thread may, at the same time.
pub(super) struct LatencyHistogram {
    buckets: [AtomicU64; BUCKETS],
    max: AtomicU64,
}

impl LatencyHistogram {
    #[inline]
    pub(super) fn note(&self, latency: Duration) {
        // In 64 bits, which hold 584 years.
        let seconds = latency.as_secs().saturating_mul(1_000_000_000);
        let nanos = seconds.saturating_add(latency.subsec_nanos().into());
        if let Some(count) = self.buckets.get(bucket(nanos)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        if nanos > self.max.load(Ordering::Relaxed) {
            self.max.fetch_max(nanos, Ordering::Relaxed);
        }
    }

    pub(super) fn copy(&self) -> Latencies {
        let max = self.max.load(Ordering::Relaxed);
        let mut copy = Latencies::default();
        for (copied, count) in copy.buckets.iter_mut().zip(&self.buckets) {
            *copied = count.load(Ordering::Relaxed);
        }
        copy.max = max;
        copy
    }
}

impl Default for LatencyHistogram {
    fn default() -> Self {
        Self {
            buckets: [const { AtomicU64::new(0) }; BUCKETS],
            max: AtomicU64::new(0),
        }
    }
}

impl fmt::Debug for LatencyHistogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.copy().fmt(f)
    }
}

/// How long calls took, those of one client or of many. Of 1.7 kB, whatever their number.
///
/// What is asked of it is wrong by 6.25 % at most, between 1 µs and 64 s; the longest is exact.
#[derive(Clone)]
pub struct Latencies {
    buckets: [u64; BUCKETS],
    max: u64,
}

impl Latencies {
    /// Adds those of others.
    pub fn add(&mut self, others: &Self) {
        for (count, more) in self.buckets.iter_mut().zip(&others.buckets) {
            *count += more;
        }
        self.max = self.max.max(others.max);
    }

    /// How many calls there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// The time within which so many of a thousand calls were answered; `None` if there are no calls.
    #[must_use]
    pub fn per_mille(&self, per_mille: u64) -> Option<Duration> {
        let count = self.count();
        let rank = count.saturating_mul(per_mille).div_ceil(1000).max(1);
        let mut seen = 0;
        let reached = self.buckets.iter().position(|count| {
            seen += count;
            seen >= rank
        });
        // None took longer than the longest, which the middle of its bucket may be.
        reached.map(|bucket| Duration::from_nanos(middle(bucket).min(self.max)))
    }

    /// What a person looks at; `None` if there are no calls.
    #[must_use]
    pub fn summary(&self) -> Option<LatencySnapshot> {
        let micros = |latency: Duration| {
            let rounded = latency.as_nanos().saturating_add(500) / 1000;
            u64::try_from(rounded).unwrap_or(u64::MAX)
        };
        let within = |per_mille| self.per_mille(per_mille).map(micros);
        Some(LatencySnapshot {
            p50_us: within(500)?,
            p90_us: within(900)?,
            p99_us: within(990)?,
            p999_us: within(999)?,
            max_us: micros(Duration::from_nanos(self.max)),
        })
    }
}

impl Default for Latencies {
    fn default() -> Self {
        Self {
            buckets: [0; BUCKETS],
            max: 0,
        }
    }
}

impl fmt::Debug for Latencies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Latencies")
            .field("count", &self.count())
            .field("summary", &self.summary())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn noted(nanos: &[u64]) -> Latencies {
        let histogram = LatencyHistogram::default();
        for nanos in nanos {
            histogram.note(Duration::from_nanos(*nanos));
        }
        histogram.copy()
    }

    /// What is read may be wrong by a sixteenth of what is right.
    fn is_near(read: Duration, right: u64) -> bool {
        (read.as_nanos().abs_diff(u128::from(right))) * 16 <= u128::from(right)
    }

    #[test]
    fn the_buckets_follow_each_other_without_a_gap() {
        let mut last = 0;
        for bit in LOWEST_BIT..HIGHEST_BIT {
            for nanos in [1_u64 << bit, (1 << bit) + 1, (2 << bit) - 1] {
                let found = bucket(nanos);
                assert!(found == last || found == last + 1 || nanos == (2 << bit) - 1);
                assert!(is_near(Duration::from_nanos(middle(found)), nanos));
                last = found;
            }
        }
        assert_eq!(last, BUCKETS - 1);
    }

    #[test]
    fn what_is_out_of_range_goes_to_the_ends_and_the_longest_is_exact() {
        let latencies = noted(&[0, u64::MAX]);
        assert_eq!(latencies.count(), 2);
        assert_eq!(latencies.buckets[0], 1);
        assert_eq!(latencies.buckets[BUCKETS - 1], 1);
        assert_eq!(latencies.max, u64::MAX);
        let longest = noted(&[90_000_000_000]).summary().unwrap();
        assert_eq!(longest.max_us, 90_000_000);
        assert!(longest.p999_us <= longest.max_us);
    }

    #[test]
    fn without_calls_there_is_no_latency() {
        assert_eq!(noted(&[]).per_mille(500), None);
        assert_eq!(noted(&[]).summary(), None);
    }

    #[test]
    fn of_one_call_every_percentile_is_that_call() {
        let summary = noted(&[2_000_000]).summary().unwrap();
        let all = [summary.p50_us, summary.p999_us, summary.max_us];
        assert_eq!(all, [2_000, 2_000, 2_000]);
    }

    proptest! {
        #[test]
        fn a_percentile_is_the_exact_one_within_the_stated_error(
            mut nanos in proptest::collection::vec(1_024..64_000_000_000_u64, 1..400),
            per_mille in 1..=1000_u64,
        ) {
            let read = noted(&nanos).per_mille(per_mille).unwrap();
            nanos.sort_unstable();
            let rank = (nanos.len() as u64 * per_mille).div_ceil(1000);
            let exact = nanos[rank as usize - 1];
            prop_assert!(is_near(read, exact), "{read:?} of {exact} ns");
        }

        #[test]
        fn those_of_two_clients_are_those_of_all_their_calls(
            one in proptest::collection::vec(0..10_000_000_u64, 0..100),
            other in proptest::collection::vec(0..10_000_000_u64, 0..100),
        ) {
            let mut sum = noted(&one);
            sum.add(&noted(&other));
            let all: Vec<_> = one.iter().chain(&other).copied().collect();
            prop_assert_eq!(sum.summary(), noted(&all).summary());
            prop_assert_eq!(sum.count(), all.len() as u64);
        }
    }
}
