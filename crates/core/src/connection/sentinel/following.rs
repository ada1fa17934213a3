//! A connection to the master, and how it ends with that.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::time::Instant;

use super::super::endpoint::Endpoint;
use super::{SentinelSet, Switches};

/// A server that a sentinel named, before anybody has connected to it.
pub(in super::super) struct FoundMaster {
    set: Arc<SentinelSet>,
    /// The sentinel's number.
    index: usize,
    endpoint: Endpoint,
    switches: Switches,
}

impl FoundMaster {
    pub(super) fn new(
        set: &Arc<SentinelSet>,
        index: usize,
        endpoint: Endpoint,
        switches: Switches,
    ) -> Self {
        Self {
            set: Arc::clone(set),
            index,
            endpoint,
            switches,
        }
    }

    pub(in super::super) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// It is a master, and somebody is connected to it from now on.
    pub(in super::super) fn follow(self) -> Following {
        let Self {
            set,
            index,
            endpoint,
            switches,
        } = self;
        set.trust(index, &endpoint);
        let mut switches = switches.from(endpoint.clone());
        let old = endpoint.clone();
        Following::until(endpoint, async move {
            let (new, since) = switches.next().await;
            let reason = format!("the sentinels have another master: {old} -> {new}");
            Moved { reason, since }
        })
    }
}

/// That there is reason to be connected to another server.
pub(in super::super) struct Moved {
    pub(in super::super) reason: String,
    /// Since when that is known.
    pub(in super::super) since: Instant,
}

/// What ends a connection to a server when there is no reason any more to be connected to that one.
pub(in super::super) struct Following {
    endpoint: Endpoint,
    moved: Pin<Box<dyn Future<Output = Moved> + Send>>,
}

impl Following {
    /// Of a connection to `endpoint`, which ends with `moved`, for the reason that it completes with.
    pub(in super::super) fn until(
        endpoint: Endpoint,
        moved: impl Future<Output = Moved> + Send + 'static,
    ) -> Self {
        Self {
            endpoint,
            moved: Box::pin(moved),
        }
    }

    /// Where the connection goes to.
    pub(in super::super) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Completes with the reason when the connection is to end, and is not to be polled again then.
    pub(in super::super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Moved> {
        self.moved.as_mut().poll(context)
    }
}
