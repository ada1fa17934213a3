//! What a host allows a script.

mod limits;

use serde::{Deserialize, Serialize};

pub use limits::{LimitName, ScriptLimits};

/// What a host allows a script, from its loading on. By default everything, at no cost.
///
/// It is fixed for a generation: a script that is to have other options is loaded anew. In a config file an option
/// left out has its default and an unknown one is an error:
///
/// ```
/// use redis_manager_core::{ScriptLimits, ScriptOptions};
///
/// let limits = ScriptLimits::none().with_clients(4).with_operations_per_second(5_000);
/// let options = ScriptOptions::default().with_limits(limits);
/// let read: ScriptOptions =
///     serde_json::from_str(r#"{"limits": {"clients": 4, "operations_per_second": 5000}}"#)?;
/// assert_eq!(read, options);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScriptOptions {
    limits: ScriptLimits,
}

impl ScriptOptions {
    /// Sets how much of each the script may have at a time. Default [`ScriptLimits::none`].
    #[must_use]
    pub fn with_limits(mut self, limits: ScriptLimits) -> Self {
        self.limits = limits;
        self
    }

    /// How much of each the script may have at a time.
    #[must_use]
    pub fn limits(&self) -> &ScriptLimits {
        &self.limits
    }
}
