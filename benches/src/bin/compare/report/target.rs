//! A figure to reach, and whether it is.

use crate::run::Run;

use super::contestants;
use super::quantity::Quantity;
use super::rounds::Rounds;
use super::spread::Spread;

/// Our figure in one workload as a share of somebody else's.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    pub(super) work: &'static str,
    pub(super) workload: &'static str,
    pub(super) ours: &'static str,
    pub(super) rival: Rival,
    pub(super) quantity: Quantity,
    pub(super) bound: Bound,
    pub(super) stretch: Option<Bound>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Rival {
    /// The peer that does best in this workload.
    BestPeer,
    Named(&'static str),
    /// Ourselves in another workload.
    Ourselves {
        workload: &'static str,
        words: &'static str,
    },
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

impl Bound {
    pub(super) fn value(self) -> f64 {
        match self {
            Self::AtLeast(value) | Self::AtMost(value) => value,
        }
    }

    pub(super) fn holds(self, ratio: f64) -> bool {
        match self {
            Self::AtLeast(least) => ratio >= least,
            Self::AtMost(most) => ratio <= most,
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Outcome {
    /// To whom ours was compared.
    pub(super) rival: String,
    /// `None` if it was not measured.
    pub(super) ratio: Option<Spread>,
}

impl Target {
    pub(super) fn evaluate(&self, run: &Run) -> Outcome {
        let (workload, contestant, rival) = match self.rival {
            Rival::Named(name) => (self.workload, Some(name), name.to_owned()),
            Rival::Ourselves { workload, words } => (workload, Some(self.ours), words.to_owned()),
            Rival::BestPeer => {
                let best = contestants::best_peer(run, self.workload);
                let words = best.map_or("the best peer".to_owned(), |best| {
                    format!("{best}, the best peer")
                });
                (self.workload, best, words)
            }
        };
        let ratio = contestant.and_then(|contestant| {
            let ours = Rounds::of(run, self.workload, self.ours)?;
            ours.ratio(&Rounds::of(run, workload, contestant)?, self.quantity)
        });
        Outcome { rival, ratio }
    }

    /// What is compared, in words.
    pub(super) fn figure(&self) -> String {
        let what = match self.quantity {
            Quantity::Rate => "throughput",
            Quantity::Time => "time",
            Quantity::Cpu => "CPU",
            Quantity::Memory => "memory",
            Quantity::Instructions => "instructions",
            Quantity::Allocations => "allocations",
            Quantity::Median | Quantity::Percentile99 | Quantity::Percentile999 => "latency",
        };
        match self.ours {
            "redis-manager" | "through async_commands()" => what.to_owned(),
            variant => format!("{what}, {}", variant.trim_start_matches("redis-manager ")),
        }
    }
}
