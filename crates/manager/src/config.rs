//! What a host's configuration file says: servers by name, and what scripts may do.

mod environment;
mod login;
mod overrides;
mod password;
mod prefix_template;
mod problem;
mod resources;
mod script;
mod sentinel;
mod server;
mod server_login;
mod shared_reading;
mod tree;
mod variable_name;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use redis_manager_core::{Error, ErrorKind, Result, ScriptOptions};
use serde::{Deserialize, Deserializer, Serialize, de};

pub use prefix_template::PrefixTemplate;
pub use resources::ResourcesConfig;
pub use script::ScriptConfig;
pub use sentinel::SentinelConfig;
pub use server::ServerConfig;
pub(crate) use server_login::ServerLogins;

use problem::{Problem, at};

/// What a host's configuration says: servers and their options by name, what each script may do, and the threads.
/// [`RedisManager::from_config`](crate::RedisManager::from_config) takes it, and scripts open a server by its name:
/// [`named`](crate::named).
///
/// It is read with serde, from whatever format the host has. Everything but a server's `uri` may be left out, and a name
/// that is not known is an error:
///
/// ```
/// use redis_manager::prelude::*;
/// use redis_manager::ManagerConfig;
///
/// let text = r#"
///     [servers.main]
///     uri = "redis://cache.example.com:6379/2?clientName=game"
///     username = "scripts"
///     password_file = "/run/secrets/redis"      # or password_env = "REDIS_PASSWORD", the name of a variable
///
///     [servers.main.options]                    # those of ClientOptions
///     command_timeout = "500ms"
///
///     [default_script]                          # for every script, as far as its own table says nothing else
///     key_prefix = "{script}:"
///     limits = { clients = 4 }
///
///     [scripts.admin]
///     inherit = false                           # nothing of default_script
///     denied_commands = ["SHUTDOWN"]
///
///     [resources]
///     callback_threads = 8
/// "#;
/// let config: ManagerConfig = toml::from_str(text)?;
///
/// let manager = RedisManager::from_config(config.with_environment("REDIS_MANAGER")?)?;
/// let economy = manager.load_script("economy")?;
/// assert_eq!(economy.options().key_prefix().map(KeyPrefix::as_str), Some("economy:"));
/// # let open = || -> redis_manager::Result<()> {
/// let client = manager.open::<RedisCommandClient>(&economy, named("main"))?;
/// let other = manager.open_redis_client(&economy, ClientType::PubSub, named("main"))?;
/// # Ok(()) };
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// The same in JSON:
///
/// ```
/// use redis_manager::ManagerConfig;
///
/// let config: ManagerConfig = serde_json::from_str(
///     r#"{
///         "servers": {"main": {"uri": "redis://cache.example.com", "password_env": "REDIS_PASSWORD"}},
///         "default_script": {"key_prefix": "{script}:", "limits": {"clients": 4}}
///     }"#,
/// )?;
/// assert!(config.server("main").is_some());
/// # Ok::<(), serde_json::Error>(())
/// ```
///
/// **Passwords** stand apart: in a file or in a variable of the environment, read each time that a connection is made,
/// so that the next one has a password that was changed. (A BASIC client reads it when it opens.) A URI with a password
/// in it is taken too. `Debug` and every error of ours show none. `Serialize` writes none either: one that came from
/// outside is left out, as it comes from there again, and a URI with one is an error, because the configuration without
/// it would be another. An error of the *format's* syntax may quote the line that it could not read (`toml` does), so
/// prefer its bare message in logs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ManagerConfig {
    servers: BTreeMap<String, ServerConfig>,
    default_script: ScriptConfig,
    scripts: BTreeMap<String, ScriptConfig>,
    resources: ResourcesConfig,
}

impl ManagerConfig {
    /// Adds a server, or replaces that of this name.
    ///
    /// ```
    /// use redis_manager::{ManagerConfig, ServerConfig};
    ///
    /// let main = ServerConfig::new("redis://localhost/2".parse()?);
    /// let config = ManagerConfig::default().with_server("main", main);
    /// assert_eq!(config.server_names().collect::<Vec<_>>(), ["main"]);
    /// # Ok::<(), redis_manager::Error>(())
    /// ```
    #[must_use]
    pub fn with_server(mut self, name: impl Into<String>, server: ServerConfig) -> Self {
        self.servers.insert(name.into(), server);
        self
    }

    /// Says what the script of this name may do, in place of what was said of it before.
    #[must_use]
    pub fn with_script(mut self, name: impl Into<String>, script: ScriptConfig) -> Self {
        self.scripts.insert(name.into(), script);
        self
    }

    /// Says what every script may do, as far as nothing else is said of it.
    #[must_use]
    pub fn with_default_script(mut self, script: ScriptConfig) -> Self {
        self.default_script = script;
        self
    }

    /// Sets the threads.
    #[must_use]
    pub fn with_resources(mut self, resources: ResourcesConfig) -> Self {
        self.resources = resources;
        self
    }

    /// Changes what variables of the process's environment name that begin with `prefix` and `_`:
    ///
    /// | variable | sets |
    /// |---|---|
    /// | `REDIS_MANAGER_SERVERS_MAIN_URI` | `servers.main.uri`; if there is no such server it makes one, named `main` |
    /// | `REDIS_MANAGER_SERVERS_MAIN_PASSWORD` | the password itself, in place of whatever the file says |
    /// | `REDIS_MANAGER_SERVERS_MAIN_SENTINEL_PASSWORD` | that for the server's sentinels |
    /// | `REDIS_MANAGER_SERVERS_MAIN_OPTIONS_COMMAND_TIMEOUT` | `servers.main.options.command_timeout` |
    /// | `REDIS_MANAGER_SCRIPTS_ADMIN_LIMITS_CLIENTS` | `scripts.admin.limits.clients` |
    /// | `REDIS_MANAGER_DEFAULT_SCRIPT_DENIED_COMMANDS` | `default_script.denied_commands`: names with commas between |
    ///
    /// and so on for every entry. Case does not matter; what is no letter or digit in a server's or a script's name is
    /// `_` in the variable's. An entry is set as a whole, and other servers and scripts must stand in the configuration.
    /// Reads the environment once, now.
    ///
    /// # Errors
    ///
    /// [`InvalidOptions`](ErrorKind::InvalidOptions) names the variable: it fits no entry or several, is empty or no
    /// UTF-8, or its value is not allowed there. The value of a password is in no error.
    pub fn with_environment(self, prefix: &str) -> Result<Self> {
        let variables = environment::variables(prefix)?;
        self.with_variables(prefix, variables)
    }

    /// As [`with_environment`](Self::with_environment), from these variables alone.
    ///
    /// ```
    /// use redis_manager::ManagerConfig;
    /// use std::time::Duration;
    ///
    /// let config = ManagerConfig::default().with_variables(
    ///     "APP_REDIS",
    ///     [
    ///         ("APP_REDIS_SERVERS_MAIN_URI", "redis://localhost"),
    ///         ("APP_REDIS_SERVERS_MAIN_OPTIONS_COMMAND_TIMEOUT", "500ms"),
    ///     ],
    /// )?;
    /// let main = config.server("main").ok_or("no server")?;
    /// assert_eq!(main.options().command_timeout(), Duration::from_millis(500));
    ///
    /// let error = ManagerConfig::default().with_variables("APP", [("APP_SERVER_URI", "redis://localhost")]);
    /// assert!(error.is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`with_environment`](Self::with_environment).
    pub fn with_variables<N: AsRef<str>, V: AsRef<str>>(
        self,
        prefix: &str,
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self> {
        overrides::apply(self, prefix, variables).map_err(Problem::into_error)
    }

    /// The server of this name.
    #[must_use]
    pub fn server(&self, name: &str) -> Option<&ServerConfig> {
        self.servers.get(name)
    }

    /// The names of the servers, in alphabetical order.
    pub fn server_names(&self) -> impl Iterator<Item = &str> {
        self.servers.keys().map(String::as_str)
    }

    /// What the script of this name may do.
    ///
    /// # Errors
    ///
    /// [`InvalidOptions`](ErrorKind::InvalidOptions) if its name makes no key prefix of the pattern that applies to it.
    pub fn script_options(&self, name: &str) -> Result<ScriptOptions> {
        let own = self.scripts.get(name);
        let default = Some(&self.default_script);
        let default = default.filter(|_| own.is_none_or(ScriptConfig::inherits));
        script::options(name, own, default).map_err(Problem::into_error)
    }

    /// The threads.
    #[must_use]
    pub fn resources(&self) -> &ResourcesConfig {
        &self.resources
    }

    /// Says what is wrong with it, if it is to be used as it is.
    pub(crate) fn check(&self) -> Result<()> {
        for (name, server) in &self.servers {
            let checked = server.check_login();
            checked.map_err(|problem| problem.below(&at(["servers", name])).into_error())?;
        }
        Ok(())
    }

    /// Who logs in on each server and its sentinels.
    pub(crate) fn logins(&self) -> BTreeMap<String, ServerLogins> {
        let servers = self.servers.iter();
        servers
            .map(|(name, server)| (name.clone(), server.logins()))
            .collect()
    }

    /// The server that a script opens by name.
    pub(crate) fn find(&self, name: &str) -> Result<&ServerConfig> {
        self.server(name).ok_or_else(|| {
            let names: Vec<&str> = self.server_names().collect();
            let known = match names.is_empty() {
                true => "the manager's configuration names none".to_owned(),
                false => format!("the manager's configuration names {}", names.join(", ")),
            };
            Error::new(
                ErrorKind::InvalidArgument,
                format!("there is no server named {name:?}; {known}"),
            )
        })
    }
}

impl<'de> Deserialize<'de> for ManagerConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Not at once, because no format says where in it an error is, and some repeat a line with a password.
        let tree = serde_json::Value::deserialize(deserializer)?;
        tree::read(tree).map_err(de::Error::custom)
    }
}
