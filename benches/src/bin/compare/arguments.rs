//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// The Rust clients of Redis side by side, on a server of their own.
///
/// Each contestant has a process of its own for each workload and round. Without --only and --contestants
/// everything is run, and docs/benchmarks.md is written anew.
#[derive(Clone, Debug, Parser)]
#[command(name = "cargo compare", args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) plan: Plan,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Plan {
    /// How often everything is measured; medians are reported.
    #[arg(long, default_value_t = 5)]
    pub(crate) rounds: usize,
    /// How long the throughput is measured each time; latency half as long, allocations a fifth.
    #[arg(long, default_value_t = 1.0)]
    pub(crate) seconds: f64,
    /// Only the workloads whose name, or what follows a slash in it, begins with this; may be given several
    /// times.
    #[arg(long, value_name = "TEXT")]
    pub(crate) only: Vec<String>,
    /// Only these contestants.
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub(crate) contestants: Vec<String>,
    /// Writes benchmarks.md and the charts into this folder, be the run complete or not.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) out: Option<PathBuf>,
    /// Keeps the server on the last core and the clients on the others: steadier, and less than a host has.
    #[arg(long)]
    pub(crate) pin: bool,
    /// Says which workloads and contestants there are.
    #[arg(long)]
    pub(crate) list: bool,
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Command {
    /// Writes the report of a run that was saved.
    Report {
        /// Usually target/compare.json.
        run: PathBuf,
        /// Where benchmarks.md and the charts go.
        #[arg(long, value_name = "FOLDER", default_value = "docs")]
        out: PathBuf,
    },
    /// Measures one contestant once, in this process, and prints its sample as JSON.
    #[command(hide = true)]
    Measure(Measure),
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Measure {
    #[arg(long)]
    pub(crate) contestant: String,
    #[arg(long)]
    pub(crate) workload: String,
    #[arg(long)]
    pub(crate) address: SocketAddr,
    #[arg(long)]
    pub(crate) seconds: f64,
    /// How many calls, where they are not measured by time.
    #[arg(long, default_value_t = 0)]
    pub(crate) calls: u64,
}
