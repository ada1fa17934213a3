//! What became of the writes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use redis_manager_support::TestCluster;

use super::course::Course;
use super::writer::{Way, Writer};
use crate::harness::Run;

/// A replica is not further behind its master than that.
const LAG: Duration = Duration::from_secs(2);

#[derive(Default)]
pub(super) struct Ledger {
    kills: Vec<Instant>,
    up_again: Vec<Instant>,
    /// From the cluster's being up again until each writer had an acknowledgement.
    pub(super) back: Vec<Duration>,
    acknowledged: usize,
    unknown: usize,
    unknown_that_ran: usize,
    not_run: usize,
    lost: usize,
    failures: BTreeMap<String, usize>,
    longest: Duration,
    pub(super) late: Vec<Duration>,
}

impl Ledger {
    pub(super) fn new(course: &Course<'_>) -> Self {
        Self {
            kills: course.masters.clone(),
            up_again: course.up_again.clone(),
            ..Self::default()
        }
    }

    /// Compares what `writer` was told with what the cluster has.
    pub(super) fn audit(&mut self, mut writer: Writer, cluster: &TestCluster) {
        let [alone, counted, count, here, there] = &writer.keys;
        let mut ran = BTreeSet::new();
        for (way, key) in [
            (Way::Alone, alone),
            (Way::Counted, counted),
            (Way::Twice, here),
            (Way::Twice, there),
        ] {
            let numbers = numbers(cluster, key);
            let set: BTreeSet<i64> = numbers.iter().copied().collect();
            assert_eq!(set.len(), numbers.len(), "a write was applied twice: {key}");
            assert!(
                writer.not_run.is_disjoint(&set),
                "what was not run is there: {key}"
            );
            let known = |number: &i64| {
                Writer::way(*number) == way
                    && (writer.acknowledged.contains_key(number) || writer.unknown.contains(number))
            };
            assert!(set.iter().all(known), "somebody else wrote: {key}");
            self.account_for_lost(&writer, way, &set);
            if way == Way::Counted {
                let count = cluster.owner_of(count).run(&["GET", count]).as_int();
                let length = Some(numbers.len() as i64).filter(|length| *length > 0);
                assert_eq!(count, length, "both are written once, or neither");
            }
            ran.extend(set);
        }
        for up_again in &self.up_again {
            let mut times = writer.acknowledged.values();
            let first = times.find(|at| *at >= up_again);
            let first = first.expect("everybody is served again");
            self.back.push(*first - *up_again);
        }
        self.acknowledged += writer.acknowledged.len();
        self.unknown += writer.unknown.len();
        self.unknown_that_ran += writer.unknown.intersection(&ran).count();
        self.not_run += writer.not_run.len();
        for (how, count) in &writer.failures {
            *self.failures.entry(how.clone()).or_default() += count;
        }
        self.longest = self.longest.max(writer.longest);
        self.late.append(&mut writer.late);
    }

    /// A replica that is promoted has not what its master acknowledged last. Anything else was lost by us.
    fn account_for_lost(&mut self, writer: &Writer, way: Way, there: &BTreeSet<i64>) {
        for (number, at) in &writer.acknowledged {
            if Writer::way(*number) != way || there.contains(number) {
                continue;
            }
            let mut kills = self.kills.iter();
            let is_near = kills.any(|kill| *at + LAG >= *kill && *at <= *kill + LAG);
            assert!(is_near, "{number} of {:?} is lost", writer.keys);
            self.lost += 1;
        }
    }

    pub(super) fn report(&self, run: &Run) {
        run.report("calls acknowledged", self.acknowledged);
        run.report(
            "writes lost by the cluster, acknowledged just before a kill",
            self.lost,
        );
        run.report(
            "calls Unknown, of those applied",
            format!("{}, {}", self.unknown, self.unknown_that_ran),
        );
        run.report("calls NotSent or refused, none applied", self.not_run);
        run.report("failures", format!("{:?}", self.failures));
        run.report(
            "a writer was without an acknowledgement for up to",
            format!("{:.1?}", self.longest),
        );
        assert!(self.unknown > 0, "a kill met calls in flight");
        assert!(self.not_run > 0, "a call that was not sent could be told");
    }
}

fn numbers(cluster: &TestCluster, key: &str) -> Vec<i64> {
    let list = cluster.owner_of(key).run(&["LRANGE", key, "0", "-1"]);
    let numbers = list.items().iter().map(|item| item.as_int().unwrap());
    numbers.collect()
}
