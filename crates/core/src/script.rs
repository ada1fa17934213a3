//! A script, as the library sees it: a name, a generation and a gate.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::RwLock;
use tokio::time::Instant;

use crate::error_sink;
use crate::usage::Usage;
use crate::{
    ClientResources, ErrorSink, Gate, LimitName, Result, ScriptFailure, ScriptOptions, Share,
};

/// One load of one script: a name, a generation and the [`Gate`] that unloading shuts.
///
/// Loading a script of the same name again gives a new generation, and nothing that happens to the
/// old one touches the new. Two handles are equal if they are clones of one another; the name alone
/// does not make them equal.
///
/// A `ScriptHandle` is what owns clients. It is not Redis' Lua script; that is [`redis::Script`].
/// With a manager it comes from `load_script`; [`ScriptHandle::new`] is for those who use a layer alone.
///
/// ```
/// use redis_manager_core::ScriptHandle;
///
/// let first = ScriptHandle::new("economy");
/// let second = ScriptHandle::new("economy");
/// assert_eq!(first.name(), second.name());
/// assert_ne!(first, second);
/// assert!(first.generation() < second.generation());
/// ```
#[derive(Clone)]
pub struct ScriptHandle(Arc<Script>);

struct Script {
    name: String,
    generation: u64,
    gate: Gate,
    error_sink: RwLock<Option<Arc<dyn ErrorSink>>>,
    options: ScriptOptions,
    usage: Option<Arc<Usage>>,
    loaded_at: Instant,
}

impl ScriptHandle {
    /// Makes a new generation of the script `name`, with its gate open.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self::with_options(name, ScriptOptions::default())
    }

    /// As [`new`](Self::new), of a script that is not allowed everything.
    #[must_use]
    pub fn with_options(name: impl Into<String>, options: ScriptOptions) -> Self {
        static NEXT_GENERATION: AtomicU64 = AtomicU64::new(1);
        let name = name.into();
        Self(Arc::new(Script {
            gate: Gate::new(&name),
            error_sink: RwLock::new(None),
            usage: Usage::new(&name, options.limits()),
            options,
            loaded_at: Instant::now(),
            name,
            generation: NEXT_GENERATION.fetch_add(1, Ordering::Relaxed),
        }))
    }

    /// The name that the script was loaded by.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The number of this load, unique within the process and rising.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.0.generation
    }

    /// How long ago it was loaded.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.0.loaded_at.elapsed()
    }

    /// What the script is allowed.
    #[must_use]
    pub fn options(&self) -> &ScriptOptions {
        &self.0.options
    }

    /// How much the script has at this moment of what `limit` bounds; `None` if it is not bounded, and not counted
    /// therefore, and for a rate.
    #[must_use]
    pub fn used(&self, limit: LimitName) -> Option<usize> {
        self.usage()?.used(limit)
    }

    /// Takes one of what `limit` bounds, until the share is dropped.
    ///
    /// ```
    /// use redis_manager_core::{LimitName, ScriptHandle, ScriptLimits, ScriptOptions};
    ///
    /// let limits = ScriptLimits::none().with_sessions(1);
    /// let script = ScriptHandle::with_options("economy", ScriptOptions::default().with_limits(limits));
    /// let share = script.share(LimitName::Sessions)?;
    /// assert!(script.share(LimitName::Sessions).is_err());
    /// drop(share);
    /// assert_eq!(script.used(LimitName::Sessions), Some(0));
    /// # Ok::<(), redis_manager_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::LimitExceeded`](crate::ErrorKind::LimitExceeded) if the script has as many as it may.
    pub fn share(&self, limit: LimitName) -> Result<Share> {
        Share::take(self.usage(), limit)
    }

    /// Counts one of what `limit` bounds in a second.
    ///
    /// ```
    /// use redis_manager_core::{ErrorKind, LimitName, ScriptHandle, ScriptLimits, ScriptOptions};
    ///
    /// let limits = ScriptLimits::none().with_openings_per_second(1);
    /// let script = ScriptHandle::with_options("economy", ScriptOptions::default().with_limits(limits));
    /// script.spend(LimitName::OpeningsPerSecond)?;
    /// let refused = script.spend(LimitName::OpeningsPerSecond).unwrap_err();
    /// assert_eq!(refused.kind(), ErrorKind::LimitExceeded);
    /// # Ok::<(), redis_manager_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::LimitExceeded`](crate::ErrorKind::LimitExceeded) if the script may have no more in this second.
    pub fn spend(&self, limit: LimitName) -> Result<()> {
        match self.usage() {
            Some(usage) => usage.spend(limit, 1, Instant::now()),
            None => Ok(()),
        }
    }

    /// Queues `turns` for a callback thread of `resources`, and for as long as it returns true again, behind the others
    /// that wait; if the script has as many as it may, for when one of them ends. It may block.
    pub fn spawn_sync_turns(
        &self,
        resources: &ClientResources,
        turns: impl FnMut() -> bool + Send + 'static,
    ) {
        match self.usage().and_then(|usage| usage.lane()) {
            Some(lane) => lane.queue(resources, Box::new(turns)),
            None => resources.spawn_sync_turns(turns),
        }
    }

    pub(crate) fn usage(&self) -> Option<&Arc<Usage>> {
        self.0.usage.as_ref()
    }

    /// Whether the script may open clients: true until its gate is shut.
    #[must_use]
    pub fn is_loaded(&self) -> bool {
        self.0.gate.is_open()
    }

    /// Gives the failures of the script's callbacks to `sink` from now on, in place of an earlier one. Default:
    /// each is a line of `tracing`, with script, client and channel as fields.
    ///
    /// The sink is dropped with the last handle of the script, those of its clients included, and is not that of
    /// the script's next generation. It is `Send` and `Sync`, because callbacks run on many threads: one that
    /// belongs to a script engine passes failures on through a channel.
    pub fn set_error_sink(&self, sink: impl ErrorSink) {
        let earlier = self.0.error_sink.write().replace(Arc::new(sink));
        // Not under the lock: it is the host's code that is dropped.
        drop(earlier);
    }

    /// Tells `failure` to whoever learns of them, on the calling thread.
    pub fn report_failure(&self, failure: ScriptFailure) {
        let sink = self.0.error_sink.read().clone();
        error_sink::tell(sink.as_deref(), failure);
    }

    /// The gate that every client of the script passes before it opens.
    #[must_use]
    pub fn gate(&self) -> &Gate {
        &self.0.gate
    }
}

impl PartialEq for ScriptHandle {
    fn eq(&self, other: &Self) -> bool {
        self.0.generation == other.0.generation
    }
}

impl Eq for ScriptHandle {}

impl Hash for ScriptHandle {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.generation.hash(state);
    }
}

impl fmt::Display for ScriptHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.0.name, self.0.generation)
    }
}

impl fmt::Debug for ScriptHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScriptHandle")
            .field("name", &self.0.name)
            .field("generation", &self.0.generation)
            .field("loaded", &self.is_loaded())
            .finish()
    }
}
