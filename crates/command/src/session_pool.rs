//! The connections behind sessions and blocking commands.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use deadpool::managed::{PoolError, TimeoutType, Timeouts};
use redis_manager_core::{
    Backoff, ClientContext, Deadline, Delivery, Error, ErrorKind, LimitName, PoolSnapshot, Result,
    Share,
};
use tokio::sync::Semaphore;

use crate::connection_pool::{ConnectionPool, build_pool};
use crate::lease::Lease;

/// Two pools with a cap each, so that blocking commands never starve sessions.
pub(crate) struct SessionPools {
    context: Arc<ClientContext>,
    /// A place for each who waits for a connection.
    waiting: Semaphore,
    /// Made when they are needed: most clients never do.
    sessions: OnceLock<ConnectionPool>,
    blocking: OnceLock<ConnectionPool>,
}

impl SessionPools {
    pub(crate) fn new(context: &Arc<ClientContext>) -> Self {
        let places = context.options().request_queue_size();
        Self {
            context: Arc::clone(context),
            waiting: Semaphore::new(places.min(Semaphore::MAX_PERMITS)),
            sessions: OnceLock::new(),
            blocking: OnceLock::new(),
        }
    }

    pub(crate) async fn lease(&self) -> Result<Lease> {
        let share = self.share(LimitName::Sessions)?;
        let size = self.context.options().session_pool_size();
        let deadline = Deadline::after(self.context.command_timeout());
        let leased = self.lease_from(&self.sessions, size, "session_pool_size", deadline);
        Ok(leased.await?.with_share(share))
    }

    /// Takes one of what the script may have of these.
    pub(crate) fn share(&self, limit: LimitName) -> Result<Share> {
        let script = self.context.script();
        let share = script.share(limit);
        share.map_err(|error| error.with_client(self.context.client_id()))
    }

    pub(crate) async fn blocking_lease(&self, deadline: Deadline) -> Result<Lease> {
        let size = self.context.options().blocking_pool_size();
        self.lease_from(&self.blocking, size, "blocking_pool_size", deadline)
            .await
    }

    async fn lease_from(
        &self,
        pool: &OnceLock<ConnectionPool>,
        size: usize,
        option: &'static str,
        deadline: Deadline,
    ) -> Result<Lease> {
        let context = Arc::clone(&self.context);
        let pool = match pool.get() {
            Some(pool) => pool.clone(),
            None => {
                let new = build_pool(&context, size)?;
                pool.get_or_init(|| new).clone()
            }
        };
        let _place = self.waiting.try_acquire().map_err(|_| {
            let limit = context.options().request_queue_size();
            let message = format!("too much waits; the option request_queue_size allows {limit}");
            let full = context.error(ErrorKind::QueueFull, message);
            full.with_delivery(Delivery::NotSent)
        })?;
        // On our runtime, where the connection's task is to live.
        let leased = self
            .context
            .run_admitted(async move { lease(&context, &pool, option, deadline).await });
        leased
            .await
            .map_err(|error| error.with_delivery(Delivery::NotSent))
    }

    /// The connections for sessions, and those for blocking commands.
    pub(crate) fn snapshot(&self) -> (PoolSnapshot, PoolSnapshot) {
        let of = |pool: &OnceLock<ConnectionPool>| {
            let Some(pool) = pool.get() else {
                return PoolSnapshot::default();
            };
            let status = pool.status();
            let out = status.size.saturating_sub(status.available);
            PoolSnapshot::new(out, status.available, status.waiting)
        };
        (of(&self.sessions), of(&self.blocking))
    }

    /// Hands out nothing any more; the connections end with the client's tasks.
    pub(crate) fn close(&self) {
        for pool in [&self.sessions, &self.blocking] {
            if let Some(pool) = pool.get() {
                pool.close();
            }
        }
    }
}

/// Waits for a connection, or makes one, until `deadline`.
async fn lease(
    context: &Arc<ClientContext>,
    pool: &ConnectionPool,
    option: &str,
    deadline: Deadline,
) -> Result<Lease> {
    let mut backoff = Backoff::new(context.options().reconnect_delay());
    let mut failure = None;
    loop {
        context.check_connection()?;
        let left = deadline.remaining();
        if let (Some(Duration::ZERO), Some(failure)) = (left, failure) {
            return Err(too_late(context, deadline, failure));
        }
        let timeouts = Timeouts {
            wait: left,
            create: left,
            recycle: left,
        };
        failure = match pool.timeout_get(&timeouts).await {
            Ok(connection) => return Ok(Lease::new(context, connection)),
            Err(PoolError::Backend(cause)) if !context.queues_after(&cause) => return Err(cause),
            Err(PoolError::Backend(cause)) => Some(cause),
            Err(error) => return Err(pool_error(context, option, deadline, &error)),
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

fn too_late(context: &ClientContext, deadline: Deadline, failure: Error) -> Error {
    let timeout = deadline.timeout().unwrap_or_default();
    let message = format!("{}; not sent within {timeout:?}", failure.message());
    let error = context.error(ErrorKind::Timeout, message);
    error.with_source(failure)
}

fn pool_error(
    context: &ClientContext,
    option: &str,
    deadline: Deadline,
    error: &PoolError<Error>,
) -> Error {
    let timeout = deadline.timeout().unwrap_or_default();
    match error {
        PoolError::Closed => context.closed_error(),
        PoolError::Timeout(TimeoutType::Wait) => context.error(
            ErrorKind::PoolExhausted,
            format!(
                "no connection became free within {timeout:?}; \
                 the option {option} allows this many at a time"
            ),
        ),
        PoolError::Timeout(_) => context.error(
            ErrorKind::Timeout,
            format!(
                "no connection to {} within {timeout:?}",
                context.uri().address()
            ),
        ),
        other => context.error(ErrorKind::Internal, other.to_string()),
    }
}
