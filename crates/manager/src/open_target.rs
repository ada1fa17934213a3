//! What an open call takes.

use redis_manager_core::{ClientOptions, IntoRedisUri, RedisUri, Result};

use crate::ManagerConfig;
use crate::config::PasswordSource;

/// What can be opened: whatever is an [`IntoRedisUri`] — a [`RedisUri`], a URI as text, or host, port and password — and
/// a server of the manager's configuration, by its name: [`named`].
pub trait OpenTarget {
    /// Finds the server that is meant. `config` is that of the manager.
    ///
    /// # Errors
    ///
    /// [`InvalidUri`](crate::ErrorKind::InvalidUri), as of [`IntoRedisUri::into_redis_uri`];
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) if the configuration has no server of that name.
    fn open_target(self, config: &ManagerConfig) -> Result<Target>;
}

/// A server that is about to be opened.
#[derive(Clone, Debug)]
pub struct Target {
    uri: RedisUri,
    options: Option<ClientOptions>,
    username: Option<String>,
    password: Option<PasswordSource>,
}

impl Target {
    /// The server at `uri`.
    #[must_use]
    pub fn new(uri: RedisUri) -> Self {
        Self {
            uri,
            options: None,
            username: None,
            password: None,
        }
    }

    /// Sets the options of a client that is opened without any.
    #[must_use]
    pub fn with_options(mut self, options: ClientOptions) -> Self {
        self.options = Some(options);
        self
    }

    /// The options for a client that was `given` some, or none.
    pub(crate) fn options(&self, given: Option<ClientOptions>) -> ClientOptions {
        given.or_else(|| self.options.clone()).unwrap_or_default()
    }

    /// The URI with the login, of which the password is read now. Blocks the thread.
    pub(crate) fn login(self) -> Result<RedisUri> {
        match &self.password {
            Some(password) => {
                let password = password.read()?;
                Ok(self
                    .uri
                    .with_login(self.username.as_deref().unwrap_or_default(), password))
            }
            None => Ok(self.uri),
        }
    }

    /// Whether [`login`](Self::login) has something to read.
    pub(crate) fn reads_password(&self) -> bool {
        self.password.is_some()
    }
}

impl<T: IntoRedisUri> OpenTarget for T {
    fn open_target(self, _config: &ManagerConfig) -> Result<Target> {
        self.into_redis_uri().map(Target::new)
    }
}

/// A server of the manager's configuration, made by [`named`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Named(String);

/// The server of this name in the manager's [configuration](ManagerConfig), with the options that it has there; those
/// that a call gives go before them, as a whole.
///
/// ```no_run
/// use redis_manager::prelude::*;
///
/// # fn example(manager: RedisManager, script: ScriptHandle) -> redis_manager::Result<()> {
/// let client = manager.open::<RedisCommandClient>(&script, named("main"))?;
/// let hasty = manager.new_client_options().command_timeout(Duration::from_millis(50)).build()?;
/// let other = manager.open_redis_client_with(&script, ClientType::Command, named("main"), hasty)?;
/// # Ok(()) }
/// ```
#[must_use]
pub fn named(name: impl Into<String>) -> Named {
    Named(name.into())
}

impl OpenTarget for Named {
    fn open_target(self, config: &ManagerConfig) -> Result<Target> {
        let server = config.find(&self.0)?;
        Ok(Target {
            uri: server.uri().clone(),
            options: Some(server.options().clone()),
            username: server.username().map(str::to_owned),
            password: server.password_source(),
        })
    }
}

impl OpenTarget for &Named {
    fn open_target(self, config: &ManagerConfig) -> Result<Target> {
        self.clone().open_target(config)
    }
}
