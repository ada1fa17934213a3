//! The Rust clients of Redis side by side: `cargo compare`.
//!
//! | file | what it does |
//! |---|---|
//! | `arguments`, `plan` | what is asked for |
//! | `rounds`, `child`, `callgrind` | runs every contestant in a process of its own, one after the other |
//! | `cores` | where they run |
//! | `run`, `machine` | the run as data |
//! | `table`, `report` | medians for the terminal; the page and its charts |
//! | `catalogue`, `contestant` | the workloads; who takes part |
//! | `role`, `item` | what a contestant can be asked to do, and with which keys |
//! | `workload`, `source` | what the child does; the messages that it listens to |
//! | `measure` | time, processor time and latency of something that is done again and again |
//! | `usage`, `allocations`, `limits` | what the process has used, and may use |
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a measurement that goes wrong ends its process, and the runner tells it"
)]

mod allocations;
mod arguments;
mod callgrind;
mod catalogue;
mod child;
mod contestant;
mod cores;
mod item;
mod limits;
mod machine;
mod measure;
mod plan;
mod report;
mod role;
mod rounds;
mod run;
mod source;
mod table;
mod usage;
mod workload;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::exit;
use std::{env, fs, io};

use clap::Parser;

use allocations::CountingAllocator;
use arguments::{Arguments, Command, Measure};
use contestant::Contestant;
use measure::Phases;
use plan::Plan;
use run::Run;
use workload::Task;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// Where the page goes when the run is complete.
const DOCS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs");

fn main() -> Result<(), Box<dyn Error>> {
    limits::allow_many_files();
    let arguments = Arguments::parse();
    match arguments.command {
        Some(Command::Measure(measure)) => measure_here(&measure),
        Some(Command::Report { run, out }) => {
            let run: Run = serde_json::from_slice(&fs::read(run)?)?;
            report::write(&run, &out)?;
            Ok(())
        }
        None if arguments.plan.list => {
            say(&plan::listing());
            Ok(())
        }
        None => {
            let out = arguments.plan.out.clone();
            let plan = Plan::new(arguments.plan)?;
            let saved = saved()?;
            let run = rounds::run(&plan, &saved)?;
            say(&format!("saved: {}", saved.display()));
            let out = out.or_else(|| plan.is_complete.then(|| PathBuf::from(DOCS)));
            if let Some(out) = out {
                report::write(&run, &out)?;
                say(&format!("written: {}", out.join("benchmarks.md").display()));
            }
            Ok(())
        }
    }
}

/// Where the run is kept, to be reported again: `target/compare.json`, wherever `target` is.
fn saved() -> io::Result<PathBuf> {
    let program = env::current_exe()?;
    let target = program.ancestors().nth(2).unwrap_or(Path::new("."));
    Ok(target.join("compare.json"))
}

fn measure_here(measure: &Measure) -> Result<(), Box<dyn Error>> {
    // Libraries contain panics of callbacks and tasks; here each is a wrong reply.
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        tell(panic);
        exit(1);
    }));
    let task = Task {
        contestant: Contestant::by_id(&measure.contestant).ok_or("no such contestant")?,
        address: measure.address,
        phases: Phases::new(measure.seconds),
        calls: measure.calls,
    };
    let workload = catalogue::by_id(&measure.workload).ok_or("no such workload")?;
    let sample = workload::run(&workload, task);
    say(&serde_json::to_string(&sample)?);
    // Nothing that is still open is worth the time to close it.
    exit(0);
}

#[expect(clippy::print_stdout, reason = "it is a program's output")]
fn say(text: &str) {
    println!("{text}");
}
