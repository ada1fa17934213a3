//! Replies as scripts see them.

use redis_manager_core::redis::{self, RedisError, ServerError, Value};
use redis_manager_core::{Delivery, Error, Result};

use super::limits::Allowance;
use super::{ScriptValue, ValueLimits};

impl ScriptValue {
    /// What the server answered, for a script.
    ///
    /// A status is a string; a number too large for an [`Integer`](Self::Integer) is one as well, in digits. A set is a
    /// list. Of a value with attributes the attributes are left out. An error inside a list or a map, as EXEC answers
    /// it, is a map with the key `err`, as in the scripts of Redis itself.
    ///
    /// ```
    /// use redis_manager::redis::Value;
    /// use redis_manager::{ScriptValue, ValueLimits};
    ///
    /// let reply = Value::Array(vec![Value::Okay, Value::Int(1), Value::Nil]);
    /// let value = ScriptValue::from_redis(reply, ValueLimits::default())?;
    /// assert_eq!(value, ScriptValue::from(vec!["OK".into(), 1.into(), ScriptValue::Nil]));
    /// # Ok::<(), redis_manager::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The server's error, if it is one; [`Conversion`](crate::ErrorKind::Conversion) if the value passes `limits`.
    pub fn from_redis(value: Value, limits: ValueLimits) -> Result<Self> {
        if let Value::ServerError(error) = value {
            return Err(RedisError::from(error).into());
        }
        convert(value, &mut limits.allowance())
            .map_err(|error: Error| error.with_delivery(Delivery::Replied))
    }
}

fn convert(value: Value, allowance: &mut Allowance) -> Result<ScriptValue> {
    Ok(match value {
        Value::Nil => leaf(ScriptValue::Nil, allowance)?,
        Value::Int(number) => leaf(ScriptValue::Integer(number), allowance)?,
        Value::Double(number) => leaf(ScriptValue::Float(number), allowance)?,
        Value::Boolean(value) => leaf(ScriptValue::Bool(value), allowance)?,
        Value::BulkString(bytes) => string(bytes, allowance)?,
        Value::SimpleString(text) => string(text.into_bytes(), allowance)?,
        Value::Okay => string(b"OK".to_vec(), allowance)?,
        Value::VerbatimString { text, .. } => string(text.into_bytes(), allowance)?,
        Value::BigNumber(number) => string(number.to_string().into_bytes(), allowance)?,
        Value::Array(values) | Value::Set(values) => list(values, allowance)?,
        Value::Push { data, .. } => list(data, allowance)?,
        Value::Map(pairs) => map(pairs, allowance)?,
        Value::Attribute { data, .. } => convert(*data, allowance)?,
        Value::ServerError(error) => failed(&error, allowance)?,
        // What a later version of redis knows.
        other => redis::from_redis_value::<Vec<u8>>(other)
            .map_err(|error| Error::from(RedisError::from(error)))
            .and_then(|bytes| string(bytes, allowance))?,
    })
}

fn leaf(value: ScriptValue, allowance: &mut Allowance) -> Result<ScriptValue> {
    allowance.take(0)?;
    Ok(value)
}

fn string(bytes: Vec<u8>, allowance: &mut Allowance) -> Result<ScriptValue> {
    allowance.take(bytes.len())?;
    Ok(ScriptValue::Bytes(bytes))
}

fn list(values: Vec<Value>, allowance: &mut Allowance) -> Result<ScriptValue> {
    allowance.take(0)?;
    allowance.enter()?;
    let values = values.into_iter().map(|value| convert(value, allowance));
    let list = values.collect::<Result<_>>()?;
    allowance.leave();
    Ok(ScriptValue::List(list))
}

fn map(pairs: Vec<(Value, Value)>, allowance: &mut Allowance) -> Result<ScriptValue> {
    allowance.take(0)?;
    allowance.enter()?;
    let pairs = pairs
        .into_iter()
        .map(|(key, value)| Ok((convert(key, allowance)?, convert(value, allowance)?)));
    let map = pairs.collect::<Result<_>>()?;
    allowance.leave();
    Ok(ScriptValue::Map(map))
}

fn failed(error: &ServerError, allowance: &mut Allowance) -> Result<ScriptValue> {
    let text = match error.details() {
        Some(details) => format!("{} {details}", error.code()),
        None => error.code().to_owned(),
    };
    allowance.take(0)?;
    let key = string(b"err".to_vec(), allowance)?;
    Ok(ScriptValue::Map(vec![(
        key,
        string(text.into_bytes(), allowance)?,
    )]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    fn parse(reply: &[u8]) -> Result<ScriptValue> {
        let value = redis::parse_redis_value(reply).unwrap();
        ScriptValue::from_redis(value, ValueLimits::default())
    }

    #[test]
    fn every_type_of_the_protocol_is_one_of_a_script() {
        let text = |text: &str| ScriptValue::from(text);
        for (reply, value) in [
            (&b"_\r\n"[..], ScriptValue::Nil),
            (b"$-1\r\n", ScriptValue::Nil),
            (b":-7\r\n", ScriptValue::Integer(-7)),
            (b",1.5\r\n", ScriptValue::Float(1.5)),
            (b"#t\r\n", ScriptValue::Bool(true)),
            (b"+OK\r\n", text("OK")),
            (b"+PONG\r\n", text("PONG")),
            (b"$3\r\n\xff\0\n\r\n", ScriptValue::from(&b"\xff\0\n"[..])),
            (b"=8\r\ntxt:text\r\n", text("text")),
            (
                b"(12345678901234567890123\r\n",
                text("12345678901234567890123"),
            ),
            (
                b"*2\r\n:1\r\n_\r\n",
                ScriptValue::List(vec![1.into(), ScriptValue::Nil]),
            ),
            (b"~1\r\n:1\r\n", ScriptValue::List(vec![1.into()])),
            (
                b"%1\r\n+k\r\n:1\r\n",
                ScriptValue::Map(vec![(text("k"), 1.into())]),
            ),
            (b"|1\r\n+a\r\n+b\r\n:1\r\n", ScriptValue::Integer(1)),
        ] {
            assert_eq!(parse(reply).unwrap(), value, "{}", reply.escape_ascii());
        }
    }

    #[test]
    fn an_error_is_one_and_inside_a_list_it_costs_no_other_value() {
        let refused = parse(b"-WRONGTYPE not a list\r\n").unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Server);
        let err = ScriptValue::Map(vec![("err".into(), "WRONGTYPE not a list".into())]);
        assert_eq!(
            parse(b"*2\r\n:1\r\n-WRONGTYPE not a list\r\n").unwrap(),
            ScriptValue::List(vec![1.into(), err])
        );
    }

    #[test]
    fn what_passes_a_limit_is_refused_and_what_reaches_it_is_not() {
        let nested = |depth| (0..depth).fold(Value::Int(1), |inner, _| Value::Array(vec![inner]));
        let depth = |value, depth| {
            ScriptValue::from_redis(
                value,
                ValueLimits {
                    depth,
                    ..ValueLimits::default()
                },
            )
        };
        depth(nested(3), 3).unwrap();
        let error = depth(nested(4), 3).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conversion);
        assert_eq!(error.delivery(), Some(Delivery::Replied));
        assert!(error.message().contains("more than 3 lists"), "{error}");

        let part = size_of::<ScriptValue>();
        let string = |length| Value::BulkString(vec![0; length]);
        let bytes = |value, bytes| {
            ScriptValue::from_redis(
                value,
                ValueLimits {
                    bytes,
                    ..ValueLimits::default()
                },
            )
        };
        bytes(string(10), part + 10).unwrap();
        let error = bytes(string(11), part + 10).unwrap_err();
        assert!(error.message().contains("too large"), "{error}");
        bytes(Value::Array(vec![Value::Nil; 100]), 100 * part).unwrap_err();
    }
}
