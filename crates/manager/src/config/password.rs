//! Where a password comes from.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use redis_manager_core::{Error, ErrorKind, Result};

use super::environment;

/// No password is longer; a path may lead to something without an end.
const LONGEST: u64 = 64 * 1024;

/// A password that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Password(String);

impl Password {
    pub(super) fn new(password: impl Into<String>) -> Self {
        Self(password.into())
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Where the password of a server comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PasswordSource {
    Given(Password),
    /// An environment variable of this name.
    Variable(String),
    File(PathBuf),
}

impl PasswordSource {
    /// Reads the password now, blocking the thread if it is in a file.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Connect`] says what is missing, and nothing of what was read.
    pub(super) fn read(&self) -> Result<String> {
        let outcome = match self {
            Self::Given(password) => return Ok(password.0.clone()),
            Self::Variable(name) => environment::variable(name)
                .ok_or_else(|| format!("the environment variable {name} is not set, or no UTF-8")),
            Self::File(path) => {
                read(path).map_err(|error| format!("the file {}: {error}", path.display()))
            }
        };
        let checked = outcome.and_then(|password| match password.is_empty() {
            true => Err(format!("{self} is empty")),
            false => Ok(password),
        });
        checked.map_err(|problem| {
            Error::new(
                ErrorKind::Connect,
                format!("the password cannot be read: {problem}"),
            )
        })
    }
}

impl PasswordSource {
    /// What is said not to have answered.
    pub(super) fn name(&self) -> String {
        match self {
            Self::File(path) => format!("the password file {}", path.display()),
            Self::Given(_) | Self::Variable(_) => self.to_string(),
        }
    }
}

impl fmt::Display for PasswordSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Given(_) => f.write_str("the password"),
            Self::Variable(name) => write!(f, "the environment variable {name}"),
            Self::File(path) => write!(f, "the file {}", path.display()),
        }
    }
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?
        .take(LONGEST + 1)
        .read_to_string(&mut text)?;
    if text.len() as u64 > LONGEST {
        return Err(io::Error::other("it is longer than 64 KiB"));
    }
    // Most editors, and `echo`, leave one.
    text.truncate(text.trim_end_matches(['\r', '\n']).len());
    Ok(text)
}
