//! Unregistering listeners.

use std::sync::Arc;

use redis_manager_core::{Channel, ErrorKind, Result, in_callback, wait};

use super::RedisPubSubClient;
use crate::ScriptPubSubListener;
use crate::listener::Listener;

impl RedisPubSubClient {
    /// Unregisters `listener`, blocking the thread. When this returns, no call of it starts any more;
    /// one that runs was waited for, at most the option `shutdown_timeout`. If it was the last of its
    /// channel, the server has been told. Unregistering twice does nothing.
    ///
    /// Inside a callback nothing is waited for: the server is told in the background.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`] if the listener is of another client; what kept the server from
    /// being told, though the listener is gone all the same; [`ErrorKind::WouldDeadlock`] on an I/O
    /// thread of the library.
    pub fn unregister_listener(&self, listener: &ScriptPubSubListener) -> Result<()> {
        wait(self.unregister_listener_async(listener))?
    }

    /// The asynchronous twin of [`unregister_listener`](Self::unregister_listener).
    ///
    /// # Errors
    ///
    /// As its twin.
    pub async fn unregister_listener_async(&self, listener: &ScriptPubSubListener) -> Result<()> {
        if !Arc::ptr_eq(&listener.client().0, &self.0) {
            return Err(self.0.context.error(
                ErrorKind::InvalidArgument,
                "the listener belongs to another client",
            ));
        }
        let listener = listener.listener();
        if !self.0.subscriptions.remove(listener) {
            return Ok(());
        }
        let listeners = vec![Arc::clone(listener)];
        self.retire(listener.subscription(), listeners).await
    }

    /// Unregisters every listener of `channel`, blocking the thread, and returns how many there were;
    /// otherwise as [`unregister_listener`](Self::unregister_listener).
    ///
    /// # Errors
    ///
    /// As that.
    pub fn unregister_listeners(&self, channel: impl Into<Channel>) -> Result<usize> {
        wait(self.unregister_listeners_async(channel))?
    }

    /// The asynchronous twin of [`unregister_listeners`](Self::unregister_listeners).
    ///
    /// # Errors
    ///
    /// As its twin.
    pub async fn unregister_listeners_async(&self, channel: impl Into<Channel>) -> Result<usize> {
        let channel = self.0.context.channel_on_server(&channel.into());
        let client = self.0.context.client_id();
        let listeners = self.0.subscriptions.remove_channel(&channel, client);
        let count = listeners.len();
        if count == 0 {
            return Ok(0);
        }
        self.retire(&channel, listeners).await?;
        Ok(count)
    }

    /// Ends `listeners`, which are out of the table already, and tells the server if need be.
    async fn retire(&self, channel: &Channel, listeners: Vec<Arc<Listener>>) -> Result<()> {
        for listener in &listeners {
            if let Some(callback) = listener.deactivate() {
                listener.discard(callback);
            }
        }
        if in_callback() {
            self.0.subscriptions.settle_in_background(channel);
            return Ok(());
        }
        let deadline = self.0.context.shutdown_deadline();
        let ended = self.0.context.resources().run(async move {
            for listener in &listeners {
                listener.wait_idle(deadline).await;
            }
            Ok(())
        });
        let settled = self.0.subscriptions.settle(channel).await;
        ended.await?;
        match settled {
            // Without a connection there is nothing left to tell.
            Err(error) if error.kind() == ErrorKind::Disconnected => Ok(()),
            Err(error) if error.kind() == ErrorKind::Closed => Ok(()),
            settled => settled,
        }
    }

    /// Takes `listener` out, without waiting for anything.
    pub(crate) fn abandon(&self, listener: &Arc<Listener>) {
        let was_there = self.0.subscriptions.remove(listener);
        if let Some(callback) = listener.deactivate() {
            listener.discard(callback);
        }
        if was_there {
            let channel = listener.subscription();
            self.0.subscriptions.settle_in_background(channel);
        }
    }
}
