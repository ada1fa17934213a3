//! The nodes that a client has to do with.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::ClusterMap;
use super::node::Node;
use super::part::Part;
use crate::cluster::{Slot, Target, Topology};
use crate::{ClientContext, ReadFrom, RedisNode};

/// What is known of a node's socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Standing {
    Up,
    Untried,
    Down,
}

pub(super) struct Nodes {
    context: Arc<ClientContext>,
    map: Arc<ClusterMap>,
    nodes: Mutex<HashMap<RedisNode, Arc<Node>>>,
}

impl Nodes {
    pub(super) fn new(context: &Arc<ClientContext>, map: &Arc<ClusterMap>) -> Self {
        Self {
            context: Arc::clone(context),
            map: Arc::clone(map),
            nodes: Mutex::default(),
        }
    }

    /// The one at `address`.
    pub(super) fn at(&self, address: &RedisNode) -> Arc<Node> {
        let mut nodes = self.nodes.lock();
        if let Some(node) = nodes.get(address) {
            return Arc::clone(node);
        }
        let node = Node::start(&self.context, &self.map, address);
        nodes.insert(address.clone(), Arc::clone(&node));
        node
    }

    /// The one for `target`; `None` if no node is known for it.
    pub(super) fn choose(&self, target: &Target, topology: &Topology) -> Option<Arc<Node>> {
        Some(self.at(self.address(target, topology)?))
    }

    /// Where that one is.
    pub(super) fn address<'a>(
        &self,
        target: &'a Target,
        topology: &'a Topology,
    ) -> Option<&'a RedisNode> {
        match target {
            Target::Slot { slot, reads } => {
                let replica = reads.then(|| self.replica(*slot, topology)).flatten();
                replica.or_else(|| topology.owner(*slot))
            }
            Target::AnyNode => self.any(topology),
            Target::Node(address) => Some(address),
        }
    }

    /// One that is connected to, another one each time. The others are being connected to from now on: who reads from a replica
    /// need not wait for it, because the master has the same.
    fn replica<'a>(&self, slot: Slot, topology: &'a Topology) -> Option<&'a RedisNode> {
        if self.context.options().read_from() != ReadFrom::ReplicaPreferred {
            return None;
        }
        let replicas = topology.replicas(slot);
        let first = fastrand::usize(..replicas.len().max(1));
        let mut others = (0..replicas.len()).map(|step| &replicas[(first + step) % replicas.len()]);
        others.find(|address| {
            let mut nodes = self.nodes.lock();
            let node = nodes
                .entry((*address).clone())
                .or_insert_with(|| Node::start_at_once(&self.context, &self.map, address));
            node.wire().outbox().is_up()
        })
    }

    fn is_down(&self, address: &RedisNode) -> bool {
        let nodes = self.nodes.lock();
        nodes
            .get(address)
            .is_some_and(|node| node.wire().outbox().is_down())
    }

    /// The same one for a client as long as it is there, and another one for another client.
    fn any<'a>(&self, topology: &'a Topology) -> Option<&'a RedisNode> {
        let masters = topology.masters();
        let first = usize::try_from(self.context.client_id().number()).unwrap_or_default();
        let mut others = (0..masters.len()).map(|step| &masters[(first + step) % masters.len()]);
        let there = others.clone().find(|address| !self.is_down(address));
        there.or_else(|| others.next())
    }

    /// The one at `address`, if there is a connection.
    pub(super) fn connected_at(&self, address: &RedisNode) -> Option<Arc<Node>> {
        let nodes = self.nodes.lock();
        let node = nodes.get(address)?;
        node.wire().outbox().is_up().then(|| Arc::clone(node))
    }

    pub(super) fn is_any_down(&self) -> bool {
        let nodes = self.nodes.lock();
        nodes.values().any(|node| node.wire().outbox().is_down())
    }

    /// How likely the one at `address` is to answer; the least is the likeliest.
    pub(super) fn standing(&self, address: &RedisNode) -> Standing {
        let nodes = self.nodes.lock();
        match nodes.get(address).map(|node| node.wire().outbox()) {
            Some(outbox) if outbox.is_up() => Standing::Up,
            Some(outbox) if outbox.is_down() => Standing::Down,
            Some(_) | None => Standing::Untried,
        }
    }

    /// All of them.
    pub(super) fn all(&self) -> Vec<Arc<Node>> {
        self.nodes.lock().values().cloned().collect()
    }

    /// Has those leave that `topology` has no need of.
    pub(super) fn keep_to(&self, topology: &Topology) {
        let mut leaving = Vec::new();
        let part = Part::for_calls(self.context.options());
        self.nodes.lock().retain(|address, node| {
            let is_needed = part.is_had_by(address, topology);
            if !is_needed {
                leaving.push(Arc::clone(node));
            }
            is_needed
        });
        // Not under the lock: it wakes callers.
        for node in leaving {
            let reason = part.lost_by(node.address());
            node.leave(&self.context, reason);
        }
    }
}
