//! One node of a cluster.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::super::retirement::Retirement;
use super::super::socket_target::SocketTarget;
use super::super::supervisor::Supervisor;
use super::super::wire::Wire;
use super::ClusterMap;
use crate::{ClientContext, ErrorKind, RedisNode};

/// How often it is looked whether what was sent is answered.
const GLANCE: Duration = Duration::from_millis(50);

/// How long a node that leaves has to answer. One that another has taken over from may be silent for ever.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// How long one that leaves has to answer a client that `context` describes.
pub(super) fn time_to_answer(context: &ClientContext) -> Duration {
    LAST_ANSWERS.min(context.command_timeout())
}

/// The socket to one node. It is connected once there is a request, or from the beginning, and until the cluster needs the
/// node no more.
pub(super) struct Node {
    address: RedisNode,
    wire: Arc<Wire>,
    retired: Retirement,
    /// No request is left here any more.
    is_leaving: AtomicBool,
}

impl Node {
    pub(super) fn start(
        context: &Arc<ClientContext>,
        map: &Arc<ClusterMap>,
        address: &RedisNode,
    ) -> Arc<Self> {
        Self::start_by(context, map, address, Supervisor::start_lazily)
    }

    /// One that is connected from the beginning.
    pub(super) fn start_at_once(
        context: &Arc<ClientContext>,
        map: &Arc<ClusterMap>,
        address: &RedisNode,
    ) -> Arc<Self> {
        Self::start_by(context, map, address, Supervisor::start_restoring)
    }

    fn start_by(
        context: &Arc<ClientContext>,
        map: &Arc<ClusterMap>,
        address: &RedisNode,
        start: fn(Supervisor) -> Arc<Wire>,
    ) -> Arc<Self> {
        let retired = Retirement::default();
        let supervisor = Supervisor {
            context: Arc::clone(context),
            target: SocketTarget::node(address, map),
            protocol: context.protocol(),
            sink: None,
            retired: Some(retired.clone()),
        };
        Arc::new(Self {
            address: address.clone(),
            wire: start(supervisor),
            retired,
            is_leaving: AtomicBool::new(false),
        })
    }

    pub(super) fn address(&self) -> &RedisNode {
        &self.address
    }

    pub(super) fn wire(&self) -> &Arc<Wire> {
        &self.wire
    }

    /// Whether it has gone from the cluster, or has no slots there any more.
    pub(super) fn is_leaving(&self) -> bool {
        self.is_leaving.load(Ordering::Acquire)
    }

    /// Takes nothing any more, for `reason`. What was not sent fails, for its callers to go elsewhere; what was sent is
    /// answered soon, or nobody knows what became of it.
    pub(super) fn leave(self: &Arc<Self>, context: &Arc<ClientContext>, reason: String) {
        self.is_leaving.store(true, Ordering::Release);
        let outbox = self.wire.outbox();
        let is_up = outbox.is_up();
        outbox.end(&context.error(ErrorKind::Disconnected, &*reason));
        if !is_up || !outbox.is_in_use() {
            self.retired.begin(reason);
            return;
        }
        let (node, until) = (Arc::clone(self), time_to_answer(context));
        drop(context.spawn(async move {
            let began = Instant::now();
            while node.wire.outbox().is_in_use() && began.elapsed() < until {
                tokio::time::sleep(GLANCE).await;
            }
            node.retired.begin(reason);
        }));
    }
}
