//! Durations in a config file: text with a unit, `500ms`.

pub(super) mod or_off;

use std::fmt;
use std::time::Duration;

use humantime_serde::re::humantime;
use serde::de::{self, Visitor};
use serde::{Deserializer, Serializer};

pub(super) fn serialize<S: Serializer>(
    duration: &Duration,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    humantime_serde::serialize(duration, serializer)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Duration, D::Error> {
    deserializer.deserialize_str(WithUnit)
}

/// Says what a duration looks like: who writes one without a unit has to guess it otherwise.
struct WithUnit;

impl Visitor<'_> for WithUnit {
    type Value = Duration;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a duration such as \"30s\" or \"500ms\"")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        let parsed = humantime::parse_duration(text);
        parsed.map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))
    }
}
