//! A master that a sentinel named.

use std::sync::Arc;

use super::super::endpoint::Endpoint;
use super::super::following::{Following, Moved};
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
