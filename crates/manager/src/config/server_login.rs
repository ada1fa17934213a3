//! Who logs in on a server of the configuration.

use std::error::Error as StdError;
use std::sync::Arc;

use async_trait::async_trait;
use redis_manager_core::{Credentials, CredentialsProvider, Error, ErrorKind, RedisUri, Result};
use tokio::task::spawn_blocking;

use super::password::PasswordSource;

/// Who logs in on a server of the configuration and on its sentinels, as far as it is not its URI that says so.
#[derive(Clone, Debug, Default)]
pub(crate) struct ServerLogins {
    pub(crate) server: Option<Arc<ServerLogin>>,
    pub(crate) sentinels: Option<Arc<ServerLogin>>,
}

/// The login of a server, whose password is read each time.
#[derive(Debug)]
pub(crate) struct ServerLogin {
    username: Option<String>,
    password: PasswordSource,
}

impl ServerLogin {
    pub(super) fn new(username: Option<&str>, password: PasswordSource) -> Self {
        Self {
            username: username.map(str::to_owned),
            password,
        }
    }

    async fn password(&self) -> Result<String> {
        let source = self.password.clone();
        let read = spawn_blocking(move || source.read()).await;
        read.map_err(|error| {
            let message = "reading the password failed";
            Error::new(ErrorKind::Internal, message).with_source(error)
        })?
    }

    /// `uri` with the login of this moment. Must be polled on a tokio runtime.
    ///
    /// # Errors
    ///
    /// What keeps the password from being read.
    pub(crate) async fn log_in(&self, uri: RedisUri) -> Result<RedisUri> {
        let password = self.password().await?;
        Ok(uri.with_login(self.username.as_deref().unwrap_or_default(), password))
    }
}

#[async_trait]
impl CredentialsProvider for ServerLogin {
    async fn credentials(&self) -> Result<Credentials, Box<dyn StdError + Send + Sync>> {
        let credentials = Credentials::new(self.password().await?);
        let username = self.username.as_deref().unwrap_or_default();
        Ok(credentials.with_username(username))
    }
}
