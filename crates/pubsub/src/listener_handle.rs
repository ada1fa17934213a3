//! What a script holds of a listener that it registered.

use std::fmt;
use std::sync::Arc;

use redis_manager_core::{Channel, ListenerId, Result};

use crate::RedisPubSubClient;
use crate::listener::Listener;

/// A registered listener; PySpigot's `ScriptPubSubListener`. Cheap to clone.
///
/// The client keeps the listener, not this handle: dropping it unregisters nothing.
#[derive(Clone)]
pub struct ScriptPubSubListener {
    client: RedisPubSubClient,
    listener: Arc<Listener>,
}

impl ScriptPubSubListener {
    pub(crate) fn new(client: RedisPubSubClient, listener: Arc<Listener>) -> Self {
        Self { client, listener }
    }

    /// The number by which events and failures name it.
    #[must_use]
    pub fn id(&self) -> ListenerId {
        self.listener.id()
    }

    /// What it listens to.
    #[must_use]
    pub fn channel(&self) -> &Channel {
        self.listener.channel()
    }

    /// Whether it is registered still.
    #[must_use]
    pub fn is_registered(&self) -> bool {
        self.listener.is_active()
    }

    /// How many messages it has lost because its queue was full.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.listener.dropped()
    }

    /// Unregisters it, blocking the thread; see
    /// [`RedisPubSubClient::unregister_listener`].
    ///
    /// # Errors
    ///
    /// As that.
    pub fn unregister(&self) -> Result<()> {
        self.client.unregister_listener(self)
    }

    /// The asynchronous twin of [`unregister`](Self::unregister).
    ///
    /// # Errors
    ///
    /// As its twin.
    pub async fn unregister_async(&self) -> Result<()> {
        self.client.unregister_listener_async(self).await
    }

    /// Unregisters it without waiting.
    pub(crate) fn abandon(&self) {
        self.client.abandon(&self.listener);
    }

    pub(crate) fn client(&self) -> &RedisPubSubClient {
        &self.client
    }

    pub(crate) fn listener(&self) -> &Arc<Listener> {
        &self.listener
    }
}

impl fmt::Debug for ScriptPubSubListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScriptPubSubListener")
            .field("id", &self.id())
            .field("channel", self.channel())
            .field("registered", &self.is_registered())
            .field("dropped", &self.dropped())
            .finish_non_exhaustive()
    }
}
