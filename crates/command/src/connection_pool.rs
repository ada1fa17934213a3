//! A pool of connections that one caller has to itself.

mod sign_of_life;

use std::sync::Arc;

use deadpool::managed::{
    Manager, Metrics, Object, Pool, PoolConfig, PoolError, RecycleError, RecycleResult, TimeoutType,
};
use redis_manager_core::{
    ClientContext, Connection, Deadline, Delivery, Error, ErrorKind, ExclusiveConnection,
    RedisNode, Result,
};
use tokio::time::timeout_at;

use sign_of_life::SignOfLife;

/// At most so many connections of a client.
pub(crate) type ConnectionPool = Pool<Connections>;

/// A connection that is out; dropped, it goes back.
pub(crate) type Pooled = Object<Connections>;

/// Whether a connection was lost before what was to be sent was.
pub(crate) fn is_lost_unsent(error: &Error) -> bool {
    error.kind() == ErrorKind::Disconnected && error.delivery() == Some(Delivery::NotSent)
}

/// Never seen: whoever has one gives it back only at the end, or for another one.
pub(crate) fn unleased() -> Error {
    Error::new(ErrorKind::Internal, "the session has no connection")
        .with_delivery(Delivery::NotSent)
}

/// Builds a pool of at most `size` connections, to a `node` of the cluster if there is one. Does not connect.
pub(crate) fn build_pool(
    context: &Arc<ClientContext>,
    node: Option<(&Connection, &RedisNode)>,
    size: usize,
) -> Result<ConnectionPool> {
    let connections = Connections {
        context: Arc::clone(context),
        node: node.map(|(cluster, node)| (cluster.clone(), node.clone())),
        sign_of_life: SignOfLife::default(),
    };
    Pool::builder(connections)
        .config(PoolConfig::new(size))
        .build()
        .map_err(|error| {
            context
                .error(ErrorKind::Internal, "the pool could not be built")
                .with_source(error)
        })
}

/// Waits for a connection that is free, and is certain to be open, or tries once to make one: all of it until `deadline`.
/// Must be polled on an I/O runtime.
pub(crate) async fn take(
    pool: &ConnectionPool,
    deadline: Deadline,
) -> Result<Pooled, PoolError<Error>> {
    let Some(at) = deadline.at() else {
        return pool.get().await;
    };
    // Not by the pool's own timeouts: it has one for each step, and one more for each connection that it asks.
    timeout_at(at, pool.get()).await.unwrap_or_else(|_| {
        let status = pool.status();
        let all_are_out = status.size >= status.max_size && status.available == 0;
        Err(PoolError::Timeout(match all_are_out {
            true => TimeoutType::Wait,
            false => TimeoutType::Create,
        }))
    })
}

/// Makes the connections of a pool, and decides whether one is used again.
pub(crate) struct Connections {
    context: Arc<ClientContext>,
    node: Option<(Connection, RedisNode)>,
    sign_of_life: SignOfLife,
}

impl Connections {
    /// The node that they go to, if the server is a cluster.
    pub(crate) fn node(&self) -> Option<&RedisNode> {
        self.node.as_ref().map(|(_, node)| node)
    }
}

impl Manager for Connections {
    type Type = ExclusiveConnection;
    type Error = Error;

    async fn create(&self) -> Result<ExclusiveConnection> {
        // Boxed, because a future has room for its largest part, and most sessions get a connection that is there.
        match &self.node {
            None => Box::pin(ExclusiveConnection::open_async(&self.context)).await,
            Some((cluster, node)) => Box::pin(cluster.open_at(node)).await,
        }
    }

    async fn recycle(
        &self,
        connection: &mut ExclusiveConnection,
        metrics: &Metrics,
    ) -> RecycleResult<Error> {
        if !connection.is_open() {
            return Err(RecycleError::message("it is lost"));
        }
        if connection.has_old_login() {
            return Err(RecycleError::message("there are other credentials"));
        }
        self.sign_of_life.of(connection, metrics).await
    }
}
