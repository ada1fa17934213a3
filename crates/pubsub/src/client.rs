//! The PUB_SUB client.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use redis_manager_core::redis::{ToSingleRedisArg, cmd, from_redis_value};
use redis_manager_core::{
    ClientContext, ClientOptions, ClientResources, ClientType, CloseReport, Connection, Error,
    ErrorKind, OpenRedisClient, PushSink, RedisUri, Result, ScriptHandle, ScriptRedisClient,
    in_callback, wait,
};

use crate::callback::Callback;
use crate::listener::Listener;
use crate::subscriptions::Subscriptions;
use crate::{ListenerResult, Message, ScriptPubSubListener};

/// A client that publishes and listens; PySpigot's `ClientType.PUB_SUB`.
///
/// Each listener gets its messages in order, one at a time, on a thread that does no I/O: a listener
/// may block, and may call this client, unregister itself or close the client. What it does not keep
/// up with waits in a queue of its own, bounded by the options `listener_queue_size` and
/// `listener_queue_bytes`. An error or a panic is reported as
/// [`ListenerFailed`](redis_manager_core::ClientEvent::ListenerFailed) and the listener goes on.
///
/// Cheap to clone; the script owns the client, so dropping a handle closes nothing.
#[derive(Clone)]
pub struct RedisPubSubClient(Arc<Inner>);

struct Inner {
    context: Arc<ClientContext>,
    connection: Connection,
    subscriptions: Arc<Subscriptions>,
    next_listener: AtomicU64,
}

impl RedisPubSubClient {
    /// The client's connection. Under RESP2, where a socket that subscribes can do nothing else, it is
    /// the one that publishes.
    #[must_use]
    pub fn connection(&self) -> &Connection {
        &self.0.connection
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
        channel: impl AsRef<[u8]>,
        function: impl FnMut(&Message) -> ListenerResult + Send + 'static,
    ) -> Result<ScriptPubSubListener> {
        self.register_sync_listener(channel, function)
    }

    /// Registers `function` for the messages of `channel`, blocking the thread until the server has
    /// confirmed it. The function runs on a callback thread and may block.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Server`] if the server refuses, [`ErrorKind::Timeout`] after the command timeout,
    /// [`ErrorKind::Disconnected`], [`ErrorKind::Closed`]; then nothing is registered.
    /// [`ErrorKind::WouldDeadlock`] on an I/O thread of the library.
    pub fn register_sync_listener(
        &self,
        channel: impl AsRef<[u8]>,
        function: impl FnMut(&Message) -> ListenerResult + Send + 'static,
    ) -> Result<ScriptPubSubListener> {
        wait(self.register(channel.as_ref().to_vec(), Callback::from_sync(function)))?
    }

    /// Registers an asynchronous `function` for the messages of `channel`; completes when the server
    /// has confirmed it. Each call is awaited before the next begins, on the callback runtime.
    ///
    /// The function must not block: by default all asynchronous callbacks of a manager share one thread. One
    /// that blocks is for [`register_sync_listener`](Self::register_sync_listener).
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
        channel: impl AsRef<[u8]>,
        function: F,
    ) -> Result<ScriptPubSubListener>
    where
        F: Fn(Message) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ListenerResult> + Send + 'static,
    {
        self.register(channel.as_ref().to_vec(), Callback::from_async(function))
            .await
    }

    async fn register(&self, channel: Vec<u8>, callback: Callback) -> Result<ScriptPubSubListener> {
        let id = self.0.next_listener.fetch_add(1, Ordering::Relaxed);
        let listener = Listener::new(id, &channel, callback, &self.0.context);
        // In this order: a registration that fails drops the callback, which may close the client, and
        // that waits for what is in flight.
        let registration = Registration(Some((self, Arc::clone(&listener))));
        let _in_flight = self.0.context.admit()?;
        self.0.subscriptions.add(&listener)?;
        self.0
            .subscriptions
            .settle(&channel)
            .await
            .map_err(|error| error.with_command("SUBSCRIBE"))?;
        registration.complete()
    }

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
        match self
            .0
            .subscriptions
            .remove(listener.channel(), listener.id())
        {
            Some(listener) => {
                self.retire(listener.channel().to_vec(), vec![listener])
                    .await
            }
            None => Ok(()),
        }
    }

    /// Unregisters every listener of `channel`, blocking the thread, and returns how many there were;
    /// otherwise as [`unregister_listener`](Self::unregister_listener).
    ///
    /// # Errors
    ///
    /// As that.
    pub fn unregister_listeners(&self, channel: impl AsRef<[u8]>) -> Result<usize> {
        wait(self.unregister_listeners_async(channel))?
    }

    /// The asynchronous twin of [`unregister_listeners`](Self::unregister_listeners).
    ///
    /// # Errors
    ///
    /// As its twin.
    pub async fn unregister_listeners_async(&self, channel: impl AsRef<[u8]>) -> Result<usize> {
        let listeners = self.0.subscriptions.remove_channel(channel.as_ref());
        let count = listeners.len();
        if count == 0 {
            return Ok(0);
        }
        self.retire(channel.as_ref().to_vec(), listeners).await?;
        Ok(count)
    }

    /// Ends `listeners`, which are out of the table already, and tells the server if need be.
    async fn retire(&self, channel: Vec<u8>, listeners: Vec<Arc<Listener>>) -> Result<()> {
        for listener in &listeners {
            if let Some(callback) = listener.deactivate() {
                listener.discard(callback);
            }
        }
        if in_callback() {
            self.settle_in_background(&channel);
            return Ok(());
        }
        let deadline = self.0.context.shutdown_deadline();
        let ended = self.0.context.resources().run(async move {
            for listener in &listeners {
                listener.wait_idle(deadline).await;
            }
            Ok(())
        });
        let settled = self.0.subscriptions.settle(&channel).await;
        ended.await?;
        match settled {
            // Without a connection there is nothing left to tell.
            Err(error) if error.kind() == ErrorKind::Disconnected => Ok(()),
            Err(error) if error.kind() == ErrorKind::Closed => Ok(()),
            settled => settled,
        }
    }

    /// Publishes `payload` on `channel`, blocking the thread, and returns how many clients received it;
    /// see <https://redis.io/docs/latest/commands/publish/>. The same as
    /// [`publish_sync`](Self::publish_sync).
    ///
    /// # Errors
    ///
    /// As that.
    pub fn publish(
        &self,
        channel: impl AsRef<[u8]>,
        payload: impl ToSingleRedisArg,
    ) -> Result<u64> {
        self.publish_sync(channel, payload)
    }

    /// Publishes `payload` on `channel`, blocking the thread, and returns how many clients received it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Server`] if the server refuses, [`ErrorKind::Timeout`] after the command timeout,
    /// [`ErrorKind::Disconnected`], [`ErrorKind::Closed`]; [`ErrorKind::WouldDeadlock`] on an I/O thread
    /// of the library.
    pub fn publish_sync(
        &self,
        channel: impl AsRef<[u8]>,
        payload: impl ToSingleRedisArg,
    ) -> Result<u64> {
        wait(self.publish_async(channel, payload))?
    }

    /// Publishes `payload` on `channel` and completes with how many clients received it.
    ///
    /// # Errors
    ///
    /// As [`publish_sync`](Self::publish_sync).
    pub async fn publish_async(
        &self,
        channel: impl AsRef<[u8]>,
        payload: impl ToSingleRedisArg,
    ) -> Result<u64> {
        let mut publish = cmd("PUBLISH");
        publish.arg(channel.as_ref()).arg(payload);
        let reply = self.0.connection.request_routed(&publish).await?;
        let receivers = reply
            .extract_error()
            .and_then(|reply| Ok(from_redis_value(reply)?));
        receivers.map_err(|error| {
            Error::from(error)
                .with_command("PUBLISH")
                .with_client(self.client_id())
        })
    }

    fn settle_in_background(&self, channel: &[u8]) {
        let settled = self.0.subscriptions.settle(channel);
        drop(self.0.context.spawn(async move {
            if let Err(error) = settled.await {
                tracing::debug!(%error, "the server was not told of a listener that is gone");
            }
        }));
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
            let channel = listener.channel();
            drop(client.0.subscriptions.remove(channel, listener.id()));
            if let Some(callback) = listener.deactivate() {
                listener.discard(callback);
            }
            client.settle_in_background(channel);
        }
    }
}

#[async_trait]
impl ScriptRedisClient for RedisPubSubClient {
    fn context(&self) -> &Arc<ClientContext> {
        &self.0.context
    }

    async fn close_async(&self) -> CloseReport {
        let subscriptions: Arc<Subscriptions> = Arc::clone(&self.0.subscriptions);
        self.0.context.close(subscriptions).await
    }
}

#[async_trait]
impl OpenRedisClient for RedisPubSubClient {
    const CLIENT_TYPE: ClientType = ClientType::PubSub;

    async fn open_async(
        script: &ScriptHandle,
        uri: RedisUri,
        options: ClientOptions,
        resources: &ClientResources,
    ) -> Result<Self> {
        let _pass = script.gate().pass()?;
        let context = ClientContext::new(script, Self::CLIENT_TYPE, uri, options, resources)?;
        let subscriptions = Arc::new(Subscriptions::new(&context));
        let sink: Arc<dyn PushSink> = Arc::clone(&subscriptions) as _;
        let connection = Connection::open_async(&context, Some(sink)).await?;
        subscriptions.connect(&connection);
        Ok(Self(Arc::new(Inner {
            context,
            connection,
            subscriptions,
            next_listener: AtomicU64::new(1),
        })))
    }
}

impl fmt::Debug for RedisPubSubClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RedisPubSubClient")
            .field(&self.0.context)
            .finish()
    }
}
