//! A cluster, as far as it can be thought through without a socket: whose a key is, and what becomes of a command.
#![allow(dead_code, unused_imports, reason = "the connection takes it up next")]

mod node_address;
mod redirect;
mod slot;
mod topology;

pub use node_address::NodeAddress;
pub(crate) use redirect::Redirect;
pub(crate) use slot::Slot;
pub(crate) use topology::Topology;
