//! Values between Rhai and Redis.

use redis_manager::{Result, ScriptValue, ValueLimits};
use rhai::serde::DynamicDeserializer;
use rhai::{Array, Dynamic, EvalAltResult, Map};

use crate::argument::refused;

/// What a script gives as an argument.
pub(crate) fn from_rhai(value: &Dynamic) -> Result<ScriptValue> {
    let deserializer = DynamicDeserializer::new(value);
    let value = ScriptValue::deserialize_within(deserializer, ValueLimits::default());
    value.map_err(|error| match *error {
        EvalAltResult::ErrorMismatchOutputType(_, given, _) => {
            refused(format!("a {given} cannot be an argument of a command"))
        }
        other => refused(message_of(other)),
    })
}

/// What the engine says, without its "Syntax error", as which it takes the errors of serde.
pub(crate) fn message_of(error: EvalAltResult) -> String {
    match error {
        EvalAltResult::ErrorParsing(error, _) => error.to_string(),
        other => other.to_string(),
    }
}

/// What a script gets as a reply. Not through serde: Rhai's maps have only text as keys, and what the server has need
/// not be text.
pub(crate) fn to_rhai(value: ScriptValue) -> Dynamic {
    match value {
        ScriptValue::Nil => Dynamic::UNIT,
        ScriptValue::Bool(value) => value.into(),
        ScriptValue::Integer(number) => number.into(),
        ScriptValue::Float(number) => number.into(),
        ScriptValue::Bytes(bytes) => text_or_blob(bytes),
        ScriptValue::List(values) => {
            Dynamic::from_array(values.into_iter().map(to_rhai).collect::<Array>())
        }
        ScriptValue::Map(pairs) if pairs.iter().all(|(key, _)| key.as_str().is_some()) => {
            let pairs = pairs.into_iter();
            let pairs =
                pairs.map(|(key, value)| (key.as_str().unwrap_or_default().into(), to_rhai(value)));
            Dynamic::from_map(pairs.collect::<Map>())
        }
        ScriptValue::Map(pairs) => {
            let pairs = pairs.into_iter();
            let pairs =
                pairs.map(|(key, value)| Dynamic::from_array(vec![to_rhai(key), to_rhai(value)]));
            Dynamic::from_array(pairs.collect())
        }
    }
}

/// A string where the bytes are one.
pub(crate) fn text_or_blob(bytes: Vec<u8>) -> Dynamic {
    match String::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(error) => Dynamic::from_blob(error.into_bytes()),
    }
}

/// The value, or `()`.
pub(crate) fn optional(value: Option<impl Into<Dynamic>>) -> Dynamic {
    value.map_or(Dynamic::UNIT, Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_text_is_a_blob_and_comes_back_as_it_was() {
        let binary = || ScriptValue::from(&b"\xff\0\r\n"[..]);
        let text = || ScriptValue::from("text");
        for value in [
            ScriptValue::Nil,
            true.into(),
            (-7).into(),
            1.5.into(),
            text(),
            binary(),
            vec![binary(), text(), ScriptValue::Nil].into(),
            ScriptValue::Map(vec![(text(), binary())]),
        ] {
            assert_eq!(from_rhai(&to_rhai(value.clone())).unwrap(), value);
        }
        assert!(to_rhai(binary()).is_blob() && to_rhai(text()).is_string());
    }

    #[test]
    fn a_map_with_keys_that_are_no_text_is_a_list_of_pairs() {
        let binary = ScriptValue::from(&b"\xff"[..]);
        let map = to_rhai(ScriptValue::Map(vec![(binary.clone(), 1.into())]));
        let pair = ScriptValue::List(vec![binary, 1.into()]);
        assert_eq!(from_rhai(&map).unwrap(), ScriptValue::List(vec![pair]));
    }

    #[test]
    fn what_redis_has_no_word_for_is_refused_by_its_name() {
        let error = from_rhai(&Dynamic::from(rhai::FnPtr::new("f").unwrap())).unwrap_err();
        assert!(error.message().contains("a Fn cannot"), "{error}");
        let deep = (0..100).fold(Dynamic::UNIT, |inner, _| Dynamic::from_array(vec![inner]));
        let error = from_rhai(&deep).unwrap_err();
        assert!(
            error.message().starts_with("the value is too deep"),
            "{error}"
        );
    }
}
