//! The server's answer to a subscription, or to its end.

use std::fmt;
use std::sync::Arc;

use super::link::one;
use super::ticket::Ticket;
use super::wire::Wire;
use crate::{ClientContext, Error, Result};

/// A SUBSCRIBE or UNSUBSCRIBE on its way. Dropped before it is sent, it is withdrawn.
pub struct Confirmation {
    ticket: Ticket<Arc<Wire>>,
    command: &'static str,
    context: Arc<ClientContext>,
}

impl Confirmation {
    pub(super) fn new(
        ticket: Ticket<Arc<Wire>>,
        command: &'static str,
        context: Arc<ClientContext>,
    ) -> Self {
        Self {
            ticket,
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
        let confirm = async {
            one(self.ticket.await?)?.extract_error()?;
            Ok(())
        };
        confirm.await.map_err(|error: Error| {
            self.context.note_failure(&error);
            let error = error.with_command(self.command);
            error.with_client(self.context.client_id())
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
