//! What stands before all keys and channels of a script.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{Error, ErrorKind, Result};

const LONGEST: usize = 128;

/// What stands before all keys and channels of a script, so that it reaches no others: with `economy:` the script's
/// key `balance` is `economy:balance` on the server.
///
/// 1 to 128 bytes of text, without white space and control characters, and without what means something in a pattern:
/// `*`, `?`, `[`, `]`, `\`. Braces are allowed, and make a hash tag.
///
/// **No prefix may begin another**, or the script of the shorter one reaches the keys of the other: `eco` has
/// `economy:balance` by the name `nomy:balance`. End it with a character that no name has, as `:`, and compare with
/// [`is_apart_from`](Self::is_apart_from).
///
/// ```
/// use redis_manager_core::KeyPrefix;
///
/// let economy: KeyPrefix = "economy:".parse()?;
/// assert_eq!(economy.as_str(), "economy:");
/// assert!(economy.is_apart_from(&"chat:".parse()?));
/// assert!("economy*".parse::<KeyPrefix>().is_err());
/// # Ok::<(), redis_manager_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyPrefix(Arc<str>);

impl KeyPrefix {
    /// Checks `prefix`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidOptions`], saying what is not allowed.
    pub fn new(prefix: impl AsRef<str>) -> Result<Self> {
        let prefix = prefix.as_ref();
        if prefix.is_empty() || prefix.len() > LONGEST {
            return Err(invalid(format!(
                "a key prefix has 1 to {LONGEST} bytes, and this one has {}",
                prefix.len()
            )));
        }
        let is_wrong = |c: &char| c.is_whitespace() || c.is_control() || "*?[]\\".contains(*c);
        if let Some(wrong) = prefix.chars().find(is_wrong) {
            return Err(invalid(format!(
                "the key prefix {prefix:?} has {wrong:?}; allowed is whatever is no white space, \
                 no control character and none of *?[]\\"
            )));
        }
        Ok(Self(prefix.into()))
    }

    /// The prefix.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether neither of the two begins the other, so that scripts with them share no key.
    #[must_use]
    pub fn is_apart_from(&self, other: &Self) -> bool {
        !self.0.starts_with(other.as_str()) && !other.0.starts_with(self.as_str())
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidOptions, message)
}

impl FromStr for KeyPrefix {
    type Err = Error;

    fn from_str(prefix: &str) -> Result<Self> {
        Self::new(prefix)
    }
}

impl TryFrom<String> for KeyPrefix {
    type Error = Error;

    fn try_from(prefix: String) -> Result<Self> {
        Self::new(prefix)
    }
}

impl From<KeyPrefix> for String {
    fn from(prefix: KeyPrefix) -> Self {
        prefix.as_str().to_owned()
    }
}

impl fmt::Display for KeyPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for KeyPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_short_and_means_nothing_in_a_pattern() {
        for good in ["economy:", "{economy}:", "é", "a", &"x".repeat(128)] {
            assert_eq!(KeyPrefix::new(good).unwrap().to_string(), good);
        }
        for bad in [
            "", "a b", "a\n", "a\0", "a*", "a?", "a[", "a]", "a\\", "a\u{a0}",
        ] {
            let error = KeyPrefix::new(bad).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidOptions, "{bad:?}");
        }
        assert!(KeyPrefix::new("x".repeat(129)).is_err());
        let error = KeyPrefix::new("shop*").unwrap_err();
        assert!(error.message().contains("\"shop*\" has '*'"), "{error}");
    }

    #[test]
    fn in_a_config_file_it_is_a_string() {
        let prefix: KeyPrefix = serde_json::from_str("\"economy:\"").unwrap();
        assert_eq!(serde_json::to_string(&prefix).unwrap(), "\"economy:\"");
        assert!(serde_json::from_str::<KeyPrefix>("\"e conomy\"").is_err());
    }

    #[test]
    fn of_two_neither_may_begin_the_other() {
        let prefix = |text: &str| KeyPrefix::new(text).unwrap();
        assert!(prefix("economy:").is_apart_from(&prefix("chat:")));
        assert!(!prefix("eco").is_apart_from(&prefix("economy:")));
        assert!(!prefix("economy:").is_apart_from(&prefix("eco")));
    }
}
