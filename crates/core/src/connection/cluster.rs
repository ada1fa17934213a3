//! The connection to a cluster: one socket a node, and who knows which node has what.

mod batch;
mod call;
mod looking;
mod map;
mod node;
mod node_choice;
mod nodes;
mod opening;
mod pace;
mod part;
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
use super::endpoint::Endpoint;
use super::exclusive::ExclusiveConnection;
use super::following::{Following, Moved};
use super::socket_target::SocketTarget;
use super::wire::Wire;
use crate::namespace::CommandTable;
use crate::{ClientContext, RedisNode, Result, Waiting};
use node::time_to_answer;
use nodes::Nodes;
use part::Part;
use subscribers::Subscribers;

pub(super) use call::Caller;
pub(super) use map::ClusterMap;
pub use map::FrequentLooks;
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

    /// Whether somebody waits for a node, or has shard channels that come from one.
    fn expects_something(&self) -> bool {
        let subscribers = self.0.subscribers.as_ref();
        let has_shards = subscribers.is_some_and(|it| it.has_shards());
        let is_waited_for = self.map().is_waited_for();
        has_shards || is_waited_for || self.wires().iter().any(|wire| wire.outbox().is_in_use())
    }

    /// When the node at `node` is to be left by who needs it for the calls of the client that `context` describes.
    pub(super) fn loss_of(
        &self,
        node: &RedisNode,
        context: &ClientContext,
    ) -> impl Future<Output = Moved> + Send + use<> {
        let part = Part::for_calls(context.options());
        part.loss(node.clone(), self.map(), time_to_answer(context))
    }

    /// Opens a connection to the node at `node` for one caller of the client that `context` describes.
    pub(super) async fn open_exclusive(
        &self,
        context: &Arc<ClientContext>,
        node: &RedisNode,
    ) -> Result<ExclusiveConnection> {
        let target = SocketTarget::node(node, self.map());
        let following = Following::until(Endpoint::from(node), self.loss_of(node, context));
        ExclusiveConnection::open_following(context, target, following).await
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
