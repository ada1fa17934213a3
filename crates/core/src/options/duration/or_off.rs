//! Durations that can be switched off.

use std::fmt;
use std::time::Duration;

use serde::de::{self, Visitor};
use serde::{Deserializer, Serializer};

use super::WithUnit;

/// `None` in a config file. Not simply left out: that means the default, and TOML knows no null.
const OFF: &str = "off";

pub(in super::super) fn serialize<S: Serializer>(
    duration: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match duration {
        Some(duration) => super::serialize(duration, serializer),
        None => serializer.serialize_str(OFF),
    }
}

pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Duration>, D::Error> {
    deserializer.deserialize_str(OrOff)
}

struct OrOff;

impl Visitor<'_> for OrOff {
    type Value = Option<Duration>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        WithUnit.expecting(f)?;
        f.write_str(", or \"off\"")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        if text == OFF {
            return Ok(None);
        }
        let parsed = WithUnit.visit_str::<E>(text).map(Some);
        parsed.map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))
    }
}
