//! What a script and Redis exchange, in no engine's own types.

mod arguments;
mod from_redis;
mod limits;
mod serde;

use std::fmt;

pub use limits::ValueLimits;

/// A value as most script languages have it, between those of an engine and those of Redis.
///
/// It is how a host calls commands for a script, with [`ScriptCommand`](crate::ScriptCommand), whatever the engine.
/// It implements serde's traits, so engines that do too (`mlua`, `rhai`, `pyo3` through `pythonize`) convert it by
/// themselves, as JSON does.
///
/// Redis knows bytes, not text: [`Bytes`](Self::Bytes) are what the server has, and serde sees them as a string where
/// they are UTF-8, as bytes where they are not. So nothing is lost on the way through an engine whose strings are bytes
/// (Lua), nor through one that has a type for each (Rhai, Python).
///
/// ```
/// use redis_manager::ScriptValue;
///
/// let value = ScriptValue::from(vec![ScriptValue::from("a"), ScriptValue::from(1), ScriptValue::Nil]);
/// assert_eq!(serde_json::to_string(&value)?, r#"["a",1,null]"#);
/// assert_eq!(serde_json::from_str::<ScriptValue>(r#"["a",1,null]"#)?, value);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Default, PartialEq)]
pub enum ScriptValue {
    /// Nothing: a key that is missing, for one.
    #[default]
    Nil,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// Any other number.
    Float(f64),
    /// A string, of text or not.
    Bytes(Vec<u8>),
    /// Values in their order; a set, in any.
    List(Vec<ScriptValue>),
    /// Keys and values, in the order in which they came.
    Map(Vec<(ScriptValue, ScriptValue)>),
}

impl ScriptValue {
    /// The text, if it is a string and UTF-8.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(self.as_bytes()?).ok()
    }

    /// The bytes, if it is a string.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The number, if it is a whole one.
    #[must_use]
    pub fn as_integer(&self) -> Option<i64> {
        match self {
            Self::Integer(number) => Some(*number),
            _ => None,
        }
    }

    /// The number, if it is one.
    #[must_use]
    pub fn as_float(&self) -> Option<f64> {
        match self {
            Self::Integer(number) => Some(*number as f64),
            Self::Float(number) => Some(*number),
            _ => None,
        }
    }

    /// The truth value, if it is one.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The values, if it is a list.
    #[must_use]
    pub fn as_list(&self) -> Option<&[ScriptValue]> {
        match self {
            Self::List(values) => Some(values),
            _ => None,
        }
    }

    /// The keys and values, if it is a map.
    #[must_use]
    pub fn as_map(&self) -> Option<&[(ScriptValue, ScriptValue)]> {
        match self {
            Self::Map(pairs) => Some(pairs),
            _ => None,
        }
    }

    /// Whether it is nothing.
    #[must_use]
    pub fn is_nil(&self) -> bool {
        *self == Self::Nil
    }
}

impl From<bool> for ScriptValue {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for ScriptValue {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<i32> for ScriptValue {
    fn from(value: i32) -> Self {
        Self::Integer(value.into())
    }
}

impl From<f64> for ScriptValue {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl From<&str> for ScriptValue {
    fn from(value: &str) -> Self {
        Self::Bytes(value.into())
    }
}

impl From<String> for ScriptValue {
    fn from(value: String) -> Self {
        Self::Bytes(value.into())
    }
}

impl From<&[u8]> for ScriptValue {
    fn from(value: &[u8]) -> Self {
        Self::Bytes(value.into())
    }
}

impl From<Vec<u8>> for ScriptValue {
    fn from(value: Vec<u8>) -> Self {
        Self::Bytes(value)
    }
}

impl From<Vec<ScriptValue>> for ScriptValue {
    fn from(values: Vec<ScriptValue>) -> Self {
        Self::List(values)
    }
}

impl<K: Into<ScriptValue>, V: Into<ScriptValue>> From<Vec<(K, V)>> for ScriptValue {
    fn from(pairs: Vec<(K, V)>) -> Self {
        let pairs = pairs.into_iter();
        Self::Map(
            pairs
                .map(|(key, value)| (key.into(), value.into()))
                .collect(),
        )
    }
}

impl<T: Into<ScriptValue>> From<Option<T>> for ScriptValue {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Nil, Into::into)
    }
}

/// Strings as text as far as they are, the rest as it would be written.
impl fmt::Debug for ScriptValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nil => f.write_str("nil"),
            Self::Bool(value) => value.fmt(f),
            Self::Integer(number) => number.fmt(f),
            Self::Float(number) => write!(f, "{number:?}"),
            Self::Bytes(bytes) => write!(f, "\"{}\"", bytes.escape_ascii()),
            Self::List(values) => f.debug_list().entries(values).finish(),
            Self::Map(pairs) => {
                let pairs = pairs.iter().map(|(key, value)| (key, value));
                f.debug_map().entries(pairs).finish()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_can_read_it() {
        let list = ScriptValue::from(vec!["a\n".into(), 1.into(), 1.0.into(), ScriptValue::Nil]);
        let value = ScriptValue::from(vec![("list", list), ("is", true.into())]);
        assert_eq!(
            format!("{value:?}"),
            r#"{"list": ["a\n", 1, 1.0, nil], "is": true}"#
        );
        assert_eq!(value.as_map().unwrap()[0].1.as_list().unwrap().len(), 4);
    }
}
