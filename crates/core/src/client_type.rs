//! The three kinds of client a script can open.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a client is for; PySpigot's `ClientType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ClientType {
    /// Hands out the underlying client and opens no connection itself (`BASIC`).
    Basic,
    /// Runs commands, blocking and asynchronously (`COMMAND`).
    Command,
    /// Publishes and listens (`PUB_SUB`).
    PubSub,
}

impl fmt::Display for ClientType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Basic => "BASIC",
            Self::Command => "COMMAND",
            Self::PubSub => "PUB_SUB",
        })
    }
}
