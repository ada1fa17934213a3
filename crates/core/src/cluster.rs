//! A cluster, as far as it can be thought through without a socket: whose a key is, and what becomes of a command.

mod merge;
mod naming;
mod pipeline_plan;
mod plan;
mod policy;
mod redirect;
mod scan;
mod slot;
mod split;
#[cfg(test)]
mod test_topology;
mod topology;

pub(crate) use merge::Merge;
pub(crate) use pipeline_plan::{Item, PipelinePlan, Target};
pub(crate) use plan::Plan;
pub(crate) use redirect::Redirect;
pub(crate) use scan::{Scan, ScanCursor};
pub(crate) use slot::Slot;
pub(crate) use split::Part;
pub(crate) use topology::Topology;
