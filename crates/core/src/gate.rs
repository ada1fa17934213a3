//! What stands between a script and a new client once the script is being unloaded.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::{Error, ErrorKind, Result};

/// Open while its script is loaded; once shut, it stays shut.
///
/// An opening takes a [`GatePass`] first and keeps it until the client has an owner. Whoever unloads
/// the script shuts the gate, which ends the openings under way, and then waits until no pass is out:
/// from then on the script can have no client that its owner does not know of.
///
/// ```
/// use redis_manager_core::{ErrorKind, ScriptHandle};
///
/// let script = ScriptHandle::new("economy");
/// let pass = script.gate().pass()?;
/// script.gate().shut();
/// assert_eq!(script.gate().pass().unwrap_err().kind(), ErrorKind::ScriptUnloaded);
/// # drop(pass);
/// # Ok::<(), redis_manager_core::Error>(())
/// ```
pub struct Gate {
    script: String,
    shut: CancellationToken,
    /// That `shut` says so. Each call of a listener looks at it.
    is_shut: AtomicBool,
    passes: TaskTracker,
}

/// Permission to open one client, given back when it is dropped.
#[must_use = "the gate counts the pass only while it is held"]
pub struct GatePass {
    _token: TaskTrackerToken,
}

impl Gate {
    pub(crate) fn new(script: &str) -> Self {
        Self {
            script: script.to_owned(),
            shut: CancellationToken::new(),
            is_shut: AtomicBool::new(false),
            passes: TaskTracker::new(),
        }
    }

    /// Whether clients may be opened.
    #[must_use]
    #[inline]
    pub fn is_open(&self) -> bool {
        !self.is_shut.load(Ordering::Acquire)
    }

    /// Shuts the gate for good. Does not wait; shutting it again does nothing.
    pub fn shut(&self) {
        self.is_shut.store(true, Ordering::Release);
        self.shut.cancel();
        self.passes.close();
    }

    /// Takes a pass.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::ScriptUnloaded`] if the gate is shut.
    pub fn pass(&self) -> Result<GatePass> {
        // The pass is counted before the gate is looked at: whoever shuts the gate in between then
        // waits for it. So it is the token that is asked, which a lock keeps in that order.
        let pass = GatePass {
            _token: self.passes.token(),
        };
        if self.shut.is_cancelled() {
            Err(self.refusal())
        } else {
            Ok(pass)
        }
    }

    /// Completes when the gate is shut.
    pub async fn shut_async(&self) {
        self.shut.cancelled().await;
    }

    /// Completes when the gate is shut and no pass is out.
    pub async fn empty_async(&self) {
        self.passes.wait().await;
    }

    /// The error for whoever comes too late.
    #[must_use]
    pub fn refusal(&self) -> Error {
        Error::new(
            ErrorKind::ScriptUnloaded,
            format!("the script {:?} was unloaded", self.script),
        )
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate")
            .field("script", &self.script)
            .field("open", &self.is_open())
            .field("passes", &self.passes.len())
            .finish()
    }
}

impl fmt::Debug for GatePass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GatePass")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shut_gate_waits_for_the_passes_that_are_out() {
        let gate = Gate::new("economy");
        let pass = gate.pass().unwrap();
        gate.shut();
        assert_eq!(gate.pass().unwrap_err().kind(), ErrorKind::ScriptUnloaded);

        let mut empty = std::pin::pin!(gate.empty_async());
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(empty.as_mut().poll(&mut context).is_pending());
        drop(pass);
        assert!(empty.as_mut().poll(&mut context).is_ready());
    }
}
