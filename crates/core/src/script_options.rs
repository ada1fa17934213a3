//! What a host allows a script.

mod limits;

use serde::{Deserialize, Serialize};

use crate::{DeniedCommands, KeyPrefix};

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
    key_prefix: Option<KeyPrefix>,
    denied_commands: DeniedCommands,
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

    /// Puts `prefix` before all keys and channels of the script, so that it reaches no others. Default none.
    ///
    /// - Whatever a command, a pattern or a listener names gets it, and names that come back lose it. The script sees
    ///   nothing of it, except in what the server says of a key in an error.
    /// - **A command that is not known to name all its keys is refused** with
    ///   [`ErrorKind::Refused`](crate::ErrorKind::Refused): Lua (EVAL, FCALL), what concerns all keys (FLUSHALL, DBSIZE)
    ///   or the server (CONFIG, INFO, CLIENT LIST), and the commands of modules. Which arguments are keys is the
    ///   server's own word, its reply to `COMMAND`: a user of the server's ACL needs that command.
    /// - It holds in every database, so a script may SELECT another one, and share keys only with who has the same
    ///   prefix.
    /// - RANDOMKEY draws from all keys, and is nil if it draws another's. What is counted (the cursor of SCAN, how many
    ///   received a message) tells that there are others, and nothing of them.
    /// - Keyspace notifications cannot be heard: their channels have the key behind a name of Redis' own.
    /// - A BASIC client, and the client of the redis crate, know nothing of it, and are refused.
    #[must_use]
    pub fn with_key_prefix(mut self, prefix: KeyPrefix) -> Self {
        self.key_prefix = Some(prefix);
        self
    }

    /// What stands before all keys and channels of the script.
    #[must_use]
    pub fn key_prefix(&self) -> Option<&KeyPrefix> {
        self.key_prefix.as_ref()
    }

    /// Refuses these commands to the script, with [`ErrorKind::Refused`](crate::ErrorKind::Refused), whether it has a
    /// key prefix or not. Default [`DeniedCommands::none`]. With any a BASIC client, and the client of the redis crate,
    /// are refused too: they would go around the list.
    #[must_use]
    pub fn with_denied_commands(mut self, denied: DeniedCommands) -> Self {
        self.denied_commands = denied;
        self
    }

    /// The commands that the script may not use.
    #[must_use]
    pub fn denied_commands(&self) -> &DeniedCommands {
        &self.denied_commands
    }
}
