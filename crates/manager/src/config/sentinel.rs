//! Who logs in on sentinels, in a configuration.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::password::{Password, PasswordSource};
use super::problem::Problem;
use super::server_login::ServerLogin;

/// Who logs in on the sentinels of a server, in a configuration; the server's own login stands beside it. All of them take
/// the same one.
///
/// - `username`: the user to log in as; needs a password. Default: the sentinels' default user.
/// - `password_env`, `password_file`: as of [`ServerConfig`](crate::ServerConfig).
///
/// ```
/// use redis_manager::{SentinelConfig, ServerConfig};
///
/// let sentinels = SentinelConfig::default().with_username("scripts").with_password_file("/run/secrets/sentinel");
/// let main = ServerConfig::new("redis-sentinel://a,b,c#main".parse()?).with_sentinel(sentinels);
/// # Ok::<(), redis_manager::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SentinelConfig {
    username: Option<String>,
    password_env: Option<String>,
    password_file: Option<PathBuf>,
    /// One that came from outside.
    #[serde(skip)]
    password: Option<Password>,
}

impl SentinelConfig {
    /// Sets the user to log in as. An empty name means none.
    #[must_use]
    pub fn with_username(mut self, username: impl Into<String>) -> Self {
        self.username = Some(username.into()).filter(|username| !username.is_empty());
        self
    }

    /// Sets the password, in place of any other. It is never written.
    #[must_use]
    pub fn with_password(mut self, password: impl Into<String>) -> Self {
        self.password = Some(Password::new(password));
        self
    }

    /// Takes the password from the environment variable of this name, in place of any other.
    #[must_use]
    pub fn with_password_env(self, variable: impl Into<String>) -> Self {
        let username = self.username;
        Self {
            username,
            password_env: Some(variable.into()),
            ..Self::default()
        }
    }

    /// Takes the password from the file at `path`, in place of any other.
    #[must_use]
    pub fn with_password_file(self, path: impl Into<PathBuf>) -> Self {
        let username = self.username;
        Self {
            username,
            password_file: Some(path.into()),
            ..Self::default()
        }
    }

    /// The user to log in as; `None` means the sentinels' default user.
    #[must_use]
    pub fn username(&self) -> Option<&str> {
        self.username.as_deref()
    }

    /// Who logs in, if anybody does.
    pub(super) fn login(&self) -> Option<ServerLogin> {
        Some(ServerLogin::new(self.username(), self.password_source()?))
    }

    fn password_source(&self) -> Option<PasswordSource> {
        if let Some(password) = &self.password {
            return Some(PasswordSource::Given(password.clone()));
        }
        let variable = self.password_env.clone().map(PasswordSource::Variable);
        variable.or_else(|| self.password_file.clone().map(PasswordSource::File))
    }

    pub(super) fn given_password(&self) -> Option<&Password> {
        self.password.as_ref()
    }

    pub(super) fn set_password(&mut self, password: Option<Password>) {
        self.password = password;
    }

    /// What contradicts itself, whatever the environment adds.
    pub(super) fn check(&self) -> Result<(), Problem> {
        if self.password_env.is_some() && self.password_file.is_some() {
            let what = "there is a `password_env` as well; take one of them";
            return Err(Problem::new("password_file", what));
        }
        let file = self.password_file.as_deref();
        for (name, is_empty) in [
            ("password_env", self.password_env.as_deref() == Some("")),
            (
                "password_file",
                file.is_some_and(|path| path.as_os_str().is_empty()),
            ),
            ("username", self.username.as_deref() == Some("")),
        ] {
            if is_empty {
                return Err(Problem::new(name, "it is empty"));
            }
        }
        Ok(())
    }

    /// What is missing once the environment has added what it has.
    pub(super) fn check_login(&self) -> Result<(), Problem> {
        self.check()?;
        match self.username.is_none() || self.password_source().is_some() {
            true => Ok(()),
            false => Err(Problem::new(
                "username",
                "a user needs a password: `password_env`, `password_file`, or a variable that ends in `_SENTINEL_PASSWORD`",
            )),
        }
    }
}
