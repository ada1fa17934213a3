//! Instructions of a call, as valgrind counts them.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use crate::catalogue::Workload;
use crate::child;
use crate::contestant::Contestant;
use crate::run::Sample;

/// The process is counted twice: what it does beside the calls is in both and falls out.
const FEW: u64 = 2_000;
const MANY: u64 = 12_000;
/// Valgrind is some fifty times slower than the processor.
const LIMIT: Duration = Duration::from_secs(180);

pub(crate) fn is_there() -> bool {
    let version = Command::new("valgrind").arg("--version").output();
    version.is_ok_and(|output| output.status.success())
}

pub(crate) fn sample(
    workload: &Workload,
    contestant: Contestant,
    address: SocketAddr,
) -> Result<Sample, String> {
    let instructions = |calls| instructions(workload, contestant, address, calls);
    let (few, many) = (instructions(FEW)?, instructions(MANY)?);
    Ok(Sample {
        operations: MANY - FEW,
        instructions: Some((many - few) / (MANY - FEW) as f64),
        ..Sample::default()
    })
}

fn instructions(
    workload: &Workload,
    contestant: Contestant,
    address: SocketAddr,
    calls: u64,
) -> Result<f64, String> {
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    command.args(child::measuring(workload, contestant, address, 0.0)?);
    command.args(["--calls", &calls.to_string()]);
    let told = child::output(&mut command, LIMIT)?.stderr;
    let collected = told
        .lines()
        .find_map(|line| line.split_once("Collected : "));
    let counted = collected.and_then(|(_, count)| count.trim().parse().ok());
    counted.ok_or_else(|| format!("valgrind counted nothing: {told}"))
}
