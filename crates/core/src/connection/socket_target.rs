//! Which server the connections of a socket's owner go to.

use std::sync::Arc;

use super::cluster::{ClusterMap, NodeChoice};
use crate::{Channel, ChannelKind, ClientContext, RedisNode, RedisTopology};

/// Asked at every connect, because the answer may be another one each time.
#[derive(Clone)]
pub(super) enum SocketTarget {
    /// The server of the client's URI, or the master that its sentinels name.
    OfUri,
    /// One node of a cluster.
    Node {
        address: RedisNode,
        map: Arc<ClusterMap>,
    },
    /// Whichever node of a cluster is there.
    AnyNode(Arc<ClusterMap>),
    /// The same, for as long as that belongs to the cluster; another one after each loss.
    Chosen(Arc<NodeChoice>),
}

impl SocketTarget {
    /// For a connection to whatever is behind the client's URI.
    pub(super) fn of(context: &ClientContext) -> Self {
        match context.uri().topology() {
            RedisTopology::Cluster => Self::AnyNode(ClusterMap::of(context.uri())),
            _ => Self::OfUri,
        }
    }

    /// The node at `address` of the cluster that `map` is of.
    pub(super) fn node(address: &RedisNode, map: &Arc<ClusterMap>) -> Self {
        Self::Node {
            address: address.clone(),
            map: Arc::clone(map),
        }
    }

    /// Whether `channel` may come by a connection to there: shard channels come by the node that has their slot alone.
    pub(super) fn may_have(&self, channel: &Channel) -> bool {
        !matches!(self, Self::Chosen(_)) || channel.kind() != ChannelKind::Shard
    }

    /// For messages.
    pub(super) fn address(&self, context: &ClientContext) -> String {
        match self {
            Self::Node { address, .. } => address.to_string(),
            Self::OfUri | Self::AnyNode(_) | Self::Chosen(_) => context.address(),
        }
    }

    /// Has whoever knows a cluster look whether it has changed: a connection to it was lost, or could not be made.
    pub(super) fn doubt(&self) {
        match self {
            Self::OfUri => {}
            Self::Node { map, .. } | Self::AnyNode(map) => map.doubt(),
            Self::Chosen(choice) => choice.map().doubt(),
        }
    }
}
