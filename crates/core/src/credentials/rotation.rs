//! How connections hear that there are new credentials.

use std::fmt;

use tokio::sync::watch;

/// What a [`CredentialsProvider`](crate::CredentialsProvider) announces new credentials by. Cheap to clone; the clones
/// are one.
///
/// Each connection of a client then asks the provider, and tells the server between two requests of others (`AUTH`). It
/// is no call of the script's, and delays none.
///
/// - If the server refuses them, or the provider fails, the connection stays as it is, logged in as before, and the event
///   [`ReauthenticationFailed`](crate::ClientEvent::ReauthenticationFailed) tells. As in lettuce.
/// - A connection that listens under RESP2 stays as it is until it is made anew: the server takes no AUTH there.
/// - Sessions and blocking calls that are out stay as they are; their connections are not used again after that.
///
/// ```
/// use redis_manager_core::{Credentials, CredentialsProvider, CredentialsRotation};
///
/// struct Vault {
///     rotation: CredentialsRotation,
/// }
///
/// #[async_trait::async_trait]
/// impl CredentialsProvider for Vault {
///     async fn credentials(&self) -> Result<Credentials, Box<dyn std::error::Error + Send + Sync>> {
///         Ok(Credentials::new("…"))
///     }
///
///     fn rotation(&self) -> Option<&CredentialsRotation> {
///         Some(&self.rotation)
///     }
/// }
///
/// let vault = Vault { rotation: CredentialsRotation::new() };
/// vault.rotation.announce(); // from whatever thread hears of it
/// ```
#[derive(Clone, Default)]
pub struct CredentialsRotation(watch::Sender<()>);

impl CredentialsRotation {
    /// One by which nothing was announced yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Has every connection ask for the new credentials. Does not block.
    pub fn announce(&self) {
        self.0.send_replace(());
    }

    /// What is announced from now on.
    pub(crate) fn subscribe(&self) -> Announcements {
        Announcements(self.0.subscribe())
    }
}

impl fmt::Debug for CredentialsRotation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CredentialsRotation")
    }
}

/// What a connection hears of a rotation.
pub(crate) struct Announcements(watch::Receiver<()>);

impl Announcements {
    /// Completes when there are other credentials than when this was called last, or than at the beginning.
    pub(crate) async fn next(&mut self) {
        if self.0.changed().await.is_err() {
            // The provider is gone, which the options of the client have: nothing follows.
            std::future::pending::<()>().await;
        }
    }

    /// Whether there are.
    pub(crate) fn has_next(&self) -> bool {
        self.0.has_changed().unwrap_or(false)
    }
}
