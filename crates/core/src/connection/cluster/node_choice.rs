//! A socket that may be to any node of a cluster, as long as it is to one.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::super::endpoint::Endpoint;
use super::super::following::Following;
use super::ClusterMap;
use super::part::Part;
use crate::RedisNode;

/// Chooses the node for each of its connections: plain channels come by every one.
pub(in super::super) struct NodeChoice {
    map: Arc<ClusterMap>,
    /// That of the connection before, or of a try to make one.
    last: Mutex<Option<RedisNode>>,
}

impl NodeChoice {
    pub(super) fn new(map: &Arc<ClusterMap>) -> Arc<Self> {
        Arc::new(Self {
            map: Arc::clone(map),
            last: Mutex::default(),
        })
    }

    pub(in super::super) fn map(&self) -> &ClusterMap {
        &self.map
    }

    /// Another node than the one before, if there is any.
    pub(in super::super) fn choose(&self) -> Option<RedisNode> {
        let topology = self.map.topology();
        let known = match topology.masters() {
            [] => self.map.seeds(),
            masters => masters,
        };
        let mut last = self.last.lock();
        let others: Vec<_> = known
            .iter()
            .filter(|node| Some(*node) != last.as_ref())
            .collect();
        let chosen = fastrand::choice(others).or(known.first());
        *last = chosen.cloned();
        chosen.cloned()
    }

    /// Ends a connection to the node at `address` when the cluster has it no more: it hears nothing then, and may be there
    /// all the same.
    pub(in super::super) fn follow(&self, address: RedisNode) -> Following {
        let endpoint = Endpoint::from(&address);
        let loss = Part::MasterOrReplica.loss(address, &self.map, Duration::ZERO);
        Following::until(endpoint, loss)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_node_is_chosen_each_time() {
        let uri = "redis-cluster://a:1,b:2".parse().unwrap();
        let choice = NodeChoice::new(&ClusterMap::of(&uri));
        let mut before = choice.choose();
        for _ in 0..10 {
            let next = choice.choose();
            assert_ne!(next, before);
            before = next;
        }
    }

    #[test]
    fn the_only_node_is_chosen_again() {
        let uri = "redis-cluster://a:1".parse().unwrap();
        let choice = NodeChoice::new(&ClusterMap::of(&uri));
        assert!(choice.choose().is_some());
        assert_eq!(choice.choose(), Some(RedisNode::at("a", 1)));
    }
}
