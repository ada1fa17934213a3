//! A whole run as data: what is saved, and what the report is made of.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) machine: Machine,
    pub(crate) results: Vec<WorkloadResult>,
    pub(crate) failures: Vec<Failure>,
}

/// Where and how it was measured.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    /// Bytes.
    pub(crate) memory: u64,
    pub(crate) kernel: String,
    pub(crate) os: String,
    /// "Redis 7.0.15".
    pub(crate) server: String,
    pub(crate) rustc: String,
    /// Version by crate.
    pub(crate) peers: BTreeMap<String, String>,
    /// UTC, RFC 3339.
    pub(crate) date: String,
    pub(crate) command: String,
    pub(crate) rounds: usize,
    pub(crate) seconds: f64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct WorkloadResult {
    /// "async/32B/128".
    pub(crate) workload: String,
    /// "async".
    pub(crate) group: String,
    pub(crate) title: String,
    /// What is counted: "operations", "messages", "callbacks", "clients".
    pub(crate) unit: String,
    pub(crate) contestants: Vec<ContestantResult>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ContestantResult {
    pub(crate) contestant: String,
    /// One a round; fewer if some failed.
    pub(crate) samples: Vec<Sample>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Sample {
    pub(crate) operations: u64,
    /// Seconds.
    pub(crate) elapsed: f64,
    /// Seconds, user and system, of the client's process.
    pub(crate) cpu: f64,
    pub(crate) latency: Option<Latency>,
    /// Per operation.
    pub(crate) allocations: Option<f64>,
    /// Bytes a client.
    pub(crate) memory: Option<f64>,
    /// A call.
    pub(crate) instructions: Option<f64>,
}

/// Microseconds.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Latency {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
}

/// A measurement that ended without a sample.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Failure {
    pub(crate) workload: String,
    pub(crate) contestant: String,
    /// From 1.
    pub(crate) round: usize,
    pub(crate) reason: String,
}
