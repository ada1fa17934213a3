//! A password among the options.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer, ser};

/// Text that is read, and neither shown nor written.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub(super) struct Secret(String);

impl Secret {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(ser::Error::custom(
            "a password among the options is not written; keep it where the others are",
        ))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ClientOptions;

    #[test]
    fn it_is_read_and_neither_shown_nor_written() {
        let secret: Secret = serde_json::from_str(r#""s3cret""#).unwrap();
        assert_eq!(secret.reveal(), "s3cret");
        assert_eq!(format!("{secret:?}"), "***");
        let error = serde_json::to_string(&secret).unwrap_err().to_string();
        assert!(!error.contains("s3cret"), "{error}");
    }

    #[test]
    fn options_that_have_it_are_read_and_not_shown_and_a_name_alone_is_refused() {
        let built = ClientOptions::builder()
            .sentinel_username("watcher")
            .sentinel_password("s3cret");
        let json = r#"{"sentinel_username": "watcher", "sentinel_password": "s3cret"}"#;
        let read: ClientOptions = serde_json::from_str(json).unwrap();
        assert_eq!(built.build().unwrap(), read);
        assert!(!format!("{read:?}").contains("s3cret"));
        assert!(serde_json::to_string(&read).is_err());
        let alone = ClientOptions::builder().sentinel_username("watcher");
        let error = alone.build().unwrap_err();
        assert!(error.message().contains("`sentinel_username`"), "{error}");
    }
}
