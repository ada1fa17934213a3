//! Certificates and keys as a user gives them.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize, Serializer, ser};

/// How every block of PEM begins.
const BEGIN: &str = "-----BEGIN ";

/// Certificates or a private key in PEM form: a file, or the text itself.
///
/// A file is read whenever a connection is made, so that what is put in its place is used from the next connection on.
/// In a config file it is a string: text that contains `-----BEGIN `, or else the path of a file.
///
/// [`Debug`](fmt::Debug) writes the path and never the text. [`Serialize`] writes the text of certificates, and refuses
/// text with a private key: name a file instead.
///
/// ```
/// use redis_manager_core::Pem;
/// use std::path::Path;
///
/// let file = Pem::file("/etc/redis/ca.pem");
/// assert_eq!(file.path(), Some(Path::new("/etc/redis/ca.pem")));
/// let text = Pem::text("-----BEGIN CERTIFICATE-----\n…");
/// assert_eq!(format!("{text:?}"), "Text(***)");
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(from = "String")]
pub struct Pem(Source);

#[derive(Clone, PartialEq, Eq, Hash)]
enum Source {
    File(PathBuf),
    Text(String),
}

impl Pem {
    /// What is in a file; a relative path starts in the working directory of the process.
    #[must_use]
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self(Source::File(path.into()))
    }

    /// The text itself.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self(Source::Text(text.into()))
    }

    /// The file, if it is one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match &self.0 {
            Source::File(path) => Some(path),
            Source::Text(_) => None,
        }
    }

    /// The text, if it is given as such. A private key is a secret.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match &self.0 {
            Source::File(_) => None,
            Source::Text(text) => Some(text),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        match &self.0 {
            Source::File(path) => path.as_os_str().is_empty(),
            Source::Text(text) => text.trim().is_empty(),
        }
    }

    /// What it is at this moment. Blocks while a file is read.
    #[cfg(feature = "tls")]
    pub(crate) fn read(&self) -> std::io::Result<Vec<u8>> {
        match &self.0 {
            Source::File(path) => std::fs::read(path),
            Source::Text(text) => Ok(text.clone().into_bytes()),
        }
    }
}

impl From<String> for Pem {
    fn from(written: String) -> Self {
        if written.contains(BEGIN) {
            Self::text(written)
        } else {
            Self::file(written)
        }
    }
}

impl Serialize for Pem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Source::File(path) => path.serialize(serializer),
            Source::Text(text) if text.contains("PRIVATE KEY") => Err(ser::Error::custom(
                "a private key that was given as text is not written; keep it in a file, and name that",
            )),
            Source::Text(text) => text.serialize(serializer),
        }
    }
}

impl fmt::Debug for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Source::File(path) => f.debug_tuple("File").field(path).finish(),
            Source::Text(_) => f.write_str("Text(***)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_is_a_path_unless_it_is_pem() {
        let read = |json: &str| serde_json::from_str::<Pem>(json).unwrap();
        assert_eq!(read(r#""/etc/ca.pem""#), Pem::file("/etc/ca.pem"));
        let text = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n";
        let written = serde_json::to_string(&Pem::text(text)).unwrap();
        assert_eq!(read(&written), Pem::text(text));
    }

    #[test]
    fn a_private_key_is_neither_shown_nor_written() {
        let key = Pem::text("-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n");
        assert_eq!(format!("{key:?}"), "Text(***)");
        let error = serde_json::to_string(&key).unwrap_err().to_string();
        assert!(
            error.contains("name that") && !error.contains("c2Vj"),
            "{error}"
        );
        assert_eq!(serde_json::to_string(&Pem::file("k")).unwrap(), r#""k""#);
    }
}
