//! Which node of a cluster has what. Pure: nothing here talks to anybody.

mod node_address;
mod redirect;
mod slot;
mod topology;

pub(crate) use node_address::NodeAddress;
pub(crate) use redirect::Redirect;
pub(crate) use slot::Slot;
pub(crate) use topology::Topology;
