//! What the server says of one command.

use redis::Value;

use super::key_spec::{KeySpec, Last};

/// One entry of the reply to `COMMAND`, as far as it matters here; see
/// <https://redis.io/docs/latest/commands/command/>.
#[derive(Debug)]
pub(super) struct ServerEntry {
    /// In upper case; that of a subcommand has its command before it: `CONFIG|SET`.
    pub(super) name: String,
    flags: Vec<String>,
    pub(super) keys: Keys,
    /// First key, last key and step, which servers of all versions say, and which may be but a part of the truth.
    pub(super) first_keys: Keys,
    pub(super) subcommands: Vec<ServerEntry>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Keys {
    None,
    /// From Redis 7.0 on the specifications say all; before, first key, last key and step.
    At(Vec<KeySpec>),
    /// Channels, in the places of keys.
    Channels(Vec<KeySpec>),
    /// The server does not say it, or not all of it.
    Uncertain,
}

impl ServerEntry {
    /// `None` if it is of no form that is known.
    pub(super) fn read(entry: &Value) -> Option<Self> {
        let entry = list(entry)?;
        let number = |at: usize| integer(entry.get(at)?);
        let name = text(entry.first()?)?.to_ascii_uppercase();
        let flags = list(entry.get(2)?)?;
        let flags: Vec<String> = flags.iter().filter_map(text).collect();
        let first_keys = legacy(number(3)?, number(4)?, number(5)?);
        let (keys, subcommands) = match (entry.get(8), entry.get(9)) {
            (Some(specs), Some(subcommands)) => {
                let subcommands = list(subcommands)?.iter().map(Self::read);
                (
                    read_specs(list(specs)?),
                    subcommands.collect::<Option<_>>()?,
                )
            }
            _ if flags.iter().any(|flag| flag == "movablekeys") => (Keys::Uncertain, Vec::new()),
            _ => (first_keys.clone(), Vec::new()),
        };
        Some(Self {
            name,
            flags,
            keys,
            first_keys,
            subcommands,
        })
    }

    pub(super) fn has_flag(&self, flag: &str) -> bool {
        self.flags.iter().any(|other| other == flag)
    }
}

/// First key, last key and step, as servers before 7.0 say it.
fn legacy(first: i64, last: i64, step: i64) -> Keys {
    if first == 0 {
        return Keys::None;
    }
    let spec = || {
        Some(KeySpec::Range {
            first: usize::try_from(first).ok()?,
            last: if last < 0 {
                Last::BeforeEnd(usize::try_from(last.checked_neg()?).ok()?)
            } else {
                Last::At(usize::try_from(last).ok()?)
            },
            step: usize::try_from(step).ok().filter(|step| *step > 0)?,
        })
    };
    spec().map_or(Keys::Uncertain, |spec| Keys::At(vec![spec]))
}

fn read_specs(specs: &[Value]) -> Keys {
    if specs.is_empty() {
        return Keys::None;
    }
    let mut channels = 0;
    let mut read = Vec::with_capacity(specs.len());
    for spec in specs {
        let Some((spec, is_channel)) = read_spec(spec) else {
            return Keys::Uncertain;
        };
        channels += usize::from(is_channel);
        read.push(spec);
    }
    match channels {
        0 => Keys::At(read),
        all if all == read.len() => Keys::Channels(read),
        _ => Keys::Uncertain,
    }
}

/// One specification, and whether it is not of keys; `None` if it is not certain.
fn read_spec(spec: &Value) -> Option<(KeySpec, bool)> {
    let flags = list(field(spec, "flags")?)?;
    let has_flag = |flag: &str| flags.iter().filter_map(text).any(|other| other == flag);
    if has_flag("incomplete") {
        return None;
    }
    let part = |name: &str| {
        let part = field(spec, name)?;
        Some((text(field(part, "type")?)?, field(part, "spec")?))
    };
    let (begin, at) = part("begin_search")?;
    if begin != "index" {
        return None;
    }
    let begin = usize::try_from(integer(field(at, "index")?)?).ok()?;
    let (find, how) = part("find_keys")?;
    let number = |name: &str| integer(field(how, name)?);
    let place = |name: &str| begin.checked_add(usize::try_from(number(name)?).ok()?);
    let step = usize::try_from(number("keystep")?)
        .ok()
        .filter(|it| *it > 0)?;
    let found = match find.as_str() {
        "range" => KeySpec::Range {
            first: begin,
            last: last_key(begin, number("lastkey")?, number("limit")?)?,
            step,
        },
        "keynum" => KeySpec::Number {
            number: place("keynumidx")?,
            first: place("firstkey")?,
            step,
        },
        _ => return None,
    };
    Some((found, has_flag("not_key")))
}

fn last_key(begin: usize, last: i64, limit: i64) -> Option<Last> {
    if let Ok(after) = usize::try_from(last) {
        return Some(Last::At(begin.checked_add(after)?));
    }
    let before = usize::try_from(last.checked_neg()?).ok()?;
    let parts = usize::try_from(limit).ok()?;
    Some(match parts {
        0 | 1 => Last::BeforeEnd(before),
        _ => Last::OfPart { before, parts },
    })
}

fn list(value: &Value) -> Option<&[Value]> {
    match value {
        Value::Array(values) | Value::Set(values) => Some(values),
        Value::Nil => Some(&[]),
        _ => None,
    }
}

/// What belongs to `name` in a map, or in a list of names and values.
fn field<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    let is_name = |other: &Value| text(other).is_some_and(|other| other == name);
    match value {
        Value::Map(pairs) => pairs
            .iter()
            .find_map(|(other, value)| is_name(other).then_some(value)),
        Value::Array(values) => values.chunks_exact(2).find_map(|pair| match pair {
            [other, value] if is_name(other) => Some(value),
            _ => None,
        }),
        _ => None,
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::BulkString(bytes) => String::from_utf8(bytes.clone()).ok(),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => Some(text.clone()),
        _ => None,
    }
}

fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Int(number) => Some(*number),
        _ => None,
    }
}
