//! The sockets of a client that subscribe in a cluster.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::super::socket_target::SocketTarget;
use super::super::supervisor::Supervisor;
use super::super::wire::Wire;
use super::super::{PushSink, SocketId};
use super::shard_subscriber::ShardSubscriber;
use super::{ClusterMap, NodeChoice};
use crate::cluster::{Slot, Topology};
use crate::{Channel, ChannelKind, ClientContext, RedisNode};

/// How long a socket stays that nothing comes by: whoever ends the last subscription often begins another.
const LINGER: Duration = Duration::from_secs(1);

/// How long it has to be known that a channel belongs elsewhere before it is taken from a node that says nothing of it. A
/// node that gives a slot away tells; one that is cut off from the others does not. Meanwhile some of them may know less
/// than others.
const SETTLED: Duration = Duration::from_secs(1);

/// One for plain channels and patterns, to any node, and one to each node that has shard channels for them.
pub(super) struct Subscribers {
    context: Arc<ClientContext>,
    map: Arc<ClusterMap>,
    /// Weak, because it knows this connection; who looks after the sockets has it.
    sink: Weak<dyn PushSink>,
    plain: Arc<Wire>,
    shards: Mutex<HashMap<RedisNode, Arc<ShardSubscriber>>>,
    stirred: Arc<Notify>,
}

impl Subscribers {
    pub(super) fn start(
        context: &Arc<ClientContext>,
        map: &Arc<ClusterMap>,
        sink: Arc<dyn PushSink>,
    ) -> Arc<Self> {
        let plain = Supervisor {
            context: Arc::clone(context),
            target: SocketTarget::Chosen(NodeChoice::new(map)),
            protocol: context.protocol(),
            sink: Some(Arc::clone(&sink)),
            retired: None,
        };
        let this = Arc::new(Self {
            context: Arc::clone(context),
            map: Arc::clone(map),
            sink: Arc::downgrade(&sink),
            plain: plain.start_lazily(),
            shards: Mutex::default(),
            stirred: Arc::default(),
        });
        drop(context.spawn(Arc::clone(&this).look_after(sink)));
        this
    }

    /// The socket by which plain channels and patterns come.
    pub(super) fn plain(&self) -> &Arc<Wire> {
        &self.plain
    }

    /// Does `leave` with the socket of this number. `None` if there is none any more. The socket stays meanwhile.
    pub(super) fn with_socket<T>(
        &self,
        socket: SocketId,
        leave: impl FnOnce(&ShardSubscriber) -> T,
    ) -> Option<T> {
        find(&self.shards.lock(), socket).map(|shard| leave(shard))
    }

    /// The same with that to the node that has `slot`. `None` if no node is known to have it.
    pub(super) fn with_owner<T>(
        &self,
        slot: Slot,
        leave: impl FnOnce(&ShardSubscriber) -> T,
    ) -> Option<T> {
        let mut shards = self.shards.lock();
        let topology = self.map.topology();
        let sink = self.sink.upgrade()?;
        let shard = self.shard_at(&mut shards, topology.owner(slot)?, &*sink)?;
        Some(leave(&shard))
    }

    fn shard_at(
        &self,
        shards: &mut HashMap<RedisNode, Arc<ShardSubscriber>>,
        address: &RedisNode,
        sink: &dyn PushSink,
    ) -> Option<Arc<ShardSubscriber>> {
        if let Some(shard) = shards.get(address) {
            return Some(Arc::clone(shard));
        }
        let Self { context, map, .. } = self;
        let shard = ShardSubscriber::start(context, map, address, sink, &self.stirred)?;
        shards.insert(address.clone(), Arc::clone(&shard));
        Some(shard)
    }

    /// Whether there is no connection at this moment by which `channel` would come; by the socket of this number, if that
    /// is subscribed to it.
    pub(super) fn is_lost(&self, socket: Option<SocketId>, channel: &Channel) -> bool {
        if channel.kind() != ChannelKind::Shard {
            return !self.plain.outbox().is_up();
        }
        let shards = self.shards.lock();
        let shard = match socket {
            Some(id) => find(&shards, id),
            None => {
                let topology = self.map.topology();
                let owner = topology.owner(Slot::of(channel.name()));
                owner.and_then(|owner| shards.get(owner))
            }
        };
        shard.is_none_or(|shard| !shard.wire().outbox().is_up())
    }

    /// Gives up the socket of this number, whose node does not answer.
    pub(super) fn give_up(&self, socket: SocketId) {
        let given_up: Vec<_> = {
            let mut shards = self.shards.lock();
            let those = shards.extract_if(|_, shard| shard.id() == socket);
            those.map(|(_, shard)| shard).collect()
        };
        self.map.doubt();
        for shard in given_up {
            shard.retire(
                &self.context,
                "it did not confirm the end of a channel that another node has",
            );
        }
    }

    /// Whether a node has shard channels for the client.
    pub(super) fn has_shards(&self) -> bool {
        !self.shards.lock().is_empty()
    }

    /// Where requests of all of them are left.
    pub(super) fn wires(&self) -> Vec<Arc<Wire>> {
        let shards = self.shards.lock();
        let wires = shards.values().map(|shard| Arc::clone(shard.wire()));
        wires.chain([Arc::clone(&self.plain)]).collect()
    }

    /// Takes note of what the node at `by` has told of others, which was asked at the time `at`.
    pub(super) fn ascertain(&self, topology: &Topology, by: &RedisNode, at: SystemTime) {
        let Some(sink) = self.sink.upgrade() else {
            return;
        };
        let belongs = |channel: &Channel, socket| {
            let shards = self.shards.lock();
            find(&shards, socket).is_some_and(|shard| {
                let owner = topology.owner(Slot::of(channel.name()));
                shard.address() != by && owner == Some(shard.address())
            })
        };
        sink.ascertained(&belongs, at - SETTLED);
    }

    /// Has shard channels follow their slots, and closes sockets that nothing comes by, for as long as the client is open.
    async fn look_after(self: Arc<Self>, sink: Arc<dyn PushSink>) {
        let mut changes = self.map.changes();
        let mut idle = HashMap::new();
        let mut settled = Instant::now();
        loop {
            let mut looks: Vec<_> = idle.values().map(|since| *since + LINGER).collect();
            if self.is_any_down() {
                // Nothing tells that nobody needs one any more.
                looks.push(Instant::now() + LINGER);
            }
            let looks = looks.into_iter();
            let next = looks
                .chain([settled])
                .filter(|at| *at > Instant::now())
                .min();
            let look = async {
                match next {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = changes.changed() => settled = Instant::now() + SETTLED,
                () = self.stirred.notified() => {}
                () = look => {}
            }
            let topology = self.map.topology();
            let is_settled = settled <= Instant::now();
            let is_doubtful = Cell::new(false);
            let needed = RefCell::new(HashSet::new());
            sink.rearrange(&|channel, at| {
                needed.borrow_mut().insert(Slot::of(channel.name()));
                let is_right = self.is_right(&topology, &*sink, channel, at);
                if is_right || at.is_none() || is_settled {
                    return is_right;
                }
                is_doubtful.set(true);
                true
            });
            if is_doubtful.get() {
                self.map.doubt();
            }
            let needed = needed.into_inner();
            let owners = needed.iter().filter_map(|slot| topology.owner(*slot));
            self.close_idle(&mut idle, &owners.collect());
        }
    }

    fn is_any_down(&self) -> bool {
        let shards = self.shards.lock();
        shards.values().any(|shard| !shard.wire().outbox().is_up())
    }

    /// Whether `channel`, which comes by this socket or by none, is where it belongs or will get there by itself.
    fn is_right(
        &self,
        topology: &Topology,
        sink: &dyn PushSink,
        channel: &Channel,
        at: Option<SocketId>,
    ) -> bool {
        let Some(owner) = topology.owner(Slot::of(channel.name())) else {
            return true;
        };
        let mut shards = self.shards.lock();
        match at {
            // One that is not there any more is being lost.
            Some(id) => find(&shards, id).is_none_or(|shard| shard.address() == owner),
            None => {
                let shard = self.shard_at(&mut shards, owner, sink);
                shard.is_none_or(|shard| shard.will_restore())
            }
        }
    }

    /// `idle` is since when nothing comes by which socket, `owners` are the nodes that something is wanted of.
    fn close_idle(&self, idle: &mut HashMap<SocketId, Instant>, owners: &HashSet<&RedisNode>) {
        let now = Instant::now();
        let mut closed = Vec::new();
        self.shards.lock().retain(|address, shard| {
            // One that has to be connected first gets it then.
            let is_settled = shard.wire().outbox().is_up() || !owners.contains(address);
            if !is_settled || !shard.is_idle() {
                idle.remove(&shard.id());
                return true;
            }
            let since = *idle.entry(shard.id()).or_insert(now);
            let stays = now < since + LINGER;
            if !stays {
                closed.push(Arc::clone(shard));
            }
            stays
        });
        // Not under the lock: it wakes callers.
        for shard in closed {
            idle.remove(&shard.id());
            shard.retire(&self.context, "no channel comes by it any more");
        }
        // Of those that were given up nobody speaks any more.
        let shards = self.shards.lock();
        idle.retain(|id, _| find(&shards, *id).is_some());
    }
}

fn find(
    shards: &HashMap<RedisNode, Arc<ShardSubscriber>>,
    id: SocketId,
) -> Option<&Arc<ShardSubscriber>> {
    shards.values().find(|shard| shard.id() == id)
}
