//! Who logs in on sentinels, in a configuration.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::login::LoginConfig;
use super::problem::Problem;

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
#[serde(transparent)]
pub struct SentinelConfig {
    login: LoginConfig,
}

impl SentinelConfig {
    /// Sets the user to log in as. An empty name means none.
    #[must_use]
    pub fn with_username(self, username: impl Into<String>) -> Self {
        let login = self.login.with_username(username);
        Self { login }
    }

    /// Sets the password, in place of any other. It is never written.
    #[must_use]
    pub fn with_password(self, password: impl Into<String>) -> Self {
        let login = self.login.with_password(password);
        Self { login }
    }

    /// Takes the password from the environment variable of this name, in place of any other.
    #[must_use]
    pub fn with_password_env(self, variable: impl Into<String>) -> Self {
        let login = self.login.with_password_env(variable);
        Self { login }
    }

    /// Takes the password from the file at `path`, in place of any other.
    #[must_use]
    pub fn with_password_file(self, path: impl Into<PathBuf>) -> Self {
        let login = self.login.with_password_file(path);
        Self { login }
    }

    /// The user to log in as; `None` means the sentinels' default user.
    #[must_use]
    pub fn username(&self) -> Option<&str> {
        self.login.username()
    }

    pub(super) fn login(&self) -> &LoginConfig {
        &self.login
    }

    pub(super) fn login_mut(&mut self) -> &mut LoginConfig {
        &mut self.login
    }

    /// What is missing once the environment has added what it has.
    pub(super) fn check_login(&self) -> Result<(), Problem> {
        self.login.check()?;
        self.login
            .check_user(self.login.has_password(), "_SENTINEL_PASSWORD")
    }
}
