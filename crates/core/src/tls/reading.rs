//! Which file is being read.

use parking_lot::Mutex;

/// Left by who reads, for who tells that it took too long.
#[derive(Debug, Default)]
pub(crate) struct Reading(Mutex<Option<String>>);

impl Reading {
    /// What has this name is read next.
    pub(super) fn began(&self, name: &str) {
        *self.0.lock() = Some(name.to_owned());
    }

    pub(super) fn ended(&self) {
        *self.0.lock() = None;
    }

    /// What is being read.
    pub(super) fn name(&self) -> Option<String> {
        self.0.lock().clone()
    }
}
