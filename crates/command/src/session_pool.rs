//! The connections behind sessions and blocking commands.

use std::sync::Arc;

use deadpool::managed::{PoolError, TimeoutType};
use redis_manager_core::{
    Backoff, ClientContext, Connection, Deadline, Delivery, Error, ErrorKind, LimitName,
    PoolSnapshot, RedisNode, Result, Share,
};
use tokio::sync::Semaphore;

use crate::connection_pool::{ConnectionPool, Pooled, take};
use crate::node_pools::NodePools;

/// Two sorts with a cap each, so that blocking commands never starve sessions.
pub(crate) struct SessionPools {
    context: Arc<ClientContext>,
    /// If the server is a cluster: who knows which node has what.
    cluster: Option<Connection>,
    /// A place for each who waits for a connection.
    waiting: Semaphore,
    sessions: NodePools,
    blocking: NodePools,
}

/// What a connection is taken for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    Session,
    BlockingCall,
}

impl SessionPools {
    /// Those of the client that `context` describes, whose calls share `connection`.
    pub(crate) fn new(context: &Arc<ClientContext>, connection: &Connection) -> Arc<Self> {
        let options = context.options();
        let places = options.request_queue_size();
        Arc::new(Self {
            context: Arc::clone(context),
            cluster: connection.is_to_cluster().then(|| connection.clone()),
            waiting: Semaphore::new(places.min(Semaphore::MAX_PERMITS)),
            sessions: NodePools::new(options.session_pool_size(), "session_pool_size"),
            blocking: NodePools::new(options.blocking_pool_size(), "blocking_pool_size"),
        })
    }

    pub(crate) fn context(&self) -> &Arc<ClientContext> {
        &self.context
    }

    /// Who knows which node has what, if the server is a cluster.
    pub(crate) fn cluster(&self) -> Option<&Connection> {
        self.cluster.as_ref()
    }

    /// Takes one of what the script may have of these.
    pub(crate) fn share(&self, limit: LimitName) -> Result<Share> {
        let script = self.context.script();
        let share = script.share(limit);
        share.map_err(|error| error.with_client(self.context.client_id()))
    }

    /// A connection to `node`, if the server is a cluster, or else to the server.
    pub(crate) async fn connection(
        &self,
        purpose: Purpose,
        node: Option<&RedisNode>,
        deadline: Deadline,
    ) -> Result<Pooled> {
        let pools = match purpose {
            Purpose::Session => &self.sessions,
            Purpose::BlockingCall => &self.blocking,
        };
        let context = Arc::clone(&self.context);
        let node = self.cluster.as_ref().zip(node);
        let (pool, option) = (pools.at(&context, node)?, pools.option());
        // Boxed, as all that only a cluster needs: a future has room for its largest part.
        let loss = node.map(|(cluster, node)| Box::pin(cluster.loss_of(node)));
        let _place = self.waiting.try_acquire().map_err(|_| {
            let limit = context.options().request_queue_size();
            let message = format!("too much waits; the option request_queue_size allows {limit}");
            let full = context.error(ErrorKind::QueueFull, message);
            full.with_delivery(Delivery::NotSent)
        })?;
        // On our runtime, where the connection's task is to live.
        let leased = self.context.run_admitted(async move {
            let Some(loss) = loss else {
                return lease(&context, &pool, option, deadline).await;
            };
            let leasing = async {
                tokio::select! {
                    leased = try_to_lease(&context, &pool, option, deadline) => leased,
                    // Nobody need wait for what it may never say.
                    error = loss => Err(error),
                }
            };
            Box::pin(leasing).await
        });
        leased
            .await
            .map_err(|error| error.with_delivery(Delivery::NotSent))
    }

    /// The connections for sessions, and those for blocking commands.
    pub(crate) fn snapshot(&self) -> (PoolSnapshot, PoolSnapshot) {
        (self.sessions.snapshot(), self.blocking.snapshot())
    }

    /// Hands out nothing any more; the connections end with the client's tasks.
    pub(crate) fn close(&self) {
        self.sessions.close();
        self.blocking.close();
    }
}

/// Waits for a connection, or tries once to make one, until `deadline`: the node may be the wrong one by now.
async fn try_to_lease(
    context: &ClientContext,
    pool: &ConnectionPool,
    option: &str,
    deadline: Deadline,
) -> Result<Pooled> {
    take(pool, deadline).await.map_err(|error| match error {
        PoolError::Backend(cause) => cause,
        other => pool_error(context, pool, option, deadline, &other),
    })
}

/// Waits for a connection, or makes one, until `deadline`.
async fn lease(
    context: &Arc<ClientContext>,
    pool: &ConnectionPool,
    option: &str,
    deadline: Deadline,
) -> Result<Pooled> {
    let mut backoff = Backoff::new(context.options().reconnect_delay());
    let mut failure = None;
    loop {
        context.check_connection()?;
        let taken = take(pool, deadline).await;
        failure = match (taken, failure) {
            (Ok(connection), _) => return Ok(connection),
            (Err(PoolError::Backend(cause)), _) if !context.queues_after(&cause) => {
                return Err(cause);
            }
            (Err(PoolError::Backend(cause)), _) => Some(cause),
            // What kept it from being made before says more than that this try took too long.
            (Err(PoolError::Timeout(TimeoutType::Create)), Some(failure)) => {
                return Err(too_late(context, deadline, failure));
            }
            (Err(error), _) => return Err(pool_error(context, pool, option, deadline, &error)),
        };
        let delay = backoff.next_delay();
        let pause = deadline.remaining().map_or(delay, |left| left.min(delay));
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            // Then the server is there, and need not be waited for.
            () = context.connected_async() => {}
        }
    }
}

/// The error of whoever has waited until `deadline` for a connection that could not be made, because of `failure`.
pub(crate) fn too_late(context: &ClientContext, deadline: Deadline, failure: Error) -> Error {
    let timeout = deadline.timeout().unwrap_or_default();
    let message = format!("{}; not sent within {timeout:?}", failure.message());
    let error = context.error(ErrorKind::Timeout, message);
    error.with_source(failure)
}

fn pool_error(
    context: &ClientContext,
    pool: &ConnectionPool,
    option: &str,
    deadline: Deadline,
    error: &PoolError<Error>,
) -> Error {
    let timeout = deadline.timeout().unwrap_or_default();
    let node = pool.manager().node().map(RedisNode::to_string);
    match error {
        PoolError::Closed => context.closed_error(),
        PoolError::Timeout(TimeoutType::Wait) => context.error(
            ErrorKind::PoolExhausted,
            format!(
                "no connection{} became free within {timeout:?}; \
                 the option {option} allows this many at a time",
                node.map(|node| format!(" to {node}")).unwrap_or_default()
            ),
        ),
        PoolError::Timeout(_) => context.error(
            ErrorKind::Timeout,
            format!(
                "no connection to {} within {timeout:?}",
                node.unwrap_or_else(|| context.uri().address())
            ),
        ),
        other => context.error(ErrorKind::Internal, other.to_string()),
    }
}
