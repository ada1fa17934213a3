//! The query: its keys, how their values are read and how they are written.

use super::{RedisUri, RedisUriBuilder, VerifyPeer, percent, timeout};
use crate::Protocol;

/// The highest database number: what Redis can be configured for.
pub(super) const LAST_DATABASE: u32 = i32::MAX as u32;

type Read = fn(RedisUriBuilder, &str) -> Result<RedisUriBuilder, String>;

struct Key {
    name: &'static str,
    alias: Option<&'static str>,
    read: Read,
}

const fn key(name: &'static str, read: Read) -> Key {
    Key {
        name,
        alias: None,
        read,
    }
}

const KEYS: [Key; 8] = [
    key("timeout", |builder, value| {
        Ok(builder.timeout(timeout::parse(value)?))
    }),
    Key {
        name: "database",
        alias: Some("db"),
        read: |builder, value| Ok(builder.database(parse_database(value)?)),
    },
    key(
        "clientName",
        |builder, value| Ok(builder.client_name(value)),
    ),
    key("libraryName", |builder, value| {
        Ok(builder.library_name(value))
    }),
    key("libraryVersion", |builder, value| {
        Ok(builder.library_version(value))
    }),
    key("verifyPeer", |builder, value| {
        let choice = choose(value, &VERIFY_PEER, "NONE, CA or FULL")?;
        Ok(builder.verify_peer(choice))
    }),
    key("sentinelMasterId", |builder, value| {
        Ok(builder.sentinel_master_id(value))
    }),
    key("protocol", |builder, value| {
        let choice = choose(value, &PROTOCOL, "2, 3 or auto")?;
        Ok(builder.protocol(choice))
    }),
];

const VERIFY_PEER: [(&str, VerifyPeer); 3] = [
    ("NONE", VerifyPeer::None),
    ("CA", VerifyPeer::Ca),
    ("FULL", VerifyPeer::Full),
];

/// The first spelling of each is the one to write; `resp2` and `resp3` are redis-rs'.
const PROTOCOL: [(&str, Protocol); 5] = [
    ("2", Protocol::Resp2),
    ("3", Protocol::Resp3),
    ("auto", Protocol::Auto),
    ("resp2", Protocol::Resp2),
    ("resp3", Protocol::Resp3),
];

/// The keys with which redis-rs takes credentials on sockets, and their long forms.
const CREDENTIAL_KEYS: [&str; 4] = ["user", "pass", "username", "password"];

/// Reads a query, the text after `?`. Values are never repeated in errors.
pub(super) fn read(mut builder: RedisUriBuilder, query: &str) -> Result<RedisUriBuilder, String> {
    let mut given: Vec<&str> = Vec::new();
    // Split first, decode then: `%26` is part of a value.
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = match pair.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (pair, None),
        };
        let key = find(&percent::decode("a query key", name)?, value.is_some())?;
        let value = value.ok_or_else(|| format!("query key `{}` has no value", key.name))?;
        if given.contains(&key.name) {
            return Err(format!("query key `{}` is given twice", key.name));
        }
        given.push(key.name);
        let in_key = |problem| format!("query key `{}`: {problem}", key.name);
        let value = percent::decode("the value", value).map_err(in_key)?;
        builder = (key.read)(builder, &value).map_err(in_key)?;
    }
    Ok(builder)
}

fn find(name: &str, has_value: bool) -> Result<&'static Key, String> {
    let is = |candidate: &str| candidate.eq_ignore_ascii_case(name);
    if let Some(key) = KEYS
        .iter()
        .find(|key| is(key.name) || key.alias.is_some_and(is))
    {
        return Ok(key);
    }
    if CREDENTIAL_KEYS.into_iter().any(is) {
        return Err(
            "credentials do not go into the query; write user:password@ after `://`".to_owned(),
        );
    }
    // A stray text without `=` or of odd characters may be a piece of a password.
    let is_word = name
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    let shown = if has_value && is_word && !name.is_empty() {
        format!("unknown query key `{name}`")
    } else {
        "unknown query key".to_owned()
    };
    let known = KEYS.map(|key| match key.alias {
        Some(alias) => format!("{} ({alias})", key.name),
        None => key.name.to_owned(),
    });
    Err(format!("{shown}; allowed are {}", known.join(", ")))
}

/// Reads the number of a database, from the path or the query.
pub(super) fn parse_database(text: &str) -> Result<u32, String> {
    Some(text)
        .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|digits| digits.parse().ok())
        .filter(|number| *number <= LAST_DATABASE)
        .ok_or_else(database_range)
}

pub(super) fn database_range() -> String {
    format!("the database must be a number from 0 to {LAST_DATABASE}")
}

fn choose<T: Copy>(value: &str, choices: &[(&str, T)], allowed: &str) -> Result<T, String> {
    choices
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(value))
        .map(|(_, choice)| *choice)
        .ok_or_else(|| format!("the value must be {allowed}"))
}

/// Writes what differs from the defaults, in a fixed order and with the leading `?`.
pub(super) fn format(uri: &RedisUri) -> String {
    let database = (uri.database != 0 && uri.socket.is_some()).then(|| uri.database.to_string());
    let verify_peer =
        (uri.verify_peer != VerifyPeer::default()).then(|| spelling(uri.verify_peer, &VERIFY_PEER));
    let protocol = uri.protocol.map(|protocol| spelling(protocol, &PROTOCOL));
    let pairs: Vec<String> = [
        ("database", database),
        ("timeout", uri.timeout.map(timeout::format)),
        ("clientName", uri.client_name.clone()),
        ("libraryName", uri.library_name.clone()),
        ("libraryVersion", uri.library_version.clone()),
        ("verifyPeer", verify_peer),
        ("protocol", protocol),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some(format!("{name}={}", percent::encode(&value?))))
    .collect();
    if pairs.is_empty() {
        String::new()
    } else {
        format!("?{}", pairs.join("&"))
    }
}

fn spelling<T: Copy + PartialEq>(value: T, choices: &[(&str, T)]) -> String {
    choices
        .iter()
        .find(|(_, choice)| *choice == value)
        .map(|(name, _)| (*name).to_owned())
        .unwrap_or_default()
}
