//! What the caller holds of a request.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::outbox::{Left, Outbox};
use super::reply::Reply;
use crate::{Error, ErrorKind, Result};

/// A request that was left, and its reply to come. Dropped before that, it is withdrawn.
pub(super) struct Ticket {
    outbox: Arc<Outbox>,
    number: u64,
    reply: oneshot::Receiver<Result<Reply>>,
    /// It has its verdict, or shall go its way without anybody waiting.
    is_settled: bool,
}

impl Ticket {
    /// For a request that was left in `outbox`.
    pub(super) fn new(outbox: &Arc<Outbox>, left: Left) -> Self {
        Self {
            outbox: Arc::clone(outbox),
            number: left.number,
            reply: left.reply,
            is_settled: false,
        }
    }

    /// Waits for the reply, which comes by the deadline or is an error by then.
    pub(super) async fn reply(mut self) -> Result<Reply> {
        let verdict = (&mut self.reply).await;
        self.is_settled = true;
        verdict.unwrap_or_else(|_| {
            // Every request gets its verdict, so this is never seen.
            Err(Error::new(
                ErrorKind::Internal,
                "the request got no verdict",
            ))
        })
    }

    /// Lets the request go its way; nobody waits for the reply.
    pub(super) fn forget(mut self) {
        self.is_settled = true;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.is_settled {
            self.outbox.withdraw(self.number);
        }
    }
}
