//! What a client is doing.

use std::fmt;

use crate::{ClientId, Error};

/// The state of a client, as `state()` tells it.
///
/// Two losses are equal if their causes are of the same kind and say the same.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ClientState {
    /// Open, and without a connection of its own so far: a BASIC client, or one whose option `lazy_connect`
    /// is on before its first call on the connection that calls share.
    Idle,
    /// Open and connected.
    Connected,
    /// Open and without the connection that it should have. It is being made, for ever, unless the option
    /// `auto_reconnect` or `suspend_reconnect_on_protocol_failure` ends that.
    Disconnected {
        /// What ended the connection, or kept the last try from making one.
        cause: Error,
    },
    /// Refusing new work and waiting for what is in flight.
    Closing,
    /// Closed. No state follows.
    Closed,
}

impl ClientState {
    /// Whether the client takes no more work.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self, Self::Closing | Self::Closed)
    }

    /// The same, as that of the client with this number.
    pub(crate) fn of_client(&self, client: ClientId) -> Self {
        match self {
            Self::Disconnected { cause } => Self::Disconnected {
                cause: cause.clone().with_client(client),
            },
            other => other.clone(),
        }
    }

    /// Whether the client is open and without the connection that it should have.
    #[must_use]
    pub fn is_disconnected(&self) -> bool {
        matches!(self, Self::Disconnected { .. })
    }
}

impl PartialEq for ClientState {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Disconnected { cause: one }, Self::Disconnected { cause: other }) => {
                (one.kind(), one.message()) == (other.kind(), other.message())
            }
            _ => std::mem::discriminant(self) == std::mem::discriminant(other),
        }
    }
}

impl Eq for ClientState {}

impl fmt::Display for ClientState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Idle => f.write_str("idle"),
            Self::Connected => f.write_str("connected"),
            Self::Disconnected { cause } => write!(f, "disconnected: {}", cause.message()),
            Self::Closing => f.write_str("closing"),
            Self::Closed => f.write_str("closed"),
        }
    }
}
