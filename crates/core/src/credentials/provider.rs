//! Who is asked for credentials.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use async_trait::async_trait;

use super::{Credentials, CredentialsRotation};

/// Gives the credentials that a client logs in with, each time that one of its connections is made: a password that is
/// rotated, or a token that ends. Given to a client by the option
/// [`credentials`](crate::ClientOptionsBuilder::credentials); lettuce's `RedisCredentialsProvider`. The ready-made one
/// is [`RotatingCredentials`](crate::RotatingCredentials).
///
/// ```
/// use redis_manager_core::{ClientOptions, Credentials, CredentialsProvider};
/// use std::sync::Arc;
///
/// struct Vault;
///
/// #[async_trait::async_trait]
/// impl CredentialsProvider for Vault {
///     async fn credentials(&self) -> Result<Credentials, Box<dyn std::error::Error + Send + Sync>> {
///         let token = "…"; // asked for, or remembered for as long as it is good
///         Ok(Credentials::new(token).with_username("scripts"))
///     }
/// }
///
/// let options = ClientOptions::builder().credentials(Arc::new(Vault)).build()?;
/// # Ok::<(), redis_manager_core::Error>(())
/// ```
#[async_trait]
pub trait CredentialsProvider: Send + Sync {
    /// The credentials of this moment.
    ///
    /// It is asked after the server was reached, within the option `connect_timeout`, for each connection anew, and by
    /// several at the same time. It runs on an I/O thread of the library, in a tokio runtime, and **must not block**:
    /// what blocks belongs into `tokio::task::spawn_blocking`.
    ///
    /// # Errors
    ///
    /// An error, a panic or a delay is what keeps the connection from being made, like any other: it is tried again, and
    /// told in state, events and the errors of calls. Its text is shown there, so no secret belongs into it.
    async fn credentials(&self) -> Result<Credentials, Box<dyn StdError + Send + Sync>>;

    /// What this provider announces new credentials by. Default `None`: connections that are there stay as they are, and
    /// the next one that is made has the new ones.
    fn rotation(&self) -> Option<&CredentialsRotation> {
        None
    }

    /// What the error of a connection calls it that was not made because nothing has come of
    /// [`credentials`](Self::credentials) in time. Default "the credentials provider"; say what is asked instead, so that
    /// whoever reads it knows where to look. It must not block, and no secret belongs into it.
    fn name(&self) -> Cow<'_, str> {
        Cow::Borrowed("the credentials provider")
    }
}

/// Always the same ones.
#[async_trait]
impl CredentialsProvider for Credentials {
    async fn credentials(&self) -> Result<Credentials, Box<dyn StdError + Send + Sync>> {
        Ok(self.clone())
    }
}

/// A provider among options, of which two are equal if they are the same.
#[derive(Clone)]
pub(crate) struct CredentialsSource(pub(crate) Arc<dyn CredentialsProvider>);

impl Deref for CredentialsSource {
    type Target = Arc<dyn CredentialsProvider>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl PartialEq for CredentialsSource {
    fn eq(&self, other: &Self) -> bool {
        // Without what the pointers know of the type, which may differ for one and the same.
        std::ptr::addr_eq(Arc::as_ptr(&self.0), Arc::as_ptr(&other.0))
    }
}

impl Eq for CredentialsSource {}

/// It is code of others, and may show what it has.
impl fmt::Debug for CredentialsSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CredentialsProvider")
    }
}
