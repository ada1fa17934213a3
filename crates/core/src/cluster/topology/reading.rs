//! The reply to CLUSTER SLOTS, as a topology.

use std::collections::HashSet;
use std::sync::Arc;

use redis::Value;

use super::{Range, Shard, Topology};
use crate::cluster::Slot;
use crate::cluster::naming::named;
use crate::{Error, ErrorKind, RedisNode, Result};

impl Topology {
    /// Reads what `asked` replied to CLUSTER SLOTS; see <https://redis.io/docs/latest/commands/cluster-slots/>.
    ///
    /// A node whose address it does not know is left out, and with a master its slots.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Protocol`] if it is an error or of another form.
    pub(crate) fn read(reply: &Value, asked: &RedisNode) -> Result<Self> {
        let entries = match reply {
            Value::Array(entries) => entries,
            Value::ServerError(error) => {
                let error = redis::RedisError::from(error.clone());
                let answer = format!("{asked} answered CLUSTER SLOTS with an error: {error}");
                return Err(Error::new(ErrorKind::Protocol, answer).with_source(error));
            }
            _ => return Err(wrong(asked, "it is no array")),
        };
        let ranges = entries.iter().map(|entry| read_range(entry, asked));
        let ranges: Vec<_> = ranges
            .collect::<Result<_, _>>()
            .map_err(|what| wrong(asked, what))?;
        let mut ranges: Vec<Range> = ranges.into_iter().flatten().collect();
        ranges.sort_by_key(|range| range.first);
        let overlap = |pair: &[Range]| match pair {
            [before, behind] => before.last >= behind.first,
            _ => false,
        };
        if ranges.windows(2).any(overlap) {
            return Err(wrong(asked, "a slot is in it twice"));
        }
        // The same nodes again take no room.
        let mut shards = HashSet::new();
        for range in &mut ranges {
            match shards.get(&range.shard) {
                Some(same) => range.shard = Arc::clone(same),
                None => drop(shards.insert(Arc::clone(&range.shard))),
            }
        }
        Ok(Self::new(ranges))
    }
}

fn wrong(asked: &RedisNode, what: &str) -> Error {
    let message = format!("the reply of {asked} to CLUSTER SLOTS cannot be read: {what}");
    Error::new(ErrorKind::Protocol, message)
}

/// `None` if nobody knows where its master is.
fn read_range(entry: &Value, asked: &RedisNode) -> Result<Option<Range>, &'static str> {
    let Value::Array(entry) = entry else {
        return Err("an entry is no array");
    };
    let [first, last, master, replicas @ ..] = entry.as_slice() else {
        return Err("an entry has no slots or no node");
    };
    let (first, last) = (slot(first)?, slot(last)?);
    if first > last {
        return Err("a range ends before it begins");
    }
    let master = read_node(master, asked)?;
    let replicas = replicas.iter().map(|node| read_node(node, asked));
    let replicas: Vec<_> = replicas.collect::<Result<_, _>>()?;
    Ok(master.map(|master| Range {
        first,
        last,
        shard: Arc::new(Shard {
            master,
            replicas: replicas.into_iter().flatten().collect(),
        }),
    }))
}

fn slot(number: &Value) -> Result<u16, &'static str> {
    let slot = match number {
        Value::Int(number) => u16::try_from(*number).ok().and_then(Slot::new),
        _ => None,
    };
    slot.map(Slot::number).ok_or("there is no such slot")
}

fn read_node(node: &Value, asked: &RedisNode) -> Result<Option<RedisNode>, &'static str> {
    let Value::Array(node) = node else {
        return Err("a node is no array");
    };
    let [host, port, ..] = node.as_slice() else {
        return Err("a node has no host or no port");
    };
    let host = match host {
        // It knows none, and so is to be reached where it was asked.
        Value::Nil => "",
        Value::BulkString(host) => std::str::from_utf8(host).map_err(|_| "a host is no text")?,
        Value::SimpleString(host) => host,
        _ => return Err("a host is no text"),
    };
    let port = match port {
        Value::Int(port) => u16::try_from(*port).map_err(|_| "there is no such port")?,
        _ => return Err("a port is no number"),
    };
    Ok(named(host, port, asked))
}
