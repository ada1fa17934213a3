//! A connection that ends when another server is to be connected to.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::time::Instant;

use super::endpoint::Endpoint;

/// That there is reason to be connected to another server.
pub(super) struct Moved {
    pub(super) reason: String,
    /// Since when that is known.
    pub(super) since: Instant,
}

/// What ends a connection to a server when there is no reason any more to be connected to that one.
pub(super) struct Following {
    endpoint: Endpoint,
    moved: Pin<Box<dyn Future<Output = Moved> + Send>>,
}

impl Following {
    /// Of a connection to `endpoint`, which ends with `moved`, for the reason that it completes with.
    pub(super) fn until(
        endpoint: Endpoint,
        moved: impl Future<Output = Moved> + Send + 'static,
    ) -> Self {
        Self {
            endpoint,
            moved: Box::pin(moved),
        }
    }

    /// Where the connection goes to.
    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Completes with the reason when the connection is to end, and is not to be polled again then.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Moved> {
        self.moved.as_mut().poll(context)
    }
}
