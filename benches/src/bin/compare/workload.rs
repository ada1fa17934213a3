//! One contestant at one workload: what a child process does.

mod blocking;
mod calls;
mod listening;
mod memory;
mod open_close;
mod opening;
mod pipelines;
mod publishing;
mod scripts;
mod typed_call;
mod unloading;

use std::net::SocketAddr;

use tokio::runtime::{Builder, Runtime};

use crate::catalogue::{Kind, Workload};
use crate::contestant::Contestant;
use crate::measure::Phases;
use crate::role::Load;
use crate::run::Sample;

/// Who is measured, and how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Task {
    pub(crate) contestant: Contestant,
    pub(crate) address: SocketAddr,
    pub(crate) phases: Phases,
    /// How many calls, where it is not time that counts.
    pub(crate) calls: u64,
}

impl Task {
    fn load(&self, depth: usize, size: usize) -> Load {
        let address = self.address;
        Load {
            address,
            depth,
            size,
        }
    }

    fn no_part(&self) -> ! {
        panic!("{} takes no part in this", self.contestant.id())
    }
}

pub(crate) fn run(workload: &Workload, task: Task) -> Sample {
    const SMALL: usize = 32;
    match workload.kind {
        Kind::Async { size, depth } => calls::run(task, task.load(depth, size)),
        Kind::Scripts { count, depth } => scripts::run(task, task.load(depth, SMALL), count),
        Kind::Sync { threads } => blocking::run(task, task.load(threads, SMALL)),
        Kind::Pipeline { length } => pipelines::run(task, task.load(length, SMALL)),
        Kind::Publish { depth } => publishing::run(task, task.load(depth, SMALL)),
        Kind::Listen { listeners } => listening::run(task, task.load(1, SMALL), listeners),
        Kind::OpenClose { count } => open_close::run(task, task.load(1, SMALL), count),
        Kind::Unload { count } => unloading::run(task, task.load(1, SMALL), count),
        Kind::Memory { count } => memory::run(task, task.load(1, SMALL), count),
        Kind::TypedCall => typed_call::run(task, task.load(1, SMALL)),
    }
}

/// What `#[tokio::main]` would make. It lives as long as the process, so that what runs on it does not
/// fail after the measurement.
fn host() -> &'static Runtime {
    let runtime = Builder::new_multi_thread().enable_all().build();
    Box::leak(Box::new(runtime.expect("a runtime")))
}
