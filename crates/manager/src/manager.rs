//! The facade: scripts, their clients, and the end of both.

mod closing;
mod mailbox;
mod opening;
mod reloading;
mod viewing;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use redis_manager_core::{
    ClientOptions, ClientOptionsBuilder, ClientResources, ClientType, RedisUri, RedisUriBuilder,
    Result, ScriptHandle, ScriptOptions, ScriptRedisClient,
};

use tokio_util::task::TaskTracker;

use crate::config::ServerLogins;
use crate::registry::Registry;
use crate::{AnyClient, ManagerConfig};

pub use reloading::ScriptReload;

/// Knows which script owns which client, and closes all of them when the script is unloaded;
/// PySpigot's `RedisManager`.
///
/// Cheap to clone. When the last clone is dropped, every script is unloaded without waiting; to wait,
/// call [`shutdown`](Self::shutdown). A method without a suffix blocks its thread, and works from any
/// thread; its twin ending in `_async` returns a future, for any executor.
///
/// ```no_run
/// use redis_manager::prelude::*;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let manager = RedisManager::new()?;
/// let economy = manager.load_script("economy")?;
/// let client = manager.open::<RedisCommandClient>(&economy, ("localhost", 6379))?;
/// client.commands().set::<_, _, ()>("balance:alice", 100)?;
/// let report = manager.unload_script(&economy);
/// assert!(report.is_clean());
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct RedisManager(Arc<Inner>);

struct Inner {
    config: ManagerConfig,
    /// Of the configuration's servers. One each, because who shares a connection is told by it.
    logins: BTreeMap<String, ServerLogins>,
    resources: ClientResources,
    /// Whether the resources end with the manager, being its alone.
    owns_resources: bool,
    registry: Mutex<Registry<AnyClient>>,
    /// The closings under way, for which a shutdown waits, whoever began them.
    closings: TaskTracker,
}

impl RedisManager {
    /// Makes a manager with threads of its own, as [`ClientResources::new`] starts them.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Internal`](crate::ErrorKind::Internal) if the operating system gives no thread.
    pub fn new() -> Result<Self> {
        let resources = ClientResources::new()?;
        Ok(Self::build(ManagerConfig::default(), resources, true))
    }

    /// Makes a manager on `resources`, which may be shared and are not shut down with it.
    ///
    /// ```
    /// use redis_manager::{ClientResources, RedisManager};
    ///
    /// let resources = ClientResources::builder().callback_threads(4).build()?;
    /// let manager = RedisManager::with_resources(resources);
    /// # Ok::<(), redis_manager::Error>(())
    /// ```
    #[must_use]
    pub fn with_resources(resources: ClientResources) -> Self {
        Self::build(ManagerConfig::default(), resources, false)
    }

    /// Makes a manager with the threads that `config` says, whose scripts have the options that stand there and open
    /// servers by their [name](crate::named). Connects to none, and reads no password yet.
    ///
    /// ```
    /// use redis_manager::{ManagerConfig, RedisManager};
    ///
    /// let config: ManagerConfig = toml::from_str(r#"servers.main.uri = "redis://localhost""#)?;
    /// let manager = RedisManager::from_config(config)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`InvalidOptions`](crate::ErrorKind::InvalidOptions) says what is wrong in `config`, and where: a user without a
    /// password, a number of threads of 0. [`Internal`](crate::ErrorKind::Internal) as of [`new`](Self::new).
    pub fn from_config(config: ManagerConfig) -> Result<Self> {
        config.check()?;
        let resources = config.resources().builder().build()?;
        Ok(Self::build(config, resources, true))
    }

    /// As [`from_config`](Self::from_config), on `resources`, as [`with_resources`](Self::with_resources) takes them:
    /// what `config` says of threads is left to whoever made them.
    ///
    /// # Errors
    ///
    /// [`InvalidOptions`](crate::ErrorKind::InvalidOptions) as of [`from_config`](Self::from_config).
    pub fn from_config_with_resources(
        config: ManagerConfig,
        resources: ClientResources,
    ) -> Result<Self> {
        config.check()?;
        Ok(Self::build(config, resources, false))
    }

    fn build(config: ManagerConfig, resources: ClientResources, owns_resources: bool) -> Self {
        Self(Arc::new(Inner {
            logins: config.logins(),
            config,
            resources,
            owns_resources,
            registry: Mutex::new(Registry::new()),
            closings: TaskTracker::new(),
        }))
    }

    /// Begins a URI; the same as [`RedisUri::builder`].
    pub fn new_redis_uri(&self) -> RedisUriBuilder {
        RedisUri::builder()
    }

    /// Begins options; the same as [`ClientOptions::builder`].
    pub fn new_client_options(&self) -> ClientOptionsBuilder {
        ClientOptions::builder()
    }

    /// Loads a script, so that it may open clients, with the options that the configuration has for it: by default it
    /// is allowed everything. Does not block.
    ///
    /// # Errors
    ///
    /// [`ScriptConflict`](crate::ErrorKind::ScriptConflict) if a script of this name is loaded,
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) if the name is empty,
    /// [`InvalidOptions`](crate::ErrorKind::InvalidOptions) if it makes no key prefix of the configuration's pattern,
    /// [`Closed`](crate::ErrorKind::Closed) after a shutdown.
    pub fn load_script(&self, name: impl AsRef<str>) -> Result<ScriptHandle> {
        let options = self.0.config.script_options(name.as_ref())?;
        self.load_script_with(name, options)
    }

    /// Loads a script with these options, whatever the configuration has for it. Does not block. Whoever reloads it
    /// keeps its options.
    ///
    /// ```
    /// use redis_manager::prelude::*;
    ///
    /// let manager = RedisManager::new()?;
    /// let limits = ScriptLimits::none().with_clients(2).with_commands_in_flight(64);
    /// let economy = manager.load_script_with("economy", ScriptOptions::default().with_limits(limits))?;
    /// # Ok::<(), redis_manager::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`load_script`](Self::load_script); [`ScriptConflict`](crate::ErrorKind::ScriptConflict) also if its key prefix
    /// begins that of another loaded script, or the other way round. Two scripts may have the same.
    pub fn load_script_with(
        &self,
        name: impl AsRef<str>,
        options: ScriptOptions,
    ) -> Result<ScriptHandle> {
        self.0.registry.lock().load(name.as_ref(), options)
    }

    /// The loaded script of this name.
    #[must_use]
    pub fn script(&self, name: &str) -> Option<ScriptHandle> {
        self.0.registry.lock().script(name)
    }

    /// Every loaded script, in the order of loading.
    #[must_use]
    pub fn scripts(&self) -> Vec<ScriptHandle> {
        self.0.registry.lock().scripts()
    }

    /// The open clients of `script`, in the order of opening.
    #[must_use]
    pub fn redis_clients(&self, script: &ScriptHandle) -> Vec<AnyClient> {
        self.0.registry.lock().clients(script)
    }

    /// The open clients of `script` that are of this kind, in the order of opening.
    #[must_use]
    pub fn redis_clients_of_type(
        &self,
        script: &ScriptHandle,
        client_type: ClientType,
    ) -> Vec<AnyClient> {
        let mut clients = self.redis_clients(script);
        clients.retain(|client| client.client_type() == client_type);
        clients
    }

    /// What the manager was made with.
    #[must_use]
    pub fn config(&self) -> &ManagerConfig {
        &self.0.config
    }

    /// Who logs in on the configuration's server of this name.
    pub(crate) fn logins(&self, name: &str) -> ServerLogins {
        self.0.logins.get(name).cloned().unwrap_or_default()
    }

    /// The threads that the manager's clients run on.
    #[must_use]
    pub fn resources(&self) -> &ClientResources {
        &self.0.resources
    }
}

impl fmt::Debug for RedisManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisManager")
            .field("scripts", &self.scripts())
            .finish_non_exhaustive()
    }
}
