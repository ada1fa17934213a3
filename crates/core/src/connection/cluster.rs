//! The connection to a cluster: one socket a node, and who knows which node has what.

mod batch;
mod call;
mod looking;
mod map;
mod node;
mod node_choice;
mod nodes;
mod opening;
mod pipeline;
mod request;
mod seeking;
mod shard_sink;
mod shard_subscriber;
mod subscribers;
mod subscribing;
mod tries;

use std::sync::{Arc, OnceLock};

use redis::ProtocolVersion;

use super::PushSink;
use super::wire::Wire;
use crate::namespace::CommandTable;
use crate::{ClientContext, Waiting};
use nodes::Nodes;
use subscribers::Subscribers;

pub(super) use call::Caller;
pub(super) use map::ClusterMap;
pub(super) use node_choice::NodeChoice;
pub(super) use seeking::Seeking;
pub(super) use subscribing::Placed;

/// The nodes of a cluster, for one client.
#[derive(Clone)]
pub(super) struct Cluster(Arc<Inner>);

struct Inner {
    context: Arc<ClientContext>,
    map: Arc<ClusterMap>,
    nodes: Nodes,
    /// What the servers say of their commands, of which the place of the keys is needed.
    table: OnceLock<Arc<CommandTable>>,
    /// `None` if the client does not listen.
    subscribers: Option<Arc<Subscribers>>,
}

impl Cluster {
    fn new(context: &Arc<ClientContext>, sink: Option<Arc<dyn PushSink>>) -> Self {
        let map = ClusterMap::of(context.uri());
        let subscribers = sink.map(|sink| Subscribers::start(context, &map, sink));
        Self(Arc::new(Inner {
            context: Arc::clone(context),
            nodes: Nodes::new(context, &map),
            map,
            table: OnceLock::new(),
            subscribers,
        }))
    }

    pub(super) fn map(&self) -> &Arc<ClusterMap> {
        &self.0.map
    }

    fn context(&self) -> &Arc<ClientContext> {
        &self.0.context
    }

    /// The protocol that is spoken, as far as there is a socket.
    pub(super) fn protocol(&self) -> Option<ProtocolVersion> {
        let nodes = self.0.nodes.all();
        nodes
            .iter()
            .find_map(|node| node.wire().outbox().protocol())
    }

    /// Whether one of its sockets takes no request any more, and is not to be made anew.
    pub(super) fn has_ended(&self) -> bool {
        let nodes = self.0.nodes.all();
        let mut ended = nodes.iter().filter(|node| node.wire().outbox().has_ended());
        ended.any(|node| !node.is_leaving())
    }

    /// Whether a node has a request, or shard channels to send from.
    fn expects_something(&self) -> bool {
        let subscribers = self.0.subscribers.as_ref();
        let has_shards = subscribers.is_some_and(|it| it.has_shards());
        has_shards || self.wires().iter().any(|wire| wire.outbox().is_in_use())
    }

    /// What waits to be sent, to all nodes.
    pub(super) fn waiting(&self) -> Waiting {
        let mut waiting = Waiting::default();
        for wire in self.wires() {
            waiting.add(wire.outbox().waiting());
        }
        waiting
    }

    /// Fails the requests of clients that were closed and wait no more.
    pub(super) async fn cut(&self) {
        for wire in self.wires() {
            wire.cut().await;
        }
    }

    fn wires(&self) -> Vec<Arc<Wire>> {
        let nodes = self.0.nodes.all();
        let mut wires: Vec<_> = nodes.iter().map(|node| Arc::clone(node.wire())).collect();
        wires.extend(self.0.subscribers.iter().flat_map(|it| it.wires()));
        wires
    }
}
