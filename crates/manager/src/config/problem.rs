//! What is wrong with a configuration, and where.

use std::fmt;

use redis_manager_core::{Error, ErrorKind};

/// What is wrong, and the path of where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    path: String,
    what: String,
}

/// The path of what is called so.
pub(super) fn at<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().collect::<Vec<_>>().join(".")
}

impl Problem {
    pub(super) fn new(path: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            what: what.into(),
        }
    }

    /// The same, seen from above: its path begins with `parent`.
    pub(super) fn below(self, parent: &str) -> Self {
        let path = match self.path.as_str() {
            "" => parent.to_owned(),
            path => format!("{parent}.{path}"),
        };
        Self { path, ..self }
    }

    /// The same, because of the variable `name`.
    pub(super) fn of_variable(self, name: &str) -> Self {
        Self::new(format!("the variable {name}"), self.to_string())
    }

    pub(super) fn into_error(self) -> Error {
        Error::new(
            ErrorKind::InvalidOptions,
            format!("invalid configuration: {self}"),
        )
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.as_str() {
            "" => f.write_str(&self.what),
            path => write!(f, "{path}: {}", self.what),
        }
    }
}
