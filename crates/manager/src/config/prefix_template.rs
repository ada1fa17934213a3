//! A key prefix with the script's name in it.

use std::fmt;
use std::str::FromStr;

use redis_manager_core::{Error, ErrorKind, KeyPrefix, Result};
use serde::{Deserialize, Serialize};

/// What stands for the script's name.
const NAME: &str = "{script}";

/// A [`KeyPrefix`] for many scripts: `{script}` in it stands for the script's name, so that `{script}:` is `economy:`
/// for the script "economy". For a hash tag of the cluster write `{{script}}:`, which is `{economy}:`.
///
/// What follows `{script}` tells the names apart, so a script whose name has that character is not loaded: with
/// `{script}:` the prefix of a script "economy" would begin that of "economy:items". Without `{script}` it is the
/// prefix of every script that it is for, and they share their keys.
///
/// ```
/// use redis_manager::PrefixTemplate;
///
/// let template: PrefixTemplate = "game:{script}:".parse()?;
/// assert_eq!(template.of("economy")?.as_str(), "game:economy:");
/// assert!(template.of("economy:items").is_err());
/// assert!("{script}".parse::<PrefixTemplate>().is_err());
/// # Ok::<(), redis_manager::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PrefixTemplate(String);

impl PrefixTemplate {
    /// Checks `template`.
    ///
    /// # Errors
    ///
    /// [`InvalidOptions`](ErrorKind::InvalidOptions) says what is not allowed: all that is not in a [`KeyPrefix`],
    /// `{script}` at the end, and `{script}` twice.
    pub fn new(template: impl Into<String>) -> Result<Self> {
        let template = template.into();
        let mut parts = template.split(NAME).skip(1);
        match (parts.next(), parts.next()) {
            (_, Some(_)) => return Err(invalid(format!("{template:?} has {NAME} twice"))),
            (Some(""), None) => {
                return Err(invalid(format!(
                    "{template:?} ends with {NAME}; a character that no script's name has must follow, such as `:`, or \
                     the prefix of one script may begin that of another"
                )));
            }
            _ => {}
        }
        KeyPrefix::new(template.replace(NAME, "x"))?;
        Ok(Self(template))
    }

    /// The prefix of the script called `name`.
    ///
    /// # Errors
    ///
    /// [`InvalidOptions`](ErrorKind::InvalidOptions) says what of the name is not allowed.
    pub fn of(&self, name: &str) -> Result<KeyPrefix> {
        let end = self.0.split_once(NAME);
        let end = end.and_then(|(_, after)| after.chars().next());
        if let Some(end) = end.filter(|end| name.contains(*end)) {
            return Err(invalid(format!(
                "the key prefix {:?} wants names without {end:?}, and the script's is {name:?}",
                self.0
            )));
        }
        KeyPrefix::new(self.0.replace(NAME, name))
    }
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidOptions, message)
}

impl From<KeyPrefix> for PrefixTemplate {
    fn from(prefix: KeyPrefix) -> Self {
        Self(prefix.into())
    }
}

impl FromStr for PrefixTemplate {
    type Err = Error;

    fn from_str(template: &str) -> Result<Self> {
        Self::new(template)
    }
}

impl TryFrom<String> for PrefixTemplate {
    type Error = Error;

    fn try_from(template: String) -> Result<Self> {
        Self::new(template)
    }
}

impl From<PrefixTemplate> for String {
    fn from(template: PrefixTemplate) -> Self {
        template.0
    }
}

impl fmt::Display for PrefixTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for PrefixTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}
