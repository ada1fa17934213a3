//! How large a value may be.

use redis_manager_core::{Error, ErrorKind, Result};

use super::ScriptValue;

/// What a value may hold on its way between a script and Redis, so that neither a reply nor a table that contains
/// itself takes the host's memory or its stack.
///
/// ```
/// use redis_manager::ValueLimits;
///
/// let limits = ValueLimits { depth: 8, ..ValueLimits::default() };
/// assert_eq!(limits.bytes, 64 * 1024 * 1024);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ValueLimits {
    /// How deep lists and maps may stand in one another; a value alone has depth 0. 64 by default, and never more
    /// than 256.
    pub depth: usize,
    /// How many bytes all its strings may have, and its parts: each counts as much as a [`ScriptValue`] takes. 64 MiB
    /// by default.
    pub bytes: usize,
}

impl Default for ValueLimits {
    fn default() -> Self {
        Self {
            depth: 64,
            bytes: 64 * 1024 * 1024,
        }
    }
}

/// More would need more of the stack than a thread of a host may have.
const DEEPEST: usize = 256;

impl ValueLimits {
    /// What is left of them for one value.
    pub(super) fn allowance(self) -> Allowance {
        Allowance {
            limits: Self {
                depth: self.depth.min(DEEPEST),
                ..self
            },
            depth: 0,
            bytes: 0,
        }
    }
}

/// What one value has used of its limits.
pub(super) struct Allowance {
    limits: ValueLimits,
    depth: usize,
    bytes: usize,
}

impl Allowance {
    /// Takes one more part, with so many bytes of a string.
    pub(super) fn take(&mut self, bytes: usize) -> Result<()> {
        self.bytes = self
            .bytes
            .saturating_add(size_of::<ScriptValue>())
            .saturating_add(bytes);
        if self.bytes > self.limits.bytes {
            return Err(too_large(format!(
                "the value is too large: more than {} bytes",
                self.limits.bytes
            )));
        }
        Ok(())
    }

    /// Goes into a list or a map.
    pub(super) fn enter(&mut self) -> Result<()> {
        if self.depth == self.limits.depth {
            return Err(too_large(format!(
                "the value is too deep: more than {} lists or maps in one another",
                self.limits.depth
            )));
        }
        self.depth += 1;
        Ok(())
    }

    /// Comes out of it.
    pub(super) fn leave(&mut self) {
        self.depth -= 1;
    }

    /// How many of `wanted` parts are worth room before they are there.
    pub(super) fn room(&self, wanted: usize) -> usize {
        let left = self.limits.bytes.saturating_sub(self.bytes);
        wanted.min(left / size_of::<ScriptValue>()).min(4096)
    }
}

fn too_large(message: String) -> Error {
    Error::new(ErrorKind::Conversion, message)
}
