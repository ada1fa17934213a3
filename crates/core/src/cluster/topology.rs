//! Which node has which slots.

mod reading;

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use crc16::{State, XMODEM};

use super::Slot;
use crate::RedisNode;

/// The slots of a cluster and the nodes that have them, as one node told it. Cheap to clone.
///
/// It may have gaps: slots that no node has.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Topology {
    /// By their slots.
    ranges: Arc<[Range]>,
    /// In the order of the lowest slot that each has.
    masters: Arc<[RedisNode]>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Range {
    first: u16,
    last: u16,
    shard: Arc<Shard>,
}

/// A master and its replicas.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Shard {
    master: RedisNode,
    replicas: Box<[RedisNode]>,
}

impl Topology {
    /// One of these ranges, which are in the order of their slots and do not overlap.
    fn new(ranges: Vec<Range>) -> Self {
        let mut joined: Vec<Range> = Vec::with_capacity(ranges.len());
        for range in ranges {
            match joined.last_mut() {
                Some(before) if before.last + 1 == range.first && before.shard == range.shard => {
                    before.last = range.last;
                }
                _ => joined.push(range),
            }
        }
        let masters = joined.iter().map(|range| &range.shard.master);
        Self {
            masters: each_once(masters).into(),
            ranges: joined.into(),
        }
    }

    /// The node that takes the commands for keys of `slot`. `None` if no node has it.
    pub(crate) fn owner(&self, slot: Slot) -> Option<&RedisNode> {
        self.shard(slot).map(|shard| &shard.master)
    }

    /// The nodes that have a copy of `slot`, if any.
    pub(crate) fn replicas(&self, slot: Slot) -> &[RedisNode] {
        self.shard(slot).map_or(&[], |shard| &shard.replicas)
    }

    /// All nodes that own slots, each once, in the order of the lowest that each has.
    pub(crate) fn masters(&self) -> &[RedisNode] {
        &self.masters
    }

    /// All nodes, each once: the masters, and then the replicas.
    pub(crate) fn nodes(&self) -> Vec<RedisNode> {
        let replicas = self.ranges.iter().flat_map(|range| &range.shard.replicas);
        each_once(self.masters.iter().chain(replicas))
    }

    /// Whether `node` is one of its masters or replicas.
    pub(crate) fn has(&self, node: &RedisNode) -> bool {
        let mut shards = self.ranges.iter().map(|range| &range.shard);
        shards.any(|shard| shard.master == *node || shard.replicas.contains(node))
    }

    /// Whether `node` has a slot here that another one has in `known`.
    pub(crate) fn takes(&self, node: &RedisNode, known: &Self) -> bool {
        let its = self
            .ranges
            .iter()
            .filter(|range| range.shard.master == *node);
        let slots = its.flat_map(|range| range.first..=range.last);
        let mut owners = slots.filter_map(|slot| known.owner(Slot::new(slot)?));
        owners.any(|owner| owner != node)
    }

    /// Whether every slot has a node.
    pub(crate) fn is_complete(&self) -> bool {
        let slots = self.ranges.iter().map(|range| range.last - range.first + 1);
        slots.sum::<u16>() == Slot::COUNT
    }

    /// The same, but for `slot`, which `to` has now. The rest is as old as before.
    pub(crate) fn with_moved(&self, slot: Slot, to: &RedisNode) -> Self {
        if self.owner(slot) == Some(to) {
            return self.clone();
        }
        let slot = slot.number();
        let mut ranges = Vec::with_capacity(self.ranges.len() + 2);
        let mut add = |first, last, shard: &Arc<Shard>| {
            if first <= last {
                let shard = Arc::clone(shard);
                ranges.push(Range { first, last, shard });
            }
        };
        let shard = self.shard_of(to);
        let at = self.ranges.partition_point(|range| range.last < slot);
        let (before, from) = self.ranges.split_at(at);
        before
            .iter()
            .for_each(|it| add(it.first, it.last, &it.shard));
        let split = from.first().filter(|range| range.first <= slot);
        if let Some(range) = split
            && let Some(last) = slot.checked_sub(1)
        {
            add(range.first, last, &range.shard);
        }
        add(slot, slot, &shard);
        if let Some(range) = split {
            add(slot + 1, range.last, &range.shard);
        }
        let behind = from.iter().skip(usize::from(split.is_some()));
        behind.for_each(|it| add(it.first, it.last, &it.shard));
        Self::new(ranges)
    }

    /// A number that is another, most likely, if another master has a slot.
    pub(super) fn seal(&self) -> u16 {
        let mut crc = State::<XMODEM>::new();
        for range in self.ranges.iter() {
            let master = &range.shard.master;
            for number in [range.first, range.last, master.port()] {
                crc.update(&number.to_be_bytes());
            }
            crc.update(master.host().as_bytes());
        }
        crc.get()
    }

    fn shard(&self, slot: Slot) -> Option<&Shard> {
        let at = self
            .ranges
            .partition_point(|range| range.last < slot.number());
        let range = self.ranges.get(at)?;
        (range.first <= slot.number()).then_some(&range.shard)
    }

    /// That of `master`, or one of it alone: who its replicas are is not known then.
    fn shard_of(&self, master: &RedisNode) -> Arc<Shard> {
        let mut shards = self.ranges.iter().map(|range| &range.shard);
        let known = shards.find(|shard| shard.master == *master).cloned();
        known.unwrap_or_else(|| {
            Arc::new(Shard {
                master: master.clone(),
                replicas: Box::default(),
            })
        })
    }
}

fn each_once<'a>(nodes: impl Iterator<Item = &'a RedisNode>) -> Vec<RedisNode> {
    let mut seen = HashSet::new();
    nodes.filter(|node| seen.insert(*node)).cloned().collect()
}

impl fmt::Debug for Topology {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ranges = self.ranges.iter().map(|range| {
            let slots = format!("{}-{}", range.first, range.last);
            let nodes = std::iter::once(&range.shard.master).chain(&range.shard.replicas);
            (slots, nodes.map(ToString::to_string).collect::<Vec<_>>())
        });
        f.debug_map().entries(ranges).finish()
    }
}

#[cfg(test)]
mod tests;
