//! What a script may do, in a configuration.

use redis_manager_core::{DeniedCommands, ScriptLimits, ScriptOptions};
use serde::{Deserialize, Serialize};

use super::prefix_template::PrefixTemplate;
use super::problem::{Problem, at};

/// What a script may do, in a configuration: [`ScriptOptions`](crate::ScriptOptions) of which some are left to the
/// configuration's `default_script`.
///
/// - `limits`: each that is left out is that of `default_script`.
/// - `key_prefix`, `denied_commands`: left out they are those of `default_script`; otherwise they stand in their place.
/// - `inherit = false`: nothing is taken from `default_script`. Default true.
///
/// ```
/// use redis_manager::{LimitName, ManagerConfig, ScriptConfig, ScriptLimits};
///
/// let config = ManagerConfig::default()
///     .with_default_script(ScriptConfig::default().with_key_prefix("{script}:".parse()?))
///     .with_script("economy", ScriptConfig::default().with_limits(ScriptLimits::none().with_clients(4)));
/// let economy = config.script_options("economy")?;
/// assert_eq!(economy.limits().get(LimitName::Clients), Some(4));
/// assert!(economy.key_prefix().is_some());
/// # Ok::<(), redis_manager::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScriptConfig {
    inherit: bool,
    key_prefix: Option<PrefixTemplate>,
    denied_commands: Option<DeniedCommands>,
    limits: ScriptLimits,
}

impl Default for ScriptConfig {
    fn default() -> Self {
        Self {
            inherit: true,
            key_prefix: None,
            denied_commands: None,
            limits: ScriptLimits::none(),
        }
    }
}

impl ScriptConfig {
    /// Sets whether what is left out is that of the configuration's `default_script`. Default true.
    #[must_use]
    pub fn with_inherit(mut self, inherit: bool) -> Self {
        self.inherit = inherit;
        self
    }

    /// Sets what stands before all keys and channels.
    #[must_use]
    pub fn with_key_prefix(mut self, prefix: PrefixTemplate) -> Self {
        self.key_prefix = Some(prefix);
        self
    }

    /// Sets the commands that are refused.
    #[must_use]
    pub fn with_denied_commands(mut self, denied: DeniedCommands) -> Self {
        self.denied_commands = Some(denied);
        self
    }

    /// Sets how much of each there may be at a time.
    #[must_use]
    pub fn with_limits(mut self, limits: ScriptLimits) -> Self {
        self.limits = limits;
        self
    }

    pub(super) fn inherits(&self) -> bool {
        self.inherit
    }
}

/// What the script `name` may do, of which its `own` table says something, and `default` the rest.
pub(super) fn options(
    name: &str,
    own: Option<&ScriptConfig>,
    default: Option<&ScriptConfig>,
) -> Result<ScriptOptions, Problem> {
    let of_own = own.map(|own| (own, at(["scripts", name])));
    let of_default = default.map(|default| (default, at(["default_script"])));
    let mut options = ScriptOptions::default();
    let mut limits = ScriptLimits::none();
    let mut prefix = None;
    let mut denied = None;
    for (config, path) in of_own.into_iter().chain(of_default) {
        limits = limits.or(&config.limits);
        denied = denied.or(config.denied_commands.as_ref());
        prefix = prefix.or(config.key_prefix.as_ref().map(|prefix| (prefix, path)));
    }
    if let Some((template, path)) = prefix {
        let prefix = template
            .of(name)
            .map_err(|error| Problem::new("key_prefix", error.message()).below(&path))?;
        options = options.with_key_prefix(prefix);
    }
    if let Some(denied) = denied {
        options = options.with_denied_commands(denied.clone());
    }
    Ok(options.with_limits(limits))
}
