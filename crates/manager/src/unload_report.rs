//! What unloading a script came to.

use std::fmt;
use std::time::Duration;

use redis_manager_core::{CloseOutcome, CloseReport, ScriptHandle};

/// What became of a script and its clients when it was unloaded. Its `Display` is for a person.
///
/// ```no_run
/// # fn example(manager: redis_manager::RedisManager, script: redis_manager::ScriptHandle) {
/// let report = manager.unload_script(&script);
/// if !report.is_clean() {
///     eprintln!("{report}");
///     for channel in report.running_callbacks() {
///         eprintln!("a listener of {channel} did not return");
///     }
/// }
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct UnloadReport {
    script: ScriptHandle,
    was_loaded: bool,
    clients: Vec<CloseReport>,
    elapsed: Duration,
}

impl UnloadReport {
    pub(crate) fn new(script: ScriptHandle, clients: Vec<CloseReport>, elapsed: Duration) -> Self {
        Self {
            script,
            was_loaded: true,
            clients,
            elapsed,
        }
    }

    pub(crate) fn not_loaded(script: ScriptHandle) -> Self {
        Self {
            script,
            was_loaded: false,
            clients: Vec::new(),
            elapsed: Duration::ZERO,
        }
    }

    /// The script that was unloaded.
    #[must_use]
    pub fn script(&self) -> &ScriptHandle {
        &self.script
    }

    /// False if there was nothing to do: the script was unloaded before, or another manager has it.
    #[must_use]
    pub fn was_loaded(&self) -> bool {
        self.was_loaded
    }

    /// What became of each client, in the order of opening.
    #[must_use]
    pub fn clients(&self) -> &[CloseReport] {
        &self.clients
    }

    /// The clients that answered everything before they closed.
    pub fn drained(&self) -> impl Iterator<Item = &CloseReport> {
        self.with(|outcome| matches!(outcome, CloseOutcome::Drained))
    }

    /// The clients that were cut off at the deadline, with work in flight or a callback running.
    pub fn cut_off(&self) -> impl Iterator<Item = &CloseReport> {
        self.with(|outcome| matches!(outcome, CloseOutcome::CutOff))
    }

    /// The clients whose closing failed.
    pub fn failed(&self) -> impl Iterator<Item = &CloseReport> {
        self.with(|outcome| matches!(outcome, CloseOutcome::Failed(_)))
    }

    /// The clients that are closing still, because nothing waits inside a callback.
    pub fn in_background(&self) -> impl Iterator<Item = &CloseReport> {
        self.with(|outcome| matches!(outcome, CloseOutcome::InBackground))
    }

    /// The channels of the callbacks that were running still when the deadline passed.
    pub fn running_callbacks(&self) -> impl Iterator<Item = &str> {
        let callbacks = self.clients.iter().flat_map(CloseReport::running_callbacks);
        callbacks.map(String::as_str)
    }

    /// Whether everything is closed, nothing was cut off and nothing failed.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        let unclean = self
            .cut_off()
            .chain(self.failed())
            .chain(self.in_background());
        unclean.count() == 0
    }

    /// How long it took.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }

    fn with(&self, is: impl Fn(&CloseOutcome) -> bool) -> impl Iterator<Item = &CloseReport> {
        self.clients
            .iter()
            .filter(move |client| is(client.outcome()))
    }
}

impl fmt::Display for UnloadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.was_loaded {
            return write!(f, "{:?} was not loaded", self.script.name());
        }
        write!(
            f,
            "{:?} unloaded in {:.1?}; clients: {}, {} drained, {} cut off, {} failed",
            self.script.name(),
            self.elapsed,
            self.clients.len(),
            self.drained().count(),
            self.cut_off().count(),
            self.failed().count(),
        )?;
        let others = self.cut_off().chain(self.failed());
        for client in others.chain(self.in_background()) {
            write!(f, "\n  {client}")?;
        }
        Ok(())
    }
}
