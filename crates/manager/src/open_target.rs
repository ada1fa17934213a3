//! What an open call takes.

use redis_manager_core::{ClientOptions, ClientType, IntoRedisUri, RedisUri, Result};

use crate::RedisManager;
use crate::config::ServerLogins;

/// What can be opened: whatever is an [`IntoRedisUri`] — a [`RedisUri`], a URI as text, or host, port and password — and
/// a server of the manager's configuration, by its name: [`named`].
pub trait OpenTarget {
    /// Finds the server that is meant, in the configuration of `manager` if it is there.
    ///
    /// # Errors
    ///
    /// [`InvalidUri`](crate::ErrorKind::InvalidUri), as of [`IntoRedisUri::into_redis_uri`];
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) if the configuration has no server of that name.
    fn open_target(self, manager: &RedisManager) -> Result<Target>;
}

/// A server that is about to be opened.
#[derive(Clone, Debug)]
pub struct Target {
    uri: RedisUri,
    options: Option<ClientOptions>,
    logins: ServerLogins,
}

impl Target {
    /// The server at `uri`.
    #[must_use]
    pub fn new(uri: RedisUri) -> Self {
        Self {
            uri,
            options: None,
            logins: ServerLogins::default(),
        }
    }

    /// Sets the options of a client that is opened without any.
    #[must_use]
    pub fn with_options(mut self, options: ClientOptions) -> Self {
        self.options = Some(options);
        self
    }

    /// With what a client of this kind is opened that was `given` options, or none. Must be polled on a tokio runtime.
    pub(crate) async fn prepare(
        self,
        client_type: ClientType,
        given: Option<ClientOptions>,
    ) -> Result<(RedisUri, ClientOptions)> {
        let mut options = given.or(self.options).unwrap_or_default();
        if let Some(login) = self.logins.sentinels
            && options.sentinel_credentials().is_none()
        {
            options = options.to_builder().sentinel_credentials(login).build()?;
        }
        match self.logins.server {
            Some(login) if options.credentials().is_none() => match client_type {
                // It has its password from its URI alone.
                ClientType::Basic => {
                    let time = options.connect_timeout();
                    Ok((login.log_in(self.uri, time).await?, options))
                }
                _ => Ok((self.uri, options.to_builder().credentials(login).build()?)),
            },
            _ => Ok((self.uri, options)),
        }
    }
}

impl<T: IntoRedisUri> OpenTarget for T {
    fn open_target(self, _manager: &RedisManager) -> Result<Target> {
        self.into_redis_uri().map(Target::new)
    }
}

/// A server of the manager's configuration, made by [`named`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Named(String);

/// The server of this name in the manager's [configuration](crate::ManagerConfig), with the options that it has there;
/// those that a call gives go before them, as a whole, except that the login is the configuration's if they have none.
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
    fn open_target(self, manager: &RedisManager) -> Result<Target> {
        let server = manager.config().find(&self.0)?;
        Ok(Target {
            uri: server.uri().clone(),
            options: Some(server.options().clone()),
            logins: manager.logins(&self.0),
        })
    }
}

impl OpenTarget for &Named {
    fn open_target(self, manager: &RedisManager) -> Result<Target> {
        self.clone().open_target(manager)
    }
}
