//! What can be asked of a sample.

use crate::run::Sample;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quantity {
    /// Operations a second.
    Rate,
    /// Microseconds that an operation took, if they came one after the other.
    Time,
    /// Microseconds of processor time for an operation.
    Cpu,
    Median,
    Percentile99,
    Percentile999,
    /// For an operation.
    Allocations,
    /// Bytes a client.
    Memory,
    /// A call.
    Instructions,
}

impl Quantity {
    pub(super) fn of(self, sample: &Sample) -> Option<f64> {
        let operations = sample.operations as f64;
        match self {
            Self::Rate => Some(operations / sample.elapsed),
            Self::Time => Some(sample.elapsed * 1e6 / operations),
            Self::Cpu => Some(sample.cpu * 1e6 / operations),
            Self::Median => Some(sample.latency?.p50),
            Self::Percentile99 => Some(sample.latency?.p99),
            Self::Percentile999 => Some(sample.latency?.p999),
            Self::Allocations => sample.allocations,
            Self::Memory => sample.memory,
            Self::Instructions => sample.instructions,
        }
    }

    /// What a workload of the group `group` is about.
    pub(super) fn main_of(group: &str) -> Self {
        match group {
            "memory" => Self::Memory,
            "instructions" => Self::Instructions,
            _ => Self::Rate,
        }
    }

    pub(super) fn more_is_better(self) -> bool {
        self == Self::Rate
    }

    /// What the figures are; `unit` is what the workload counts.
    pub(super) fn name(self, unit: &str) -> String {
        let one = unit.strip_suffix('s').unwrap_or(unit);
        match self {
            Self::Rate => format!("{unit}/s"),
            Self::Time => format!("µs/{one}"),
            Self::Cpu => format!("CPU µs/{one}"),
            Self::Median => "p50 µs".to_owned(),
            Self::Percentile99 => "p99 µs".to_owned(),
            Self::Percentile999 => "p99.9 µs".to_owned(),
            Self::Allocations => format!("allocations/{one}"),
            Self::Memory => "bytes/client".to_owned(),
            Self::Instructions => "instructions/call".to_owned(),
        }
    }
}
