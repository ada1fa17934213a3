//! The socket by which the shard channels of one node come.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::super::retirement::Retirement;
use super::super::socket_target::SocketTarget;
use super::super::supervisor::Supervisor;
use super::super::wire::Wire;
use super::super::{PushSink, SocketId};
use super::ClusterMap;
use super::shard_sink::{Held, ShardSink};
use crate::{Channel, ClientContext, ErrorKind, RedisNode};

/// It is connected from the beginning, and begins with what is wanted of it then.
pub(super) struct ShardSubscriber {
    id: SocketId,
    address: RedisNode,
    wire: Arc<Wire>,
    held: Arc<Mutex<Held>>,
    retired: Retirement,
}

impl ShardSubscriber {
    /// `sink` is that of the connection. `None` if it takes what comes by one socket only. `stirred` is told when there may
    /// be something to be done about the socket.
    pub(super) fn start(
        context: &Arc<ClientContext>,
        map: &Arc<ClusterMap>,
        address: &RedisNode,
        sink: &dyn PushSink,
        stirred: &Arc<Notify>,
    ) -> Option<Arc<Self>> {
        let id = SocketId::next();
        let held = Arc::default();
        let sink = ShardSink {
            inner: sink.for_socket(id)?,
            address: address.clone(),
            map: Arc::clone(map),
            held: Arc::clone(&held),
            stirred: Arc::clone(stirred),
        };
        let retired = Retirement::default();
        let supervisor = Supervisor {
            context: Arc::clone(context),
            target: SocketTarget::node(address, map),
            protocol: context.protocol(),
            sink: Some(Arc::new(sink)),
            retired: Some(retired.clone()),
        };
        Some(Arc::new(Self {
            id,
            address: address.clone(),
            wire: supervisor.start_restoring(),
            held,
            retired,
        }))
    }

    pub(super) fn id(&self) -> SocketId {
        self.id
    }

    pub(super) fn address(&self) -> &RedisNode {
        &self.address
    }

    pub(super) fn wire(&self) -> &Arc<Wire> {
        &self.wire
    }

    /// Whether the next thing that it does is to subscribe to whatever belongs there.
    pub(super) fn will_restore(&self) -> bool {
        !self.wire.outbox().is_up() || self.held.lock().is_restoring()
    }

    /// Whether `channel` comes by it.
    pub(super) fn has(&self, channel: &Channel) -> bool {
        self.held.lock().has(channel)
    }

    /// Whether nothing comes by it, and nothing is on its way.
    pub(super) fn is_idle(&self) -> bool {
        self.held.lock().is_empty() && !self.wire.outbox().is_in_use()
    }

    /// Ends it, for `reason`. Whatever it is subscribed to is lost.
    pub(super) fn retire(&self, context: &ClientContext, reason: &str) {
        let message = format!("{}: {reason}", self.address);
        let cause = context.error(ErrorKind::Disconnected, message);
        self.wire.outbox().end(&cause);
        self.retired.begin(reason);
    }
}
