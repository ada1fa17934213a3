//! Credentials that a host sets anew.

use std::error::Error as StdError;
use std::fmt;

use async_trait::async_trait;
use parking_lot::RwLock;

use super::{Credentials, CredentialsProvider, CredentialsRotation};

/// Credentials that a host sets anew when they change; the ready-made [`CredentialsProvider`].
///
/// ```
/// use redis_manager_core::{ClientOptions, Credentials, RotatingCredentials};
/// use std::sync::Arc;
///
/// let login = Arc::new(RotatingCredentials::new(Credentials::new("first")));
/// let options = ClientOptions::builder().credentials(login.clone()).build()?;
/// // … clients are opened with them, and the server gets another password:
/// login.set(Credentials::new("second"));
/// # Ok::<(), redis_manager_core::Error>(())
/// ```
pub struct RotatingCredentials {
    credentials: RwLock<Credentials>,
    rotation: CredentialsRotation,
}

impl RotatingCredentials {
    /// These, until others are set.
    #[must_use]
    pub fn new(credentials: Credentials) -> Self {
        Self {
            credentials: RwLock::new(credentials),
            rotation: CredentialsRotation::new(),
        }
    }

    /// Has every connection log in with `credentials` from now on: those that there are, as [`CredentialsRotation`]
    /// says, and each that is made. Does not block.
    pub fn set(&self, credentials: Credentials) {
        *self.credentials.write() = credentials;
        self.rotation.announce();
    }
}

#[async_trait]
impl CredentialsProvider for RotatingCredentials {
    async fn credentials(&self) -> Result<Credentials, Box<dyn StdError + Send + Sync>> {
        Ok(self.credentials.read().clone())
    }

    fn rotation(&self) -> Option<&CredentialsRotation> {
        Some(&self.rotation)
    }
}

impl fmt::Debug for RotatingCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RotatingCredentials")
            .field("credentials", &*self.credentials.read())
            .finish()
    }
}
