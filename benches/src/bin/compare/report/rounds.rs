//! What a contestant did in each round.

use std::collections::BTreeMap;

use crate::run::{Run, Sample};

use super::quantity::Quantity;
use super::spread::Spread;

/// By number, from 1. A round that failed has no sample.
pub(super) struct Rounds<'run>(BTreeMap<usize, &'run Sample>);

impl<'run> Rounds<'run> {
    pub(super) fn of(run: &'run Run, workload: &str, contestant: &str) -> Option<Self> {
        let mut workloads = run.results.iter();
        let result = workloads.find(|result| result.workload == workload)?;
        let mut contestants = result.contestants.iter();
        let result = contestants.find(|result| result.contestant == contestant)?;

        let failed = |round: &usize| {
            run.failures.iter().any(|failure| {
                failure.round == *round
                    && failure.workload == workload
                    && failure.contestant == contestant
            })
        };
        let rounds = (1..).filter(|round| !failed(round));
        Some(Self(rounds.zip(&result.samples).collect()))
    }

    pub(super) fn spread(&self, quantity: Quantity) -> Option<Spread> {
        Spread::of(self.0.values().filter_map(|sample| quantity.of(sample)))
    }

    /// This one's share of the other's, round by round: what slows a machine down for a while slows both.
    pub(super) fn ratio(&self, other: &Self, quantity: Quantity) -> Option<Spread> {
        Spread::of(self.0.iter().filter_map(|(round, sample)| {
            Some(quantity.of(sample)? / quantity.of(other.0.get(round)?)?)
        }))
    }
}
