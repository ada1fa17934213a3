//! A listener while it is put together.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::sync::Arc;

use redis_manager_core::{Channel, LimitName, Overflow, Result, wait};

use crate::callback::{Callback, from_local};
use crate::event_queue::QueueLimits;
use crate::listener::Listener;
use crate::{
    Delivered, ListenerEvent, ListenerResult, LocalListener, Message, MessageStream,
    RedisPubSubClient, ScriptPubSubListener,
};

/// Chooses how one listener gets its messages; begun by [`RedisPubSubClient::listener`].
///
/// | | its function runs | |
/// |---|---|---|
/// | [`register`](Self::register) | on a callback thread | it may block |
/// | [`register_async`](Self::register_async) | on the callback runtime | it is asynchronous, and must not block |
/// | [`messages`](Self::messages) | – | a `Stream` |
/// | [`register_local`](Self::register_local) | on the thread that polls it | it need not be `Send`; also for `Mailbox::attach` of `redis-manager` |
///
/// ```no_run
/// # fn example(client: redis_manager_pubsub::RedisPubSubClient) -> redis_manager_core::Result<()> {
/// use redis_manager_core::{Channel, Overflow};
/// use redis_manager_pubsub::ListenerEvent;
///
/// client
///     .listener(Channel::pattern("price.*"))
///     .queue_size(64)
///     .overflow(Overflow::DropNewest)
///     .with_gaps()
///     .register(|event: &ListenerEvent| {
///         match event {
///             ListenerEvent::Message(message) => tracing::info!(?message, "a price"),
///             ListenerEvent::Gap(gap) => tracing::warn!(?gap, "prices may be missing"),
///             _ => {}
///         }
///         Ok(())
///     })?;
/// # Ok(()) }
/// ```
#[must_use = "nothing is registered yet"]
pub struct ListenerBuilder<T: Delivered = Message> {
    client: RedisPubSubClient,
    channel: Channel,
    limits: QueueLimits,
    item: PhantomData<fn() -> T>,
}

impl ListenerBuilder {
    pub(crate) fn new(client: &RedisPubSubClient, channel: Channel) -> Self {
        let limits = QueueLimits::new(client.client_context().options());
        Self {
            client: client.clone(),
            channel,
            limits,
            item: PhantomData,
        }
    }

    /// Tells the listener, between its messages, where some may be missing because the connection was lost: it
    /// gets a [`ListenerEvent`] in place of a [`Message`].
    pub fn with_gaps(self) -> ListenerBuilder<ListenerEvent> {
        ListenerBuilder {
            client: self.client,
            channel: self.channel,
            limits: self.limits,
            item: PhantomData,
        }
    }
}

impl<T: Delivered> ListenerBuilder<T> {
    /// How many messages may wait for it, at least 1. Default: the client's option `listener_queue_size`.
    pub fn queue_size(mut self, messages: usize) -> Self {
        self.limits.messages = messages;
        self
    }

    /// How many bytes of messages may wait for it, at least 1: payload and channel of each. Default: the
    /// client's option [`listener_queue_bytes`](redis_manager_core::ClientOptionsBuilder::listener_queue_bytes),
    /// which tells what is kept besides. A message that is larger alone is dropped.
    pub fn queue_bytes(mut self, bytes: usize) -> Self {
        self.limits.bytes = bytes;
        self
    }

    /// What its full queue does. Default: the client's option `overflow`.
    pub fn overflow(mut self, overflow: Overflow) -> Self {
        self.limits.overflow = overflow;
        self
    }

    /// Registers `function`, blocking the thread until the server has confirmed it; otherwise as
    /// [`register_sync_listener`](RedisPubSubClient::register_sync_listener).
    ///
    /// # Errors
    ///
    /// As that; [`InvalidArgument`](redis_manager_core::ErrorKind::InvalidArgument) if the queue has no room.
    pub fn register(
        self,
        function: impl FnMut(&T) -> ListenerResult + Send + 'static,
    ) -> Result<ScriptPubSubListener> {
        wait(self.finish(Some(Callback::from_sync(function))))?
    }

    /// Registers the asynchronous `function`; otherwise as
    /// [`register_async_listener`](RedisPubSubClient::register_async_listener).
    ///
    /// # Errors
    ///
    /// As [`register`](Self::register).
    pub async fn register_async<F, Fut>(self, function: F) -> Result<ScriptPubSubListener>
    where
        F: Fn(T) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ListenerResult> + Send + 'static,
    {
        self.finish(Some(Callback::from_async(function))).await
    }

    /// Registers a stream, blocking the thread until the server has confirmed it.
    ///
    /// # Errors
    ///
    /// As [`register`](Self::register).
    pub fn messages(self) -> Result<MessageStream<T>> {
        wait(self.messages_async())?
    }

    /// The asynchronous twin of [`messages`](Self::messages).
    ///
    /// # Errors
    ///
    /// As its twin.
    pub async fn messages_async(self) -> Result<MessageStream<T>> {
        self.finish(None).await.map(MessageStream::new)
    }

    /// Registers `function`, which runs wherever the returned listener is polled and need not be `Send`,
    /// blocking the thread until the server has confirmed it.
    ///
    /// # Errors
    ///
    /// As [`register`](Self::register).
    pub fn register_local(
        self,
        function: impl FnMut(&T) -> ListenerResult + 'static,
    ) -> Result<LocalListener> {
        wait(self.register_local_async(function))?
    }

    /// The asynchronous twin of [`register_local`](Self::register_local).
    ///
    /// # Errors
    ///
    /// As its twin.
    pub async fn register_local_async(
        self,
        function: impl FnMut(&T) -> ListenerResult + 'static,
    ) -> Result<LocalListener> {
        let handle = self.finish(None).await?;
        Ok(LocalListener::new(handle, from_local(function)))
    }

    async fn finish(self, callback: Option<Callback>) -> Result<ScriptPubSubListener> {
        let context = self.client.client_context();
        let share = self.limits.check().and_then(|()| {
            let script = context.script();
            script.spend(LimitName::OperationsPerSecond)?;
            script.share(LimitName::Listeners)
        });
        let share = share.map_err(|error| error.with_client(context.client_id()))?;
        let listener = Listener::new(
            self.channel,
            callback,
            self.limits,
            T::WITH_GAPS,
            context,
            share,
        );
        self.client.register(Arc::clone(&listener)).await
    }
}

impl<T: Delivered> fmt::Debug for ListenerBuilder<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ListenerBuilder")
            .field("channel", &self.channel)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
