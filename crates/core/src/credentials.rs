//! Who logs in, if that may change.

mod provider;
mod rotating;
mod rotation;

use std::fmt;

pub use provider::CredentialsProvider;
pub(crate) use provider::CredentialsSource;
pub use rotating::RotatingCredentials;
pub(crate) use rotation::Announcements;
pub use rotation::CredentialsRotation;

/// What a connection logs in with: a password, and the user whose it is. `Debug` shows no password.
///
/// ```
/// use redis_manager_core::Credentials;
///
/// let credentials = Credentials::new("s3cret").with_username("scripts");
/// assert_eq!(credentials.username(), Some("scripts"));
/// assert_eq!(format!("{credentials:?}"), r#"Credentials { username: Some("scripts"), password: "***" }"#);
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    username: Option<String>,
    password: String,
}

impl Credentials {
    /// Those of the server's default user.
    #[must_use]
    pub fn new(password: impl Into<String>) -> Self {
        Self {
            username: None,
            password: password.into(),
        }
    }

    /// Sets the user to log in as. An empty name means the server's default user.
    #[must_use]
    pub fn with_username(mut self, username: impl Into<String>) -> Self {
        self.username = Some(username.into()).filter(|username| !username.is_empty());
        self
    }

    /// The user to log in as; `None` means the server's default user.
    #[must_use]
    pub fn username(&self) -> Option<&str> {
        self.username.as_deref()
    }

    /// The password. Empty without a user name it means no login.
    #[must_use]
    pub fn password(&self) -> &str {
        &self.password
    }

    /// Whether there is somebody to log in.
    pub(crate) fn is_login(&self) -> bool {
        self.username.is_some() || !self.password.is_empty()
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("username", &self.username)
            .field("password", &"***")
            .finish()
    }
}
