//! Where names stand in a reply, and how the prefix is taken off them.

use redis::Value;

/// Where the names of keys or channels stand in a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReplyShape {
    /// It is one: RANDOMKEY.
    Name,
    /// All elements are: KEYS, PUBSUB CHANNELS.
    Names,
    /// All elements of the second element are: SCAN.
    Cursor,
    /// The first element is: BLPOP, LMPOP.
    First,
    /// The first element of each element is, or the keys of a map are: XREAD.
    Streams,
    /// Every other element is, or the keys of a map are: PUBSUB NUMSUB.
    Counts,
}

impl ReplyShape {
    /// Takes `prefix` off the names in `reply`. What has another prefix is left out.
    pub(crate) fn strip(self, prefix: &[u8], reply: Value) -> Value {
        match (self, reply) {
            // No data of anybody's.
            (_, reply @ (Value::Nil | Value::Okay | Value::ServerError(_))) => reply,
            (_, Value::Attribute { data, attributes }) => Value::Attribute {
                data: Box::new(self.strip(prefix, *data)),
                attributes,
            },
            (_, Value::SimpleString(status)) if status == "QUEUED" => Value::SimpleString(status),
            (Self::Names, Value::Array(names)) => Value::Array(strip_names(prefix, names)),
            (Self::Names, Value::Set(names)) => Value::Set(strip_names(prefix, names)),
            (Self::Cursor, Value::Array(parts)) => strip_cursor(prefix, parts),
            (Self::Name, mut name) => {
                if strip_name(prefix, &mut name) {
                    name
                } else {
                    Value::Nil
                }
            }
            (Self::First, Value::Array(mut parts)) => {
                let name = parts.first_mut();
                if name.is_some_and(|name| strip_name(prefix, name)) {
                    Value::Array(parts)
                } else {
                    Value::Nil
                }
            }
            (Self::Streams | Self::Counts, Value::Map(mut pairs)) => {
                pairs.retain_mut(|(name, _)| strip_name(prefix, name));
                Value::Map(pairs)
            }
            (Self::Streams, Value::Array(mut streams)) => {
                streams.retain_mut(|stream| match stream {
                    Value::Array(parts) => parts
                        .first_mut()
                        .is_some_and(|name| strip_name(prefix, name)),
                    _ => false,
                });
                Value::Array(streams)
            }
            (Self::Counts, Value::Array(parts)) => strip_counts(prefix, parts),
            // Not a reply of this command's, so nobody knows what is in it.
            _ => Value::Nil,
        }
    }
}

/// Returns whether it had the prefix.
fn strip_name(prefix: &[u8], name: &mut Value) -> bool {
    match name {
        Value::BulkString(bytes) if bytes.starts_with(prefix) => {
            bytes.drain(..prefix.len());
            true
        }
        _ => false,
    }
}

fn strip_names(prefix: &[u8], mut names: Vec<Value>) -> Vec<Value> {
    names.retain_mut(|name| strip_name(prefix, name));
    names
}

fn strip_cursor(prefix: &[u8], mut parts: Vec<Value>) -> Value {
    let names = match (parts.pop(), parts.len()) {
        (Some(Value::Array(names)), 1) => strip_names(prefix, names),
        _ => return Value::Nil,
    };
    parts.push(Value::Array(names));
    Value::Array(parts)
}

fn strip_counts(prefix: &[u8], parts: Vec<Value>) -> Value {
    let mut kept = Vec::with_capacity(parts.len());
    let mut parts = parts.into_iter();
    while let (Some(mut name), Some(count)) = (parts.next(), parts.next()) {
        if strip_name(prefix, &mut name) {
            kept.extend([name, count]);
        }
    }
    Value::Array(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(frame: &str) -> Value {
        redis::parse_redis_value(frame.replace(' ', "\r\n").as_bytes()).unwrap()
    }

    fn stripped(shape: ReplyShape, frame: &str) -> Value {
        shape.strip(b"p:", reply(frame))
    }

    #[test]
    fn names_lose_the_prefix_and_those_of_others_are_left_out() {
        use ReplyShape::{Counts, Cursor, First, Name, Names, Streams};
        for (shape, frame, expected) in [
            (Names, "*2 $3 p:a $3 q:b ", "*1 $1 a "),
            (Names, "*0 ", "*0 "),
            (Names, "~2 $3 p:a $3 q:b ", "~1 $1 a "),
            (Cursor, "*2 $1 7 *2 $3 p:a $3 q:b ", "*2 $1 7 *1 $1 a "),
            (Name, "$3 p:a ", "$1 a "),
            (Name, "$3 q:a ", "$-1 "),
            (Name, "$-1 ", "$-1 "),
            (First, "*2 $3 p:l $3 q:v ", "*2 $1 l $3 q:v "),
            (First, "*2 $3 q:l $3 q:v ", "$-1 "),
            (First, "*-1 ", "$-1 "),
            (First, "*2 $3 p:l *1 $1 x ", "*2 $1 l *1 $1 x "),
            (Streams, "*2 *2 $3 p:s *0 *2 $3 q:s *0 ", "*1 *2 $1 s *0 "),
            (Streams, "%2 $3 p:s *0 $3 q:s *0 ", "%1 $1 s *0 "),
            (Counts, "*4 $3 p:c :1 $3 q:c :2 ", "*2 $1 c :1 "),
            (Counts, "%2 $3 p:c :1 $3 q:c :2 ", "%1 $1 c :1 "),
            (Names, "+QUEUED ", "+QUEUED "),
            // Of no form that the command has.
            (Names, "$6 secret ", "$-1 "),
            (Cursor, "*1 $6 secret ", "$-1 "),
            (Streams, "*1 $6 secret ", "*0 "),
            (Name, "+secret ", "$-1 "),
        ] {
            assert_eq!(stripped(shape, frame), reply(expected), "{shape:?} {frame}");
        }
    }

    #[test]
    fn an_error_is_passed_on() {
        let error = stripped(ReplyShape::Names, "-ERR ");
        assert!(matches!(error, Value::ServerError(_)));
    }
}
