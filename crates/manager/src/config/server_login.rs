//! Who logs in on a server of the configuration.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use redis_manager_core::{Credentials, CredentialsProvider, Error, ErrorKind, RedisUri, Result};
use tokio::time::timeout;

use super::password::PasswordSource;
use super::shared_reading::SharedReading;

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
    reading: SharedReading<Result<String>>,
}

impl ServerLogin {
    pub(super) fn new(username: Option<&str>, password: PasswordSource) -> Self {
        Self {
            username: username.map(str::to_owned),
            password,
            reading: SharedReading::default(),
        }
    }

    async fn password(&self) -> Result<String> {
        let source = self.password.clone();
        let read = self.reading.get(move || source.read()).await;
        read.map_err(|error| {
            let message = "reading the password failed";
            Error::new(ErrorKind::Internal, message).with_source(error)
        })?
    }

    /// `uri` with the login of this moment, which is read within `time`. Must be polled on a tokio runtime.
    ///
    /// # Errors
    ///
    /// What keeps the password from being read.
    pub(crate) async fn log_in(&self, uri: RedisUri, time: Duration) -> Result<RedisUri> {
        let read = timeout(time, self.password()).await;
        let password = read.unwrap_or_else(|_| {
            let (address, source) = (uri.address(), self.password.name());
            let message =
                format!("no password for {address} within {time:?}: {source} has not answered");
            Err(Error::new(ErrorKind::Timeout, message))
        })?;
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

    fn name(&self) -> Cow<'_, str> {
        Cow::Owned(self.password.name())
    }
}
