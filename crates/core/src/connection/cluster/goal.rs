//! Where a request is to go.

use crate::cluster::Slot;

/// What a request asks of the node that it is left with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Goal {
    /// Nothing.
    AnyNode,
    /// That it has this slot.
    Slot {
        slot: Slot,
        /// Whether the request changes nothing, so that a replica may do.
        reads: bool,
    },
}
