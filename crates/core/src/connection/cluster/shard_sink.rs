//! What comes by the socket of one node's shard channels.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::SystemTime;

use parking_lot::Mutex;
use redis::{PushInfo, PushKind, RedisError, ServerError, Value};
use tokio::sync::Notify;

use super::super::PushSink;
use super::ClusterMap;
use crate::cluster::{Redirect, Slot};
use crate::{Channel, ChannelKind, Error, ErrorKind, RedisNode, Result};

/// Passes it on, and keeps account of which channels come.
pub(super) struct ShardSink {
    pub(super) inner: Arc<dyn PushSink>,
    pub(super) address: RedisNode,
    pub(super) map: Arc<ClusterMap>,
    pub(super) held: Arc<Mutex<Held>>,
    /// Wakes who looks after the sockets.
    pub(super) stirred: Arc<Notify>,
}

/// What one socket is subscribed to.
#[derive(Default)]
pub(super) struct Held {
    /// As its server has confirmed.
    channels: HashSet<Channel>,
    /// How many of those that another connection is subscribed to at first are not answered yet.
    unanswered: usize,
}

impl Held {
    pub(super) fn is_empty(&self) -> bool {
        self.channels.is_empty() && self.unanswered == 0
    }

    pub(super) fn has(&self, channel: &Channel) -> bool {
        self.channels.contains(channel)
    }

    pub(super) fn is_restoring(&self) -> bool {
        self.unanswered > 0
    }
}

impl ShardSink {
    fn drop_channel(&self, channel: &Channel) {
        let mut held = self.held.lock();
        held.channels.remove(channel);
        if held.is_empty() {
            self.stirred.notify_one();
        }
    }

    fn belongs(&self, channel: &Channel) -> bool {
        channel.kind() == ChannelKind::Shard
            && self.map.topology().owner(Slot::of(channel.name())) == Some(&self.address)
    }
}

impl PushSink for ShardSink {
    fn push(&self, push: PushInfo) {
        if push.kind == PushKind::SUnsubscribe {
            let ended = push.data.first().cloned();
            self.inner.push(push);
            if let Some(Value::BulkString(name)) = ended {
                self.drop_channel(&Channel::shard(name));
                // It has another node, or is about to.
                self.map.doubt();
            }
        } else {
            self.inner.push(push);
        }
    }

    fn flush(&self) {
        self.inner.flush();
    }

    fn subscribed(&self, channel: &Channel) {
        self.held.lock().channels.insert(channel.clone());
        self.inner.subscribed(channel);
    }

    fn unsubscribed(&self, channel: &Channel) {
        self.inner.unsubscribed(channel);
        self.drop_channel(channel);
    }

    fn disconnected(&self, last_heard: SystemTime) {
        *self.held.lock() = Held::default();
        self.inner.disconnected(last_heard);
        self.stirred.notify_one();
    }

    fn reconnected(&self, belongs: &dyn Fn(&Channel) -> bool) -> Vec<Channel> {
        let belongs = |channel: &Channel| belongs(channel) && self.belongs(channel);
        let wanted = self.inner.reconnected(&belongs);
        self.held.lock().unanswered = wanted.len();
        if wanted.is_empty() {
            self.stirred.notify_one();
        }
        wanted
    }

    fn restored(&self, channel: &Channel, outcome: Result<()>) {
        let outcome = outcome.map_err(|error| self.explain(error));
        self.inner.restored(channel, outcome);
        let mut held = self.held.lock();
        held.unanswered = held.unanswered.saturating_sub(1);
        if held.unanswered == 0 {
            self.stirred.notify_one();
        }
    }
}

impl ShardSink {
    /// A refusal that is none if another node, or this one later, will do it.
    fn explain(&self, error: Error) -> Error {
        let refusal = std::error::Error::source(&error)
            .and_then(|source| source.downcast_ref::<RedisError>())
            .and_then(|refusal| ServerError::try_from(refusal.clone()).ok());
        if refusal.is_none_or(|refusal| Redirect::of_error(&refusal, &self.address).is_none()) {
            return error;
        }
        self.map.doubt();
        Error::new(ErrorKind::Disconnected, error.message().to_owned()).with_source(error)
    }
}
