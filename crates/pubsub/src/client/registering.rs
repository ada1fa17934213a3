//! Registering listeners.

use std::future::Future;
use std::sync::Arc;

use redis_manager_core::{Channel, Error, ErrorKind, Result};

use super::RedisPubSubClient;
use crate::listener::Listener;
use crate::{ListenerBuilder, ListenerResult, Message, MessageStream, ScriptPubSubListener};

impl RedisPubSubClient {
    /// Begins a listener for `channel`, to choose how it gets its messages.
    pub fn listener(&self, channel: impl Into<Channel>) -> ListenerBuilder {
        ListenerBuilder::new(self, channel.into())
    }

    /// Registers `function` for the messages of `channel`, blocking the thread until the server has
    /// confirmed it. The same as [`register_sync_listener`](Self::register_sync_listener).
    ///
    /// # Errors
    ///
    /// As that.
    ///
    /// ```no_run
    /// # fn example(client: redis_manager_pubsub::RedisPubSubClient) -> redis_manager_core::Result<()> {
    /// use redis_manager_pubsub::Message;
    ///
    /// let mut heard = 0;
    /// let greeter = client.register_listener("global", move |message: &Message| {
    ///     heard += 1;
    ///     tracing::info!(heard, text = message.payload_str()?);
    ///     Ok(())
    /// })?;
    /// greeter.unregister()?;
    /// # Ok(()) }
    /// ```
    pub fn register_listener(
        &self,
        channel: impl Into<Channel>,
        function: impl FnMut(&Message) -> ListenerResult + Send + 'static,
    ) -> Result<ScriptPubSubListener> {
        self.register_sync_listener(channel, function)
    }

    /// Registers `function` for the messages of `channel`, blocking the thread until the server has
    /// confirmed it. The function runs on a callback thread and may block. One that is not `Send` goes into a
    /// `Mailbox` of `redis-manager`, or is registered with
    /// [`register_local`](crate::ListenerBuilder::register_local).
    ///
    /// Text is taken as it is: `news.*` names one channel. For a pattern there is
    /// [`register_pattern_listener`](Self::register_pattern_listener).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Server`] if the server refuses, [`ErrorKind::Timeout`] after the command timeout,
    /// [`ErrorKind::Disconnected`], [`ErrorKind::Closed`]; then nothing is registered.
    /// [`ErrorKind::WouldDeadlock`] on an I/O thread of the library.
    pub fn register_sync_listener(
        &self,
        channel: impl Into<Channel>,
        function: impl FnMut(&Message) -> ListenerResult + Send + 'static,
    ) -> Result<ScriptPubSubListener> {
        self.listener(channel).register(function)
    }

    /// Registers an asynchronous `function` for the messages of `channel`; completes when the server
    /// has confirmed it. Each call is awaited before the next begins, on the callback runtime.
    ///
    /// The function must not block: by default all asynchronous callbacks of a manager share four threads. One
    /// that blocks is for [`register_sync_listener`](Self::register_sync_listener).
    ///
    /// What it needs is cloned for each call, as below, because calls outlive the function's borrow of it; an
    /// `async` closure does if it captures nothing.
    ///
    /// Dropping the future before it completes registers nothing.
    ///
    /// # Errors
    ///
    /// As [`register_sync_listener`](Self::register_sync_listener).
    ///
    /// ```no_run
    /// # async fn example(client: redis_manager_pubsub::RedisPubSubClient) -> redis_manager_core::Result<()> {
    /// use redis_manager_pubsub::Message;
    ///
    /// let publisher = client.clone();
    /// let echo = client
    ///     .register_async_listener("ping", move |message: Message| {
    ///         let publisher = publisher.clone();
    ///         async move {
    ///             publisher.publish_async("pong", message.payload()).await?;
    ///             Ok(())
    ///         }
    ///     })
    ///     .await?;
    /// echo.unregister_async().await?;
    /// # Ok(()) }
    /// ```
    pub async fn register_async_listener<F, Fut>(
        &self,
        channel: impl Into<Channel>,
        function: F,
    ) -> Result<ScriptPubSubListener>
    where
        F: Fn(Message) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ListenerResult> + Send + 'static,
    {
        self.listener(channel).register_async(function).await
    }

    /// Registers `function` for the messages of all channels that match `pattern`, blocking the thread until
    /// the server has confirmed it; otherwise as [`register_listener`](Self::register_listener), and short for
    /// that with [`Channel::pattern`]. Who listens to a channel and to a pattern that it matches hears its
    /// messages twice.
    ///
    /// # Errors
    ///
    /// As that. An ACL user may subscribe to a pattern only if it has that very pattern among its channels (`&news.*`), or
    /// all channels: one that matches more is not enough. With a key prefix of the script's, the pattern is the one behind
    /// that.
    ///
    /// ```no_run
    /// # fn example(client: redis_manager_pubsub::RedisPubSubClient) -> redis_manager_core::Result<()> {
    /// use redis_manager_pubsub::Message;
    ///
    /// client.register_pattern_listener("news.*", |message: &Message| {
    ///     tracing::info!(channel = message.channel_str()?, text = message.payload_str()?);
    ///     Ok(())
    /// })?;
    /// # Ok(()) }
    /// ```
    pub fn register_pattern_listener(
        &self,
        pattern: impl AsRef<[u8]>,
        function: impl FnMut(&Message) -> ListenerResult + Send + 'static,
    ) -> Result<ScriptPubSubListener> {
        self.register_sync_pattern_listener(pattern, function)
    }

    /// The same as [`register_pattern_listener`](Self::register_pattern_listener).
    ///
    /// # Errors
    ///
    /// As that.
    pub fn register_sync_pattern_listener(
        &self,
        pattern: impl AsRef<[u8]>,
        function: impl FnMut(&Message) -> ListenerResult + Send + 'static,
    ) -> Result<ScriptPubSubListener> {
        self.listener(Channel::pattern(pattern)).register(function)
    }

    /// Registers an asynchronous `function` for the messages of all channels that match `pattern`; otherwise as
    /// [`register_async_listener`](Self::register_async_listener).
    ///
    /// # Errors
    ///
    /// As that.
    pub async fn register_async_pattern_listener<F, Fut>(
        &self,
        pattern: impl AsRef<[u8]>,
        function: F,
    ) -> Result<ScriptPubSubListener>
    where
        F: Fn(Message) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ListenerResult> + Send + 'static,
    {
        let listener = self.listener(Channel::pattern(pattern));
        listener.register_async(function).await
    }

    /// Registers a stream of the messages of `channel`, blocking the thread until the server has confirmed it.
    ///
    /// # Errors
    ///
    /// As [`register_sync_listener`](Self::register_sync_listener).
    ///
    /// ```no_run
    /// # fn example(client: redis_manager_pubsub::RedisPubSubClient) -> redis_manager_core::Result<()> {
    /// let mut messages = client.messages("global")?;
    /// while let Some(message) = messages.recv()? {
    ///     tracing::info!(text = message.payload_str()?, "heard");
    /// }
    /// # Ok(()) }
    /// ```
    pub fn messages(&self, channel: impl Into<Channel>) -> Result<MessageStream> {
        self.listener(channel).messages()
    }

    /// The asynchronous twin of [`messages`](Self::messages).
    ///
    /// # Errors
    ///
    /// As its twin.
    pub async fn messages_async(&self, channel: impl Into<Channel>) -> Result<MessageStream> {
        self.listener(channel).messages_async().await
    }

    pub(crate) async fn register(&self, listener: Arc<Listener>) -> Result<ScriptPubSubListener> {
        // In this order: a registration that fails drops the callback, which may close the client, and
        // that waits for what is in flight.
        let registration = Registration(Some((self, Arc::clone(&listener))));
        let _in_flight = self.0.context.admit()?;
        let context = &self.0.context;
        context.check_subscription(listener.subscription())?;
        self.0.subscriptions.add(&listener)?;
        let settled = self.0.subscriptions.settle(listener.subscription());
        if self.0.context.options().shared() {
            // What the server is told may be of use to other clients, and goes on without this one.
            self.0.context.until_cut(settled).await?;
        } else {
            settled.await?;
        }
        registration.complete()
    }
}

/// A registration under way. Dropped before the server has confirmed it, it is taken back.
struct Registration<'client>(Option<(&'client RedisPubSubClient, Arc<Listener>)>);

impl Registration<'_> {
    fn complete(mut self) -> Result<ScriptPubSubListener> {
        let Some((client, listener)) = self.0.take() else {
            return Err(Error::new(ErrorKind::Internal, "registered twice"));
        };
        if !listener.is_active() {
            // Closed, or unregistered with its channel, while the server was asked.
            return Err(client.0.context.closed_error());
        }
        Ok(ScriptPubSubListener::new(client.clone(), listener))
    }
}

impl Drop for Registration<'_> {
    fn drop(&mut self) {
        if let Some((client, listener)) = self.0.take() {
            client.abandon(&listener);
        }
    }
}
