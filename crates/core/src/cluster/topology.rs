//! Which node has which slots.

use redis::Value;

use super::{NodeAddress, Slot};
use crate::{Error, ErrorKind, Result};

/// What a node has told of its cluster, and what others have corrected since.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Topology {
    /// In the order of their slots, without overlaps.
    ranges: Vec<Range>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Range {
    first: Slot,
    last: Slot,
    master: NodeAddress,
    replicas: Vec<NodeAddress>,
}

impl Topology {
    /// Reads what the node at `asked` replied to CLUSTER SLOTS; see <https://redis.io/docs/latest/commands/cluster-slots/>.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Protocol`] if it is no such reply.
    pub(crate) fn read(reply: &Value, asked: &NodeAddress) -> Result<Self> {
        let Value::Array(entries) = reply else {
            return Err(unreadable("it is no array"));
        };
        let mut ranges = Vec::with_capacity(entries.len());
        for entry in entries {
            ranges.extend(Range::read(entry, asked)?);
        }
        ranges.sort_by_key(|range: &Range| range.first);
        Ok(Self { ranges })
    }

    /// The master that has `slot`, if one is known.
    pub(crate) fn owner(&self, slot: Slot) -> Option<&NodeAddress> {
        self.range(slot).map(|range| &range.master)
    }

    /// The replicas of the master that has `slot`.
    pub(crate) fn replicas(&self, slot: Slot) -> &[NodeAddress] {
        self.range(slot).map_or(&[], |range| &range.replicas)
    }

    fn range(&self, slot: Slot) -> Option<&Range> {
        let next = self.ranges.partition_point(|range| range.first <= slot);
        let range = self.ranges.get(next.checked_sub(1)?)?;
        (slot <= range.last).then_some(range)
    }

    /// Every node that has slots, in the order of its first one.
    pub(crate) fn masters(&self) -> impl Iterator<Item = &NodeAddress> {
        self.ranges.iter().enumerate().filter_map(|(index, range)| {
            let before = &self.ranges[..index];
            let is_first = before.iter().all(|other| other.master != range.master);
            is_first.then_some(&range.master)
        })
    }

    /// Every master and every replica, some of them more than once.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = &NodeAddress> {
        self.ranges
            .iter()
            .flat_map(|range| std::iter::once(&range.master).chain(&range.replicas))
    }

    /// The same, except that `slot` is with the master at `to`.
    pub(crate) fn with_moved(&self, slot: Slot, to: NodeAddress) -> Self {
        let mut ranges = Vec::with_capacity(self.ranges.len() + 2);
        for range in &self.ranges {
            if slot < range.first || slot > range.last {
                ranges.push(range.clone());
                continue;
            }
            if let Some(last) = slot.before().filter(|last| *last >= range.first) {
                ranges.push(Range {
                    last,
                    ..range.clone()
                });
            }
            if let Some(first) = slot.after().filter(|first| *first <= range.last) {
                ranges.push(Range {
                    first,
                    ..range.clone()
                });
            }
        }
        let known = self.ranges.iter().find(|range| range.master == to);
        ranges.push(Range {
            first: slot,
            last: slot,
            replicas: known.map(|range| range.replicas.clone()).unwrap_or_default(),
            master: to,
        });
        ranges.sort_by_key(|range| range.first);
        Self { ranges }
    }
}

impl Range {
    /// `None` if nobody knows where its master is.
    fn read(entry: &Value, asked: &NodeAddress) -> Result<Option<Self>> {
        let Value::Array(fields) = entry else {
            return Err(unreadable("an entry is no array"));
        };
        let [first, last, nodes @ ..] = fields.as_slice() else {
            return Err(unreadable("an entry has no slots"));
        };
        let (first, last) = (read_slot(first)?, read_slot(last)?);
        if first > last {
            return Err(unreadable("the slots of an entry go backwards"));
        }
        let [master, replicas @ ..] = nodes else {
            return Err(unreadable("an entry has no node"));
        };
        let Some(master) = read_node(master, asked)? else {
            return Ok(None);
        };
        let mut known = Vec::with_capacity(replicas.len());
        for replica in replicas {
            known.extend(read_node(replica, asked)?);
        }
        Ok(Some(Self {
            first,
            last,
            master,
            replicas: known,
        }))
    }
}

fn read_slot(value: &Value) -> Result<Slot> {
    let number = match value {
        Value::Int(number) => u16::try_from(*number).ok(),
        _ => None,
    };
    let slot = number.and_then(Slot::new);
    slot.ok_or_else(|| unreadable("an entry has no slots"))
}

/// `None` if the node that was asked does not know where it is.
fn read_node(value: &Value, asked: &NodeAddress) -> Result<Option<NodeAddress>> {
    let Value::Array(fields) = value else {
        return Err(unreadable("a node is no array"));
    };
    let [host, Value::Int(port), ..] = fields.as_slice() else {
        return Err(unreadable("a node has no port"));
    };
    let Some(port) = u16::try_from(*port).ok().filter(|port| *port != 0) else {
        return Ok(None);
    };
    let host = match host {
        Value::Nil => "",
        Value::BulkString(host) => {
            std::str::from_utf8(host).map_err(|_| unreadable("a host is no text"))?
        }
        Value::SimpleString(host) => host,
        _ => return Err(unreadable("a host is no text")),
    };
    Ok(match host {
        "?" => None,
        // Whoever is asked knows itself best by the name that was used.
        "" => Some(NodeAddress::new(asked.host(), port)),
        host => Some(NodeAddress::new(host, port)),
    })
}

fn unreadable(what: &str) -> Error {
    let message = format!("the reply to CLUSTER SLOTS cannot be read: {what}");
    Error::new(ErrorKind::Protocol, message)
}
