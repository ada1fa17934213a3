//! Durations in a config file that can be switched off.

use std::fmt;
use std::time::Duration;

use humantime_serde::re::humantime;
use serde::de::{self, Visitor};
use serde::{Deserializer, Serializer};

/// `None` in a config file. Not simply left out: that means the default, and TOML knows no null.
const OFF: &str = "off";

pub(super) fn serialize<S: Serializer>(
    duration: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match duration {
        Some(duration) => humantime_serde::serialize(duration, serializer),
        None => serializer.serialize_str(OFF),
    }
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Duration>, D::Error> {
    deserializer.deserialize_str(OrOff)
}

struct OrOff;

impl Visitor<'_> for OrOff {
    type Value = Option<Duration>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a duration such as \"30s\", or \"off\"")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        if text == OFF {
            return Ok(None);
        }
        let parsed = humantime::parse_duration(text).map(Some);
        parsed.map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))
    }
}
