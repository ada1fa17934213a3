//! The run: every contestant in turn, several times.

use std::error::Error;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use redis_manager_support::TestServer;

use crate::catalogue::{Kind, Workload};
use crate::plan::Plan;
use crate::run::{ContestantResult, Failure, Run, WorkloadResult};
use crate::{callgrind, child, cores, machine, table};

/// Of connections; beside the 2 000 scripts there are those of a run before, which may still be closing.
const MOST_CLIENTS: &str = "10000";

/// The run so far is kept in the file `saved`, so that one that is broken off can be looked at.
pub(crate) fn run(plan: &Plan, saved: &Path) -> Result<Run, Box<dyn Error>> {
    let server = TestServer::builder()
        .args(["--client-output-buffer-limit", "pubsub 0 0 0"])
        .args(["--maxclients", MOST_CLIENTS])
        .start()?;
    if plan.is_pinned {
        cores::divide(server.pid())?;
    }
    let mut run = Run {
        machine: machine::describe(plan, &server),
        results: Vec::new(),
        failures: Vec::new(),
    };
    let progress = progress(plan)?;
    for workload in &plan.workloads {
        if matches!(workload.kind, Kind::TypedCall) && !callgrind::is_there() {
            let id = &workload.id;
            progress.suspend(|| crate::say(&format!("{id}: skipped, there is no valgrind\n")));
            continue;
        }
        let result = measure(workload, plan, &server, &progress, &mut run.failures)?;
        progress.suspend(|| crate::say(&table::of(&result)));
        run.results.push(result);
        fs::write(saved, serde_json::to_vec_pretty(&run)?)?;
    }
    progress.finish_and_clear();
    if !run.failures.is_empty() {
        crate::say(&table::failures(&run.failures));
    }
    Ok(run)
}

fn measure(
    workload: &Workload,
    plan: &Plan,
    server: &TestServer,
    progress: &ProgressBar,
    failures: &mut Vec<Failure>,
) -> Result<WorkloadResult, Box<dyn Error>> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, server.port()));
    let unmeasured = workload.contestants.iter().map(|one| ContestantResult {
        contestant: one.id().to_owned(),
        samples: Vec::new(),
    });
    let mut contestants: Vec<_> = unmeasured.collect();
    for round in 0..plan.rounds {
        for turn in 0..contestants.len() {
            // Somebody else begins each round.
            let index = (turn + round) % contestants.len();
            let contestant = workload.contestants[index];
            progress.set_message(format!("{} {}", workload.id, contestant.id()));
            server.command(&["FLUSHALL"])?;
            let sample = match workload.kind {
                Kind::TypedCall => callgrind::sample(workload, contestant, address),
                _ => child::sample(workload, contestant, address, plan.seconds),
            };
            match sample {
                Ok(sample) => contestants[index].samples.push(sample),
                Err(reason) => failures.push(Failure {
                    workload: workload.id.clone(),
                    contestant: contestant.id().to_owned(),
                    round: round + 1,
                    reason,
                }),
            }
            progress.inc(1);
        }
    }
    Ok(WorkloadResult {
        workload: workload.id.clone(),
        group: workload.group().to_owned(),
        title: workload.title.clone(),
        unit: workload.unit.to_owned(),
        contestants,
    })
}

/// Drawn only when a measurement has ended: while one runs, this process sleeps.
fn progress(plan: &Plan) -> Result<ProgressBar, Box<dyn Error>> {
    let target = ProgressDrawTarget::stderr_with_hz(2);
    let progress = ProgressBar::with_draw_target(Some(plan.measurements() as u64), target);
    let template = "{bar:30} {pos}/{len}, {eta} left: {msg}";
    Ok(progress.with_style(ProgressStyle::with_template(template)?))
}
