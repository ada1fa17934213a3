//! What a node has to do in its cluster, and when it has nothing to do there any more.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::super::following::Moved;
use super::ClusterMap;
use crate::cluster::Topology;
use crate::{ClientOptions, ReadFrom, RedisNode};

/// What a node has to be for a connection to be of use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// A master that has slots.
    Master,
    /// That, or a replica of one.
    MasterOrReplica,
}

impl Part {
    /// For the calls of a client with `options`.
    pub(super) fn for_calls(options: &ClientOptions) -> Self {
        match options.read_from() {
            ReadFrom::ReplicaPreferred => Self::MasterOrReplica,
            _ => Self::Master,
        }
    }

    pub(super) fn is_had_by(self, address: &RedisNode, topology: &Topology) -> bool {
        match self {
            Self::Master => topology.masters().contains(address),
            Self::MasterOrReplica => topology.has(address),
        }
    }

    /// Why the node at `address`, which has not this part any more, is left.
    pub(super) fn lost_by(self, address: &RedisNode) -> String {
        match self {
            Self::Master => format!("{address} is no master of the cluster any more"),
            Self::MasterOrReplica => format!("{address} has no part in the cluster any more"),
        }
    }

    /// Completes, with the reason to leave it, when the node at `address` has lost this part and not got it back for as
    /// long as `patience`. One that never had it does not lose it: a node of the URI may have another name among the others,
    /// and one that is about to get its first slot has none.
    pub(super) fn loss(
        self,
        address: RedisNode,
        map: &ClusterMap,
        patience: Duration,
    ) -> impl Future<Output = Moved> + Send + use<> {
        let mut changes = map.changes();
        let mut had = self.is_had_by(&address, &changes.borrow());
        async move {
            loop {
                let has = self.is_had_by(&address, &changes.borrow_and_update());
                if had && !has {
                    let since = Instant::now();
                    let back = changes.wait_for(|topology| self.is_had_by(&address, topology));
                    let is_back = timeout(patience, back).await.is_ok_and(|back| back.is_ok());
                    if !is_back {
                        let reason = self.lost_by(&address);
                        return Moved { reason, since };
                    }
                    continue;
                }
                had |= has;
                if changes.changed().await.is_err() {
                    // Nobody looks any more.
                    std::future::pending::<()>().await;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::{Context, Waker};

    use super::*;

    const LONG: Duration = Duration::from_secs(3_600);
    const PATIENCE: Duration = Duration::from_secs(20);

    fn node(port: u16) -> RedisNode {
        RedisNode::at("a", port)
    }

    /// Of one shard.
    fn topology(master: u16, replica: u16) -> Topology {
        let line =
            format!("*1\r\n*4\r\n:0\r\n:9\r\n*2\r\n+a\r\n:{master}\r\n*2\r\n+a\r\n:{replica}\r\n");
        let reply = redis::parse_redis_value(line.as_bytes()).unwrap();
        Topology::read(&reply, &node(1)).unwrap()
    }

    fn map() -> std::sync::Arc<ClusterMap> {
        ClusterMap::of(&"redis-cluster://a:1".parse().unwrap())
    }

    fn is_pending(loss: &mut Pin<Box<impl Future<Output = Moved>>>) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        loss.as_mut().poll(&mut context).is_pending()
    }

    async fn reason(loss: Pin<Box<impl Future<Output = Moved>>>) -> String {
        timeout(PATIENCE, loss).await.unwrap().reason
    }

    #[tokio::test]
    async fn a_master_that_becomes_a_replica_has_lost_its_part_unless_that_is_read_from() {
        let map = map();
        map.set(topology(1, 2));
        let parts = [Part::Master, Part::MasterOrReplica];
        let [mut master, mut either] =
            parts.map(|it| Box::pin(it.loss(node(1), &map, Duration::ZERO)));
        assert!(is_pending(&mut master) && is_pending(&mut either));
        map.set(topology(2, 1));
        let expected = "a:1 is no master of the cluster any more";
        assert_eq!(reason(master).await, expected);
        assert!(is_pending(&mut either));
        map.set(topology(2, 3));
        let expected = "a:1 has no part in the cluster any more";
        assert_eq!(reason(either).await, expected);
    }

    #[tokio::test]
    async fn what_was_never_had_is_not_lost() {
        let map = map();
        let mut loss = Box::pin(Part::Master.loss(node(3), &map, Duration::ZERO));
        for (master, replica) in [(1, 2), (2, 1)] {
            map.set(topology(master, replica));
            assert!(is_pending(&mut loss));
        }
        map.set(topology(3, 1));
        assert!(is_pending(&mut loss));
        map.set(topology(1, 3));
        reason(loss).await;
    }

    #[tokio::test]
    async fn what_is_got_back_in_time_is_not_lost() {
        let map = map();
        map.set(topology(1, 2));
        let mut loss = Box::pin(Part::Master.loss(node(1), &map, LONG));
        for _ in 0..2 {
            map.set(topology(2, 1));
            assert!(is_pending(&mut loss));
            map.set(topology(1, 2));
            assert!(is_pending(&mut loss));
        }
    }
}
