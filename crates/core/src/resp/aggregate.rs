//! The types that contain others: array, set, map, attribute, push.

use redis::{PushKind, Value};

use super::error::DecodeFault;

/// How many elements are allocated before they have arrived. An announced count is but a claim, and
/// each level of nesting could make one.
const EAGER: usize = 1_024;

/// An aggregate that waits for elements.
#[derive(Debug)]
pub(super) struct Aggregate {
    pub(super) type_byte: u8,
    /// Where in the stream its type byte was.
    pub(super) offset: u64,
    missing: usize,
    items: Items,
}

#[derive(Debug)]
enum Items {
    Array(Vec<Value>),
    Set(Vec<Value>),
    Push(Vec<Value>),
    Map(Pairs),
    Attribute(Pairs),
    /// Only counted.
    Skipped,
}

#[derive(Debug)]
struct Pairs {
    complete: Vec<(Value, Value)>,
    /// A key that waits for its value; at the end of an attribute, what the attribute is about.
    key: Option<Value>,
}

/// How many values an aggregate of the announced `length` consists of; `None` if no memory could
/// hold them. A map has two for each entry, an attribute moreover what it is about.
pub(super) fn elements(type_byte: u8, length: usize) -> Option<usize> {
    match type_byte {
        b'%' => length.checked_mul(2),
        b'|' => length.checked_mul(2)?.checked_add(1),
        _ => Some(length),
    }
}

/// What redis-rs makes of an aggregate without elements.
pub(super) fn empty(type_byte: u8) -> Value {
    match type_byte {
        b'~' => Value::Set(Vec::new()),
        b'%' => Value::Map(Vec::new()),
        b'>' => Value::Push {
            kind: PushKind::Other(String::new()),
            data: Vec::new(),
        },
        _ => Value::Array(Vec::new()),
    }
}

impl Aggregate {
    /// One that waits for `elements`, at least one.
    pub(super) fn new(type_byte: u8, offset: u64, elements: usize) -> Self {
        let list = || Vec::with_capacity(elements.min(EAGER));
        let pairs = || Pairs {
            complete: Vec::with_capacity((elements / 2).min(EAGER)),
            key: None,
        };
        let items = match type_byte {
            b'~' => Items::Set(list()),
            b'>' => Items::Push(list()),
            b'%' => Items::Map(pairs()),
            b'|' => Items::Attribute(pairs()),
            _ => Items::Array(list()),
        };
        Self {
            type_byte,
            offset,
            missing: elements,
            items,
        }
    }

    /// One of which nothing is kept.
    pub(super) fn skipped(type_byte: u8, offset: u64, elements: usize) -> Self {
        Self {
            type_byte,
            offset,
            missing: elements,
            items: Items::Skipped,
        }
    }

    /// Takes the next element, and says whether it was the last.
    pub(super) fn push(&mut self, value: Value) -> bool {
        match &mut self.items {
            Items::Array(list) | Items::Set(list) | Items::Push(list) => list.push(value),
            Items::Map(pairs) | Items::Attribute(pairs) => match pairs.key.take() {
                Some(key) => pairs.complete.push((key, value)),
                None => pairs.key = Some(value),
            },
            Items::Skipped => {}
        }
        self.missing = self.missing.saturating_sub(1);
        self.missing == 0
    }

    pub(super) fn into_value(self) -> Result<Value, DecodeFault> {
        match self.items {
            Items::Array(list) => Ok(Value::Array(list)),
            Items::Set(list) => Ok(Value::Set(list)),
            Items::Push(list) => push_value(list),
            Items::Skipped => Ok(Value::Nil),
            Items::Map(pairs) => Ok(Value::Map(pairs.complete)),
            Items::Attribute(pairs) => Ok(Value::Attribute {
                data: Box::new(pairs.key.unwrap_or_default()),
                attributes: pairs.complete,
            }),
        }
    }
}

fn push_value(list: Vec<Value>) -> Result<Value, DecodeFault> {
    let mut list = list.into_iter();
    let kind = match list.next() {
        Some(Value::BulkString(kind)) => {
            String::from_utf8(kind).map_err(|_| DecodeFault::NotUtf8)?
        }
        Some(Value::SimpleString(kind)) => kind,
        _ => return Err(DecodeFault::PushKind),
    };
    Ok(Value::Push {
        kind: push_kind(kind),
        // Collecting in place keeps the allocation.
        data: list.collect(),
    })
}

/// The kinds that redis-rs tells apart; its own function for this is not public.
fn push_kind(kind: String) -> PushKind {
    match kind.as_str() {
        "invalidate" => PushKind::Invalidate,
        "message" => PushKind::Message,
        "pmessage" => PushKind::PMessage,
        "smessage" => PushKind::SMessage,
        "unsubscribe" => PushKind::Unsubscribe,
        "punsubscribe" => PushKind::PUnsubscribe,
        "sunsubscribe" => PushKind::SUnsubscribe,
        "subscribe" => PushKind::Subscribe,
        "psubscribe" => PushKind::PSubscribe,
        "ssubscribe" => PushKind::SSubscribe,
        _ => PushKind::Other(kind),
    }
}
