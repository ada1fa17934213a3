//! The commands that are not free to run on a shared connection, as data.

use std::time::Duration;

use redis::Cmd;

use super::{BlockingTimeout, SessionEffect, argument};

pub(super) enum Rule {
    Shared,
    Blocking(BlockingTimeout),
    /// Concerns the connection it runs on.
    Session,
    PubSub,
    /// Runs nowhere in this library, for this reason.
    Never(&'static str),
}

/// Where a command's blocking timeout stands.
enum TimeoutAt {
    /// The last argument, in seconds: BLPOP.
    LastSeconds,
    /// The first argument after the name, in seconds: BLMPOP.
    FirstSeconds,
    /// After the option BLOCK, in milliseconds, if it is there: XREAD.
    BlockOption,
}

const BLOCKING: &[(&str, TimeoutAt)] = &[
    ("BLMOVE", TimeoutAt::LastSeconds),
    ("BLMPOP", TimeoutAt::FirstSeconds),
    ("BLPOP", TimeoutAt::LastSeconds),
    ("BRPOP", TimeoutAt::LastSeconds),
    ("BRPOPLPUSH", TimeoutAt::LastSeconds),
    ("BZMPOP", TimeoutAt::FirstSeconds),
    ("BZPOPMAX", TimeoutAt::LastSeconds),
    ("BZPOPMIN", TimeoutAt::LastSeconds),
    ("XREAD", TimeoutAt::BlockOption),
    ("XREADGROUP", TimeoutAt::BlockOption),
];

const SESSION: &[(&str, SessionEffect)] = &[
    ("ASKING", SessionEffect::Taints),
    ("AUTH", SessionEffect::Taints),
    ("CLIENT", SessionEffect::Taints),
    ("DISCARD", SessionEffect::EndsTransaction),
    ("EXEC", SessionEffect::EndsTransaction),
    ("HELLO", SessionEffect::Taints),
    ("MULTI", SessionEffect::BeginsTransaction),
    ("READONLY", SessionEffect::Taints),
    ("READWRITE", SessionEffect::Taints),
    ("RESET", SessionEffect::Taints),
    ("SCRIPT", SessionEffect::Taints),
    ("SELECT", SessionEffect::Taints),
    ("UNWATCH", SessionEffect::Unwatches),
    ("WAIT", SessionEffect::None),
    ("WAITAOF", SessionEffect::None),
    ("WATCH", SessionEffect::Watches),
];

/// Subcommands that make their container command a matter of the connection.
const SESSION_SUBCOMMANDS: &[(&str, &str)] = &[
    ("CLIENT", "CACHING"),
    ("CLIENT", "CAPA"),
    ("CLIENT", "IMPORT-SOURCE"),
    ("CLIENT", "NO-EVICT"),
    ("CLIENT", "NO-TOUCH"),
    ("CLIENT", "SETINFO"),
    ("CLIENT", "SETNAME"),
    ("CLIENT", "TRACKING"),
    ("SCRIPT", "DEBUG"),
];

const PUB_SUB: &[&str] = &[
    "PSUBSCRIBE",
    "PUNSUBSCRIBE",
    "SSUBSCRIBE",
    "SUBSCRIBE",
    "SUNSUBSCRIBE",
    "UNSUBSCRIBE",
];

const STREAM_OF_REPLIES: &str = "it is answered by a stream of replies; \
    use a raw connection of the BASIC client's redis_client()";
const NOT_ANSWERED: &str = "commands after it are never answered, or not in order; \
    use a raw connection of the BASIC client's redis_client()";

const NEVER: &[(&str, &str)] = &[
    ("MONITOR", STREAM_OF_REPLIES),
    ("PSYNC", STREAM_OF_REPLIES),
    ("QUIT", "it ends the connection; use close()"),
    ("REPLCONF", NOT_ANSWERED),
    ("SYNC", STREAM_OF_REPLIES),
];

pub(super) fn rule(name: &[u8], cmd: &Cmd) -> Rule {
    if !MENTIONED.may_have(name) {
        return Rule::Shared;
    }
    let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
    if let Some((_, timeout)) = BLOCKING.iter().find(|(other, _)| is(other)) {
        return match blocking_timeout(timeout, cmd) {
            Some(timeout) => Rule::Blocking(timeout),
            None => Rule::Shared,
        };
    }
    if let Some((_, reason)) = NEVER.iter().find(|(other, _)| is(other)) {
        return Rule::Never(reason);
    }
    if PUB_SUB.iter().any(|other| is(other)) {
        return Rule::PubSub;
    }
    if is("CLIENT") || is("SCRIPT") {
        return container_rule(name, argument(cmd, 1).unwrap_or_default());
    }
    if SESSION.iter().any(|(other, _)| is(other)) {
        return Rule::Session;
    }
    Rule::Shared
}

/// Which lengths the names of the tables have, by their first letter. Every call is looked up, and almost none is
/// in a table.
struct Names([u32; 26]);

const MENTIONED: Names = {
    let mut names = Names([0; 26]);
    let mut index = 0;
    while index < BLOCKING.len() {
        names.add(BLOCKING[index].0);
        index += 1;
    }
    index = 0;
    while index < SESSION.len() {
        names.add(SESSION[index].0);
        index += 1;
    }
    index = 0;
    while index < PUB_SUB.len() {
        names.add(PUB_SUB[index]);
        index += 1;
    }
    index = 0;
    while index < NEVER.len() {
        names.add(NEVER[index].0);
        index += 1;
    }
    names
};

impl Names {
    const fn add(&mut self, name: &str) {
        let name = name.as_bytes();
        self.0[(name[0] - b'A') as usize] |= 1 << name.len();
    }

    fn may_have(&self, name: &[u8]) -> bool {
        let first = name.first().map_or(0, u8::to_ascii_uppercase);
        let lengths = self.0.get(usize::from(first.wrapping_sub(b'A')));
        lengths.is_some_and(|lengths| name.len() < 32 && lengths & (1 << name.len()) != 0)
    }
}

fn container_rule(name: &[u8], subcommand: &[u8]) -> Rule {
    let is = |container: &str, sub: &str| {
        name.eq_ignore_ascii_case(container.as_bytes())
            && subcommand.eq_ignore_ascii_case(sub.as_bytes())
    };
    if is("CLIENT", "REPLY") {
        Rule::Never(NOT_ANSWERED)
    } else if SESSION_SUBCOMMANDS.iter().any(|(c, s)| is(c, s)) {
        Rule::Session
    } else {
        Rule::Shared
    }
}

/// What a command that concerns its connection does to it; `name` is in upper case.
pub(super) fn session_effect(name: &str) -> (SessionEffect, Option<BlockingTimeout>) {
    let effect = SESSION
        .iter()
        .find(|(other, _)| *other == name)
        .map_or(SessionEffect::Taints, |(_, effect)| *effect);
    // WAIT and WAITAOF hold their reply back for a time that is theirs alone to know.
    let waits = (effect == SessionEffect::None).then_some(BlockingTimeout::Never);
    (effect, waits)
}

/// `None` if the command, as it is written, does not block.
fn blocking_timeout(at: &TimeoutAt, cmd: &Cmd) -> Option<BlockingTimeout> {
    let last = cmd.args_iter().len().saturating_sub(1);
    Some(match at {
        TimeoutAt::LastSeconds => seconds(argument(cmd, last)),
        TimeoutAt::FirstSeconds => seconds(argument(cmd, 1)),
        TimeoutAt::BlockOption => {
            return block_option(cmd);
        }
    })
}

/// Reads the options one by one: a group, a consumer or a stream may be named like an option.
fn block_option(cmd: &Cmd) -> Option<BlockingTimeout> {
    let mut arguments = cmd.args_iter().skip(1).map(super::bytes);
    while let Some(option) = arguments.next() {
        let is = |name: &str| option.eq_ignore_ascii_case(name.as_bytes());
        if is("BLOCK") {
            return Some(milliseconds(arguments.next()));
        } else if is("STREAMS") {
            return None;
        } else if is("GROUP") {
            arguments.nth(1);
        } else if is("COUNT") || is("CLAIM") {
            arguments.next();
        }
    }
    None
}

fn seconds(argument: Option<&[u8]>) -> BlockingTimeout {
    number::<f64>(argument)
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .filter(|timeout| !timeout.is_zero())
        .map_or(BlockingTimeout::Never, BlockingTimeout::After)
}

fn milliseconds(argument: Option<&[u8]>) -> BlockingTimeout {
    number::<u64>(argument)
        .filter(|milliseconds| *milliseconds > 0)
        .map_or(BlockingTimeout::Never, |milliseconds| {
            BlockingTimeout::After(Duration::from_millis(milliseconds))
        })
}

fn number<T: std::str::FromStr>(argument: Option<&[u8]>) -> Option<T> {
    std::str::from_utf8(argument?).ok()?.parse().ok()
}
