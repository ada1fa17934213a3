//! How engines that know serde convert values by themselves.

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde::{Deserialize, de};

use super::limits::Allowance;
use super::{ScriptValue, ValueLimits};

impl Serialize for ScriptValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Nil => serializer.serialize_none(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Integer(number) => serializer.serialize_i64(*number),
            Self::Float(number) => serializer.serialize_f64(*number),
            Self::Bytes(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => serializer.serialize_str(text),
                Err(_) => serializer.serialize_bytes(bytes),
            },
            Self::List(values) => serializer.collect_seq(values),
            Self::Map(pairs) => {
                let mut map = serializer.serialize_map(Some(pairs.len()))?;
                for (key, value) in pairs {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for ScriptValue {
    /// Within the default limits.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::deserialize_within(deserializer, ValueLimits::default())
    }
}

impl ScriptValue {
    /// Takes a value out of `deserializer`, an engine's or a format's.
    ///
    /// ```
    /// use redis_manager::{ScriptValue, ValueLimits};
    ///
    /// let limits = ValueLimits { depth: 1, ..ValueLimits::default() };
    /// let within = |text| {
    ///     let mut json = serde_json::Deserializer::from_str(text);
    ///     ScriptValue::deserialize_within(&mut json, limits)
    /// };
    /// assert_eq!(within("[1]")?, ScriptValue::List(vec![1.into()]));
    /// assert!(within("[[1]]").is_err());
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The deserializer's, and one of its kind if the value passes `limits` or has something in it that is no value:
    /// a whole number beyond 64 bits.
    pub fn deserialize_within<'de, D: Deserializer<'de>>(
        deserializer: D,
        limits: ValueLimits,
    ) -> Result<Self, D::Error> {
        let allowance = RefCell::new(limits.allowance());
        Part(&allowance).deserialize(deserializer)
    }
}

/// One part of a value, which shares its limits.
#[derive(Clone, Copy)]
struct Part<'a>(&'a RefCell<Allowance>);

impl Part<'_> {
    fn take<E: de::Error>(self, bytes: usize) -> Result<(), E> {
        self.0.borrow_mut().take(bytes).map_err(E::custom)
    }

    fn leaf<E: de::Error>(self, value: impl Into<ScriptValue>) -> Result<ScriptValue, E> {
        self.take(0)?;
        Ok(value.into())
    }

    fn enter<E: de::Error>(self) -> Result<(), E> {
        self.take(0)?;
        self.0.borrow_mut().enter().map_err(E::custom)
    }

    fn leave(self) {
        self.0.borrow_mut().leave();
    }

    fn room(self, wanted: Option<usize>) -> usize {
        self.0.borrow().room(wanted.unwrap_or_default())
    }
}

impl<'de> DeserializeSeed<'de> for Part<'_> {
    type Value = ScriptValue;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<ScriptValue, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Part<'_> {
    type Value = ScriptValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nil, a truth value, a number, a string, a list or a map")
    }

    fn visit_unit<E: de::Error>(self) -> Result<ScriptValue, E> {
        self.leaf(ScriptValue::Nil)
    }

    fn visit_none<E: de::Error>(self) -> Result<ScriptValue, E> {
        self.leaf(ScriptValue::Nil)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<ScriptValue, D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<ScriptValue, D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<ScriptValue, E> {
        self.leaf(value)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<ScriptValue, E> {
        self.leaf(number)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<ScriptValue, E> {
        let number = i64::try_from(number).map_err(|_| E::custom("a number beyond 64 bits"))?;
        self.leaf(number)
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<ScriptValue, E> {
        self.leaf(number)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<ScriptValue, E> {
        self.visit_bytes(text.as_bytes())
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<ScriptValue, E> {
        self.visit_byte_buf(text.into_bytes())
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<ScriptValue, E> {
        self.take(bytes.len())?;
        Ok(bytes.into())
    }

    fn visit_byte_buf<E: de::Error>(self, bytes: Vec<u8>) -> Result<ScriptValue, E> {
        self.take(bytes.len())?;
        Ok(bytes.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<ScriptValue, A::Error> {
        self.enter()?;
        let mut list = Vec::with_capacity(self.room(values.size_hint()));
        while let Some(value) = values.next_element_seed(self)? {
            list.push(value);
        }
        self.leave();
        Ok(ScriptValue::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut pairs: A) -> Result<ScriptValue, A::Error> {
        self.enter()?;
        let mut map = Vec::with_capacity(self.room(pairs.size_hint()));
        while let Some(key) = pairs.next_key_seed(self)? {
            map.push((key, pairs.next_value_seed(self)?));
        }
        self.leave();
        Ok(ScriptValue::Map(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn within(json: &str, limits: ValueLimits) -> Result<ScriptValue, serde_json::Error> {
        let mut json = serde_json::Deserializer::from_str(json);
        ScriptValue::deserialize_within(&mut json, limits)
    }

    #[test]
    fn what_json_can_say_comes_back_as_it_was() {
        for json in [
            "null",
            "true",
            "-9223372036854775808",
            "1.5",
            r#""text""#,
            r#"[1,[],{}]"#,
            r#"{"a":{"b":[null,false]},"z":"a"}"#,
        ] {
            let value: ScriptValue = serde_json::from_str(json).unwrap();
            assert_eq!(serde_json::to_string(&value).unwrap(), json);
        }
    }

    #[test]
    fn bytes_that_are_no_text_stay_bytes() {
        let value = ScriptValue::from(&b"\xff\0"[..]);
        assert_eq!(serde_json::to_string(&value).unwrap(), "[255,0]");
        assert_eq!(value.as_str(), None);
    }

    #[test]
    fn limits_hold_on_the_way_in() {
        let depth = ValueLimits {
            depth: 2,
            ..ValueLimits::default()
        };
        within("[[1]]", depth).unwrap();
        let error = within("[[[1]]]", depth).unwrap_err();
        assert!(error.to_string().contains("too deep"), "{error}");
        let bytes = ValueLimits {
            bytes: 1000,
            ..ValueLimits::default()
        };
        let error = within(&format!("[{:?}]", "x".repeat(1000)), bytes).unwrap_err();
        assert!(error.to_string().contains("too large"), "{error}");
        let error = within("18446744073709551615", bytes).unwrap_err();
        assert!(error.to_string().contains("beyond 64 bits"), "{error}");
    }
}
