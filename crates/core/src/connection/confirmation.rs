//! The server's answer to a subscription, or to its end.

use std::fmt;
use std::sync::Arc;

use super::cluster::{Placed, Seeking};
use super::link::one;
use super::subscription::named;
use super::ticket::Ticket;
use super::wire::Wire;
use crate::{ClientContext, Error, Result};

/// A SUBSCRIBE or UNSUBSCRIBE on its way. Dropped before it is sent, it is withdrawn.
pub struct Confirmation {
    awaited: Awaited,
    command: &'static str,
    context: Arc<ClientContext>,
}

/// Where the answer comes from.
pub(super) enum Awaited {
    Server(Ticket<Arc<Wire>>),
    /// Of a cluster, and perhaps of one after the other.
    Node(Box<(Seeking, Option<Placed>)>),
}

impl Awaited {
    async fn received(self) -> Result<()> {
        match self {
            Self::Server(ticket) => {
                one(ticket.await?)?.extract_error()?;
                Ok(())
            }
            // Boxed, because it is large and most have none.
            Self::Node(node) => {
                let (seeking, placed) = *node;
                Box::pin(seeking.confirmed(placed)).await
            }
        }
    }
}

impl Confirmation {
    pub(super) fn new(
        awaited: Awaited,
        command: &'static str,
        context: Arc<ClientContext>,
    ) -> Self {
        Self {
            awaited,
            command,
            context,
        }
    }

    /// Completes when the server has confirmed it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Server`](crate::ErrorKind::Server) if the server refuses; otherwise as
    /// [`Connection::request_async`](crate::Connection::request_async).
    pub async fn received(self) -> Result<()> {
        self.awaited.received().await.map_err(|error: Error| {
            self.context.note_failure(&error);
            named(self.command, error).with_client(self.context.client_id())
        })
    }
}

impl fmt::Debug for Confirmation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Confirmation")
            .field("command", &self.command)
            .finish_non_exhaustive()
    }
}
