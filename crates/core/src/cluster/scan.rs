//! SCAN over all masters, one after the other.
//!
//! The cursor that a caller gets holds which master the iteration is at, and that one's own cursor. Redis promises that an
//! iteration returns what is there all the time. A cursor means nothing to another node, not even to a replica of the
//! one that gave it, because each hashes with a secret of its own; and a key that moves from a master that comes later to
//! one that was before is met by neither. So a cursor is good for the masters and slots that it was given for, which it
//! says, and is refused where they are others.
//!
//! In bits, from the lowest: 12 for the master, 12 for the masters and slots, 39 for the master's own cursor. That is 0 in
//! its upper bits: before Redis 8 and Valkey 8 it is smaller than a hash table, which has not 2³⁹ places; later 14 bits
//! of it say the slot, and 25 are left for the table of one slot. The highest bit is 0, so that the cursor is positive in
//! every language.

use redis::{Cmd, Value};

use super::Topology;
use crate::request_bytes::unpack_command;
use crate::route::bytes;
use crate::{Delivery, Error, ErrorKind, RedisNode, Result};

const SHARD_BITS: u32 = 12;
const SEAL_BITS: u32 = 12;
const LOCAL_BITS: u32 = 39;

/// A call of SCAN.
#[derive(Debug)]
pub(crate) struct Scan {
    /// Whose cursor is the caller's.
    cmd: Cmd,
    cursor: u64,
}

/// What is to be sent for a call of SCAN, and where.
#[derive(Debug)]
pub(crate) struct ScanStep {
    pub(crate) node: RedisNode,
    pub(crate) cmd: Cmd,
    pub(crate) cursor: ScanCursor,
}

/// Where an iteration is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ScanCursor {
    /// Which of the masters is asked.
    shard: u64,
    /// How many there are.
    shards: u64,
    /// Of the topology.
    seal: u64,
}

impl Scan {
    /// `None` if its cursor is none.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`] if `cmd` is no command at all.
    pub(super) fn of(cmd: &Cmd) -> Result<Option<Self>> {
        // The cursor of redis' own iteration can be written, and not read.
        let written = match cmd.in_scan_mode() {
            true => unpack_command(&cmd.get_packed_command())?,
            false => cmd.clone(),
        };
        let cursor = written.args_iter().nth(1).map(bytes).and_then(number);
        Ok(cursor.map(|cursor| Self {
            cmd: written,
            cursor,
        }))
    }

    /// Its step over the masters of `topology`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Refused`] if its cursor was not given for these masters and slots; [`ErrorKind::Unsupported`] if
    /// there are more than 4 096 masters; [`ErrorKind::Disconnected`] if there is none.
    pub(crate) fn step(&self, topology: &Topology) -> Result<ScanStep> {
        let shards = topology.masters().len() as u64;
        if shards > 1 << SHARD_BITS {
            return Err(not_sent(
                ErrorKind::Unsupported,
                "a cursor has no room for so many masters",
            ));
        }
        let seal = low_bits(u64::from(topology.seal()), SEAL_BITS);
        let (shard, local) = match self.cursor {
            0 => (0, 0),
            cursor => {
                let of = cursor >> SHARD_BITS;
                if low_bits(of, SEAL_BITS) != seal {
                    return Err(not_sent(ErrorKind::Refused, OF_OTHERS));
                }
                (low_bits(cursor, SHARD_BITS), of >> SEAL_BITS)
            }
        };
        let node = topology.masters().get(shard as usize);
        let node = node.ok_or_else(|| match self.cursor {
            0 => not_sent(ErrorKind::Disconnected, "no node has a slot"),
            _ => not_sent(ErrorKind::Refused, OF_OTHERS),
        })?;
        Ok(ScanStep {
            node: node.clone(),
            cmd: with_cursor(&self.cmd, local),
            cursor: ScanCursor {
                shard,
                shards,
                seal,
            },
        })
    }
}

const OF_OTHERS: &str = "the masters or their slots are others than when this iteration began, and it could miss keys; \
    begin again, with the cursor 0";

impl ScanCursor {
    /// What the caller gets for `reply`, the master's: the same, with a cursor for all masters.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Protocol`] if it is no reply to SCAN; [`ErrorKind::Unsupported`] if the master's cursor has more bits
    /// than are there for it.
    pub(crate) fn reply(self, reply: Value) -> Result<Value> {
        let mut parts = match reply {
            Value::Array(parts) => parts,
            error @ Value::ServerError(_) => return Ok(error),
            _ => return Err(unfit()),
        };
        let cursor = parts.first_mut().ok_or_else(unfit)?;
        let local = match cursor {
            Value::BulkString(cursor) => number(cursor),
            Value::SimpleString(cursor) => number(cursor.as_bytes()),
            _ => None,
        };
        let next = self.next(local.ok_or_else(unfit)?)?;
        *cursor = Value::BulkString(next.to_string().into_bytes());
        Ok(Value::Array(parts))
    }

    fn next(self, local: u64) -> Result<u64> {
        let shard = match local {
            0 if self.shard + 1 == self.shards => return Ok(0),
            0 => self.shard + 1,
            _ => self.shard,
        };
        if local >> LOCAL_BITS != 0 {
            let message =
                "the node's cursor has more bits than a cursor for all nodes has room for";
            return Err(
                Error::new(ErrorKind::Unsupported, message).with_delivery(Delivery::Replied)
            );
        }
        Ok(local << (SHARD_BITS + SEAL_BITS) | self.seal << SHARD_BITS | shard)
    }
}

fn low_bits(number: u64, bits: u32) -> u64 {
    number & ((1 << bits) - 1)
}

fn number(text: &[u8]) -> Option<u64> {
    let is_plain = text.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(text)
        .ok()
        .filter(|_| is_plain)?
        .parse()
        .ok()
}

fn with_cursor(scan: &Cmd, cursor: u64) -> Cmd {
    let mut cmd = Cmd::new();
    for (index, argument) in scan.args_iter().map(bytes).enumerate() {
        match index {
            1 => cmd.arg(cursor),
            _ => cmd.arg(argument),
        };
    }
    cmd.set_no_response(scan.is_no_response());
    cmd
}

fn not_sent(kind: ErrorKind, message: &str) -> Error {
    Error::new(kind, message)
        .with_command("SCAN")
        .with_delivery(Delivery::NotSent)
}

fn unfit() -> Error {
    Error::new(ErrorKind::Protocol, "the node's reply to SCAN is none")
        .with_delivery(Delivery::Replied)
}

#[cfg(test)]
#[path = "scan/tests.rs"]
mod tests;
