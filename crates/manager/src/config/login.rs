//! Who logs in, in a configuration: on a server, or on its sentinels.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::password::{Password, PasswordSource};
use super::problem::Problem;
use super::server_login::ServerLogin;

/// A user, and where the password is; nothing of it needs to be said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct LoginConfig {
    pub(super) username: Option<String>,
    pub(super) password_env: Option<String>,
    pub(super) password_file: Option<PathBuf>,
    /// One that came from outside.
    #[serde(skip)]
    pub(super) password: Option<Password>,
}

impl LoginConfig {
    /// An empty name means none.
    pub(super) fn with_username(mut self, username: impl Into<String>) -> Self {
        self.username = Some(username.into()).filter(|username| !username.is_empty());
        self
    }

    pub(super) fn with_password(mut self, password: impl Into<String>) -> Self {
        self.password = Some(Password::new(password));
        self
    }

    /// In place of any other password.
    pub(super) fn with_password_env(self, variable: impl Into<String>) -> Self {
        Self {
            username: self.username,
            password_env: Some(variable.into()),
            ..Self::default()
        }
    }

    /// In place of any other password.
    pub(super) fn with_password_file(self, path: impl Into<PathBuf>) -> Self {
        Self {
            username: self.username,
            password_file: Some(path.into()),
            ..Self::default()
        }
    }

    pub(super) fn username(&self) -> Option<&str> {
        self.username.as_deref()
    }

    pub(super) fn password_source(&self) -> Option<PasswordSource> {
        if let Some(password) = &self.password {
            return Some(PasswordSource::Given(password.clone()));
        }
        let variable = self.password_env.clone().map(PasswordSource::Variable);
        variable.or_else(|| self.password_file.clone().map(PasswordSource::File))
    }

    pub(super) fn has_password(&self) -> bool {
        self.password_source().is_some()
    }

    /// Whoever logs in as `username`; `None` if no password is said here.
    pub(super) fn login_as(&self, username: Option<&str>) -> Option<ServerLogin> {
        Some(ServerLogin::new(username, self.password_source()?))
    }

    /// What contradicts itself, whatever the environment adds.
    pub(super) fn check(&self) -> Result<(), Problem> {
        if self.password_env.is_some() && self.password_file.is_some() {
            let what = "there is a `password_env` as well; take one of them";
            return Err(Problem::new("password_file", what));
        }
        let file = self.password_file.as_deref().map(Path::as_os_str);
        for (name, is_empty) in [
            ("password_env", self.password_env.as_deref() == Some("")),
            ("password_file", file.is_some_and(|path| path.is_empty())),
            ("username", self.username() == Some("")),
        ] {
            if is_empty {
                return Err(Problem::new(name, "it is empty"));
            }
        }
        Ok(())
    }

    /// What is missing once the environment has added what it has: a user, unless he `has_password`, which a variable
    /// that ends in `variable` could have said too.
    pub(super) fn check_user(&self, has_password: bool, variable: &str) -> Result<(), Problem> {
        if self.username.is_none() || has_password {
            return Ok(());
        }
        let what = format!(
            "a user needs a password: `password_env`, `password_file`, or a variable that ends in `{variable}`"
        );
        Err(Problem::new("username", what))
    }
}
