//! What a full queue does.

use serde::{Deserialize, Serialize};

/// What a listener's full queue does with the next message. In a config file `"drop-oldest"` or
/// `"drop-newest"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Overflow {
    /// Drops the messages that wait longest, so that the listener sees what is new. The default.
    #[default]
    DropOldest,
    /// Drops the message that arrives, so that the listener sees what came first.
    DropNewest,
}
