//! The PUB_SUB client.

mod leaving;
mod publishing;
mod registering;
mod unregistering;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use redis_manager_core::{
    ClientContext, ClientOptions, ClientResources, ClientSnapshot, ClientType, CloseReport,
    Connection, OpenRedisClient, PushSink, RedisUri, Result, ScriptHandle, ScriptRedisClient,
    SocketId,
};

use crate::subscriptions::{ClientTeardown, SocketSink, Subscriptions};

/// A client that publishes and listens; PySpigot's `ClientType.PUB_SUB`.
///
/// Each listener gets its messages in order, one at a time, on a thread that does no I/O: a listener
/// may block, and may call this client, unregister itself or close the client. What it does not keep
/// up with waits in a queue of its own, bounded by the options `listener_queue_size` and
/// `listener_queue_bytes`. An error or a panic goes to the script's
/// [`ErrorSink`](redis_manager_core::ErrorSink) and the listener goes on. [`listener`](Self::listener) offers
/// more: a stream, functions that are not `Send`, gaps, a queue of its own size.
///
/// After a lost connection everything is subscribed to again; what was published meanwhile is lost, and the
/// event [`Gaps`](redis_manager_core::ClientEvent::Gaps) says so for each channel.
///
/// A channel is text or bytes, or a [`Channel`](redis_manager_core::Channel), which can also be a pattern or a
/// shard channel.
///
/// Cheap to clone; the script owns the client, so dropping a handle closes nothing.
#[derive(Clone)]
pub struct RedisPubSubClient(Arc<Inner>);

struct Inner {
    context: Arc<ClientContext>,
    connection: Connection,
    subscriptions: Arc<Subscriptions>,
}

impl RedisPubSubClient {
    /// The client's connection. Under RESP2, where a socket that subscribes can do nothing else, it is
    /// the one that publishes.
    #[must_use]
    pub fn connection(&self) -> &Connection {
        &self.0.connection
    }

    pub(crate) fn client_context(&self) -> &Arc<ClientContext> {
        &self.0.context
    }
}

#[async_trait]
impl ScriptRedisClient for RedisPubSubClient {
    fn context(&self) -> &Arc<ClientContext> {
        &self.0.context
    }

    fn snapshot(&self) -> ClientSnapshot {
        let mut snapshot = self.0.context.snapshot();
        snapshot.requests = self.0.connection.waiting();
        let client = self.0.context.client_id();
        self.0.subscriptions.add_to(&mut snapshot, client);
        snapshot
    }

    async fn close_async(&self) -> CloseReport {
        let teardown = ClientTeardown::new(&self.0.context, &self.0.subscriptions);
        self.0.context.close(Arc::new(teardown)).await
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
        let context =
            ClientContext::new_async(script, Self::CLIENT_TYPE, uri, options, resources).await?;
        let own = Subscriptions::new(context.options().shared());
        let sink: Arc<dyn PushSink> = SocketSink::new(&own, SocketId::FIRST);
        let connection = Connection::open_async(&context, Some(sink)).await?;
        let subscriptions = Subscriptions::of(&connection, own);
        Ok(Self(Arc::new(Inner {
            context,
            connection,
            subscriptions,
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
