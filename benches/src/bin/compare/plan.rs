//! Which workloads and contestants a run has.

use std::fmt::Write;

use crate::arguments;
use crate::catalogue::{self, Workload};
use crate::contestant::Contestant;

#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Each with those of its contestants that were asked for.
    pub(crate) workloads: Vec<Workload>,
    pub(crate) rounds: usize,
    pub(crate) seconds: f64,
    pub(crate) is_pinned: bool,
    /// Whether nothing was left out.
    pub(crate) is_complete: bool,
}

impl Plan {
    pub(crate) fn new(asked: arguments::Plan) -> Result<Self, String> {
        let mut chosen = Vec::new();
        for name in &asked.contestants {
            let contestant = Contestant::by_id(name);
            chosen.push(contestant.ok_or_else(|| format!("there is no contestant `{name}`"))?);
        }
        let mut workloads = catalogue::all();
        workloads.retain(|workload| {
            // "sync" is not to mean "async".
            let path = format!("/{}", workload.id);
            let asked_for = |text: &String| path.contains(&format!("/{text}"));
            asked.only.is_empty() || asked.only.iter().any(asked_for)
        });
        if !chosen.is_empty() {
            for workload in &mut workloads {
                workload.contestants.retain(|one| chosen.contains(one));
            }
        }
        workloads.retain(|workload| !workload.contestants.is_empty());
        if workloads.is_empty() {
            return Err("there is no such workload; --list says which there are".to_owned());
        }
        Ok(Self {
            workloads,
            rounds: asked.rounds.max(1),
            seconds: asked.seconds,
            is_pinned: asked.pin,
            is_complete: asked.only.is_empty() && chosen.is_empty(),
        })
    }

    pub(crate) fn measurements(&self) -> usize {
        let a_round: usize = self.workloads.iter().map(|one| one.contestants.len()).sum();
        a_round * self.rounds
    }
}

pub(crate) fn listing() -> String {
    let mut listing = String::new();
    for workload in catalogue::all() {
        let names: Vec<_> = workload.contestants.iter().map(|one| one.id()).collect();
        let _ = writeln!(
            listing,
            "{:<24} {}\n{:<24}   {}",
            workload.id,
            workload.title,
            "",
            names.join(", ")
        );
    }
    listing
}
