//! Where in a script the host is called.

use std::rc::Rc;

use rhai::Position;
use script_host::ScriptError;

/// A position in a script's file.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    file: Rc<str>,
    position: Position,
}

impl Place {
    pub(crate) fn new(file: Rc<str>, position: Position) -> Self {
        Self { file, position }
    }

    pub(crate) fn file(&self) -> &str {
        &self.file
    }

    /// From 1.
    pub(crate) fn line(&self) -> Option<usize> {
        self.position.line()
    }

    /// In the line, from 1.
    pub(crate) fn column(&self) -> Option<usize> {
        self.position.position()
    }

    pub(crate) fn position(&self) -> Position {
        self.position
    }

    /// The same, unless `position` knows better.
    pub(crate) fn or_at(&self, position: Position) -> Self {
        Self {
            file: Rc::clone(&self.file),
            position: position.or_else(self.position),
        }
    }

    pub(crate) fn error(&self, message: impl Into<String>) -> ScriptError {
        ScriptError::new(&*self.file, self.line(), message)
    }
}
