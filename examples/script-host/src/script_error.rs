//! What went wrong in a script, and where.

use std::error::Error;
use std::fmt;

/// A failure of a script, with the place: `chat.lua:12: no such key`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptError {
    file: String,
    line: Option<usize>,
    message: String,
}

impl ScriptError {
    /// Makes one of the script in `file`.
    #[must_use]
    pub fn new(
        file: impl Into<String>,
        line: impl Into<Option<usize>>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            file: file.into(),
            line: line.into(),
            message: message.into(),
        }
    }

    /// The script's file.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The line in it, from 1, if it is known.
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        self.line
    }

    /// What happened, without the place.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for ScriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file, self.message),
            None => write!(f, "{}: {}", self.file, self.message),
        }
    }
}

impl Error for ScriptError {}
