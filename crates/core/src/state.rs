//! What a client is doing.

use std::fmt;

/// The state of a client, as `state()` tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ClientState {
    /// Open, and by its kind without a connection of its own: a BASIC client.
    Idle,
    /// Open and connected.
    Connected,
    /// Open, and its connection was lost. It is being made again, unless the option `auto_reconnect` is
    /// off; the events say what keeps it.
    Disconnected,
    /// Refusing new work and waiting for what is in flight.
    Closing,
    /// Closed. No state follows.
    Closed,
}

impl ClientState {
    /// Whether the client takes no more work.
    #[must_use]
    pub fn is_closed(self) -> bool {
        matches!(self, Self::Closing | Self::Closed)
    }
}

impl fmt::Display for ClientState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Idle => "idle",
            Self::Connected => "connected",
            Self::Disconnected => "disconnected",
            Self::Closing => "closing",
            Self::Closed => "closed",
        })
    }
}
