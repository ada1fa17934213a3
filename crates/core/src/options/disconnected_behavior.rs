//! What a call does without a connection.

use serde::{Deserialize, Serialize};

/// What a call does while its client is disconnected and reconnecting; lettuce's `DisconnectedBehavior`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum DisconnectedBehavior {
    /// It waits for the connection, within its deadline and the bounds `request_queue_size` and
    /// `request_queue_bytes`.
    #[default]
    Queue,
    /// It fails at once.
    Reject,
}
