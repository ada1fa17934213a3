//! What is known here of commands, beyond what the server says. Known from the sources and documents of
//! Redis, and held against the word of a real server by tests.

use super::ReplyShape;
use super::key_spec::{KeySpec, Last};
use super::options::Parser;

/// What is known of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// It has no keys, says nothing of the data of others and changes nothing of theirs.
    Free,
    /// Its first argument is one that gets the prefix, and no key by the server's word: a channel, a pattern.
    First,
    /// Where its keys stand depends on its options, which are read strictly.
    Parsed(Parser),
    /// Refused, for this reason.
    Refused(&'static str),
}

const LUA: &str = "a Lua script reaches keys that it does not declare";
const ELSEWHERE: &str = "it sends keys to another server, by names that cannot be told for certain";
const SUBSCRIBES: &str = "only listeners of a PUB_SUB client subscribe";

const KNOWN: &[(&str, Known)] = &[
    ("CLIENT|GETNAME", Known::Free),
    ("CLIENT|ID", Known::Free),
    ("CLIENT|INFO", Known::Free),
    ("CLIENT|NO-EVICT", Known::Free),
    ("CLIENT|NO-TOUCH", Known::Free),
    ("CLIENT|SETINFO", Known::Free),
    ("CLIENT|SETNAME", Known::Free),
    ("COMMAND", Known::Free),
    ("COMMAND|COUNT", Known::Free),
    ("COMMAND|DOCS", Known::Free),
    ("COMMAND|GETKEYS", Known::Free),
    ("COMMAND|GETKEYSANDFLAGS", Known::Free),
    ("COMMAND|HELP", Known::Free),
    ("COMMAND|INFO", Known::Free),
    ("COMMAND|LIST", Known::Free),
    ("DISCARD", Known::Free),
    ("ECHO", Known::Free),
    ("EVAL", Known::Refused(LUA)),
    ("EVALSHA", Known::Refused(LUA)),
    ("EVALSHA_RO", Known::Refused(LUA)),
    ("EVAL_RO", Known::Refused(LUA)),
    ("EXEC", Known::Free),
    ("FCALL", Known::Refused(LUA)),
    ("FCALL_RO", Known::Refused(LUA)),
    ("FUNCTION", Known::Refused(LUA)),
    ("GEORADIUS", Known::Parsed(Parser::Georadius { options: 6 })),
    (
        "GEORADIUSBYMEMBER",
        Known::Parsed(Parser::Georadius { options: 5 }),
    ),
    ("KEYS", Known::First),
    ("LOLWUT", Known::Free),
    ("MIGRATE", Known::Refused(ELSEWHERE)),
    ("MULTI", Known::Free),
    ("PING", Known::Free),
    ("PSUBSCRIBE", Known::Refused(SUBSCRIBES)),
    ("PUBLISH", Known::First),
    ("PUBSUB|CHANNELS", Known::Parsed(Parser::OptionalPattern)),
    ("PUBSUB|NUMSUB", Known::Parsed(Parser::Channels)),
    (
        "PUBSUB|SHARDCHANNELS",
        Known::Parsed(Parser::OptionalPattern),
    ),
    ("PUBSUB|SHARDNUMSUB", Known::Parsed(Parser::Channels)),
    ("PUNSUBSCRIBE", Known::Refused(SUBSCRIBES)),
    ("RANDOMKEY", Known::Free),
    ("SCAN", Known::Parsed(Parser::Scan)),
    ("SCRIPT", Known::Refused(LUA)),
    ("SELECT", Known::Free),
    ("SORT", Known::Parsed(Parser::Sort { stores: true })),
    ("SORT_RO", Known::Parsed(Parser::Sort { stores: false })),
    ("SPUBLISH", Known::First),
    ("SSUBSCRIBE", Known::Refused(SUBSCRIBES)),
    ("SUBSCRIBE", Known::Refused(SUBSCRIBES)),
    ("SUNSUBSCRIBE", Known::Refused(SUBSCRIBES)),
    ("TIME", Known::Free),
    ("UNSUBSCRIBE", Known::Refused(SUBSCRIBES)),
    ("UNWATCH", Known::Free),
    ("WAIT", Known::Free),
    ("WAITAOF", Known::Free),
    ("XREAD", Known::Parsed(Parser::Streams { in_group: false })),
    (
        "XREADGROUP",
        Known::Parsed(Parser::Streams { in_group: true }),
    ),
];

/// What is known of the command `name`, which is in upper case.
pub(super) fn known(name: &str) -> Option<Known> {
    find(KNOWN, name)
}

/// The subcommands of `name` that are known, for a server that does not tell its subcommands.
pub(super) fn known_subcommands(name: &str) -> impl Iterator<Item = (&'static str, Known)> {
    KNOWN.iter().filter_map(move |(other, known)| {
        let (command, _) = other.split_once('|')?;
        (command == name).then_some((*other, *known))
    })
}

const SHAPES: &[(&str, ReplyShape)] = &[
    ("BLMPOP", ReplyShape::First),
    ("BLPOP", ReplyShape::First),
    ("BRPOP", ReplyShape::First),
    ("BZMPOP", ReplyShape::First),
    ("BZPOPMAX", ReplyShape::First),
    ("BZPOPMIN", ReplyShape::First),
    ("KEYS", ReplyShape::Names),
    ("LMPOP", ReplyShape::First),
    ("PUBSUB|CHANNELS", ReplyShape::Names),
    ("PUBSUB|NUMSUB", ReplyShape::Counts),
    ("PUBSUB|SHARDCHANNELS", ReplyShape::Names),
    ("PUBSUB|SHARDNUMSUB", ReplyShape::Counts),
    ("RANDOMKEY", ReplyShape::Name),
    ("SCAN", ReplyShape::Cursor),
    ("XREAD", ReplyShape::Streams),
    ("XREADGROUP", ReplyShape::Streams),
    ("ZMPOP", ReplyShape::First),
];

/// Where names come back in the reply to `name`.
pub(super) fn shape(name: &str) -> Option<ReplyShape> {
    find(SHAPES, name)
}

/// Where keys stand that servers before 7.0 call movable.
pub(super) fn movable_keys(name: &str) -> Option<Vec<KeySpec>> {
    let counted = |number| KeySpec::Number {
        number,
        first: number + 1,
        step: 1,
    };
    let one = |index| KeySpec::Range {
        first: index,
        last: Last::At(index),
        step: 1,
    };
    Some(match name {
        "LMPOP" | "SINTERCARD" | "ZDIFF" | "ZINTER" | "ZINTERCARD" | "ZMPOP" | "ZUNION" => {
            vec![counted(1)]
        }
        "BLMPOP" | "BZMPOP" => vec![counted(2)],
        "ZDIFFSTORE" | "ZINTERSTORE" | "ZUNIONSTORE" => vec![one(1), counted(2)],
        _ => return None,
    })
}

/// Where the keys of subcommands stand that servers before 7.0 call movable.
pub(super) fn movable_subcommand(name: &str) -> Option<(&'static str, KeySpec)> {
    (name == "MEMORY").then_some((
        "MEMORY|USAGE",
        KeySpec::Range {
            first: 2,
            last: Last::At(2),
            step: 1,
        },
    ))
}

fn find<T: Copy>(table: &[(&str, T)], name: &str) -> Option<T> {
    let found = table.iter().find(|(other, _)| *other == name);
    found.map(|(_, value)| *value)
}
