//! Durations in a config file that can be switched off.

use std::time::Duration;

use humantime_serde::re::humantime;
use serde::{Deserialize, Deserializer, Serializer, de};

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
    let text = String::deserialize(deserializer)?;
    if text == OFF {
        return Ok(None);
    }
    humantime::parse_duration(&text).map(Some).map_err(|_| {
        de::Error::invalid_value(
            de::Unexpected::Str(&text),
            &"a duration such as \"30s\", or \"off\"",
        )
    })
}
