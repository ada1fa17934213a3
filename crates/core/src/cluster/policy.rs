//! The commands that concern more than one node, as data.

use super::Merge;
use super::split::Splittable;

/// How a command without keys goes to a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Policy {
    /// To every master.
    AllMasters(Merge),
    /// To one master after the other, from call to call.
    Scan,
    /// To the node of the slot whose number is this argument.
    SlotAt(usize),
}

/// What Redis from 7.0 on says in the tips `request_policy` and `response_policy` of COMMAND, see
/// <https://redis.io/docs/latest/develop/reference/command-tips/>, and servers before do not say.
///
/// What is not here goes to one node although a tip has it elsewhere: INFO, MEMORY STATS and the like say something of
/// one node that is no sum, RANDOMKEY and PING are as good from any, and WAIT belongs to a session. No tip says that of a
/// slot's keys only its own node knows anything, and that any other says that there are none.
const WITHOUT_KEYS: &[(&str, Policy)] = &[
    ("ACL|DELUSER", Policy::AllMasters(Merge::First)),
    ("ACL|SAVE", Policy::AllMasters(Merge::First)),
    ("ACL|SETUSER", Policy::AllMasters(Merge::First)),
    ("CLUSTER|COUNTKEYSINSLOT", Policy::SlotAt(2)),
    ("CLUSTER|GETKEYSINSLOT", Policy::SlotAt(2)),
    ("COMMANDLOG|LEN", Policy::AllMasters(Merge::Sum)),
    ("COMMANDLOG|RESET", Policy::AllMasters(Merge::First)),
    ("CONFIG|RESETSTAT", Policy::AllMasters(Merge::First)),
    ("CONFIG|REWRITE", Policy::AllMasters(Merge::First)),
    ("CONFIG|SET", Policy::AllMasters(Merge::First)),
    ("DBSIZE", Policy::AllMasters(Merge::Sum)),
    ("FLUSHALL", Policy::AllMasters(Merge::First)),
    ("FLUSHDB", Policy::AllMasters(Merge::First)),
    ("FUNCTION|DELETE", Policy::AllMasters(Merge::First)),
    ("FUNCTION|FLUSH", Policy::AllMasters(Merge::First)),
    ("FUNCTION|KILL", Policy::AllMasters(Merge::AnySuccess)),
    ("FUNCTION|LOAD", Policy::AllMasters(Merge::First)),
    ("FUNCTION|RESTORE", Policy::AllMasters(Merge::First)),
    ("KEYS", Policy::AllMasters(Merge::Concatenated)),
    ("LATENCY|RESET", Policy::AllMasters(Merge::Sum)),
    ("MEMORY|PURGE", Policy::AllMasters(Merge::First)),
    ("SCAN", Policy::Scan),
    ("SCRIPT|EXISTS", Policy::AllMasters(Merge::Everywhere)),
    ("SCRIPT|FLUSH", Policy::AllMasters(Merge::First)),
    ("SCRIPT|KILL", Policy::AllMasters(Merge::AnySuccess)),
    ("SCRIPT|LOAD", Policy::AllMasters(Merge::First)),
    ("SLOWLOG|LEN", Policy::AllMasters(Merge::Sum)),
    ("SLOWLOG|RESET", Policy::AllMasters(Merge::First)),
];

/// The commands whose keys may stand in several slots, because each has its own effect.
const SPLIT: &[(&str, Splittable)] = &[
    ("DEL", Splittable::Counted),
    ("EXISTS", Splittable::Counted),
    ("MGET", Splittable::Listed),
    ("MSET", Splittable::Pairs),
    ("TOUCH", Splittable::Counted),
    ("UNLINK", Splittable::Counted),
];

/// How the command `name` without keys goes to a cluster, if not to any node; `next` is the argument behind it.
pub(super) fn without_keys(name: &[u8], next: Option<&[u8]>) -> Option<Policy> {
    let next = next.unwrap_or_default();
    let is = |other: &str| match other.split_once('|') {
        None => name.eq_ignore_ascii_case(other.as_bytes()),
        Some((command, subcommand)) => {
            name.eq_ignore_ascii_case(command.as_bytes())
                && next.eq_ignore_ascii_case(subcommand.as_bytes())
        }
    };
    let found = WITHOUT_KEYS.iter().find(|(other, _)| is(other));
    found.map(|(_, policy)| policy.clone())
}

/// How the command `name` is split, if it may be.
pub(super) fn splittable(name: &[u8]) -> Option<Splittable> {
    let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
    let found = SPLIT.iter().find(|(other, _)| is(other));
    found.map(|(_, splittable)| *splittable)
}
