//! The connections behind sessions and blocking commands.

use std::sync::Arc;

use redis_manager_core::deadpool_redis::{Pool, PoolError, TimeoutType};
use redis_manager_core::redis::ProtocolVersion;
use redis_manager_core::{ClientContext, Error, ErrorKind, Result, build_pool, explain};

use crate::lease::{Lease, Leases};

/// Two pools with a cap each, so that blocking commands never starve sessions.
pub(crate) struct SessionPools {
    context: Arc<ClientContext>,
    sessions: Pool,
    blocking: Pool,
    leases: Arc<Leases>,
}

impl SessionPools {
    /// Builds both pools; neither connects before it is used.
    pub(crate) fn new(context: &Arc<ClientContext>, protocol: ProtocolVersion) -> Result<Self> {
        let options = context.options();
        Ok(Self {
            sessions: build_pool(context, protocol, options.session_pool_size())?,
            blocking: build_pool(context, protocol, options.blocking_pool_size())?,
            context: Arc::clone(context),
            leases: Arc::default(),
        })
    }

    pub(crate) async fn lease(&self) -> Result<Lease> {
        self.lease_from(&self.sessions, "session_pool_size").await
    }

    pub(crate) async fn blocking_lease(&self) -> Result<Lease> {
        self.lease_from(&self.blocking, "blocking_pool_size").await
    }

    async fn lease_from(&self, pool: &Pool, option: &'static str) -> Result<Lease> {
        let (pool, context) = (pool.clone(), Arc::clone(&self.context));
        let leases = Arc::clone(&self.leases);
        let get = self.context.run_cancellable(async move {
            let outcome = pool.get().await;
            let object = outcome.map_err(|error| pool_error(&context, option, error))?;
            // Here already, so that closing finds it even if the caller never asks for it.
            leases.add(&context, object)
        });
        // The pool has timeouts of its own, for each thing that it does.
        self.context.within(None, get).await
    }

    /// Drops every connection, those of sessions that are out included.
    pub(crate) fn close(&self) {
        self.sessions.close();
        self.blocking.close();
        self.leases.revoke();
    }
}

fn pool_error(context: &ClientContext, option: &str, error: PoolError) -> Error {
    match error {
        PoolError::Closed => context.closed_error(),
        PoolError::Backend(error) => explain(context.uri(), error),
        PoolError::Timeout(TimeoutType::Wait) => context.error(
            ErrorKind::PoolExhausted,
            format!(
                "no connection became free within {:?}; the option {option} allows this many at a time",
                context.command_timeout()
            ),
        ),
        PoolError::Timeout(_) => context.error(
            ErrorKind::Timeout,
            format!(
                "no connection to {} within {:?}",
                context.uri().address(),
                context.options().connect_timeout()
            ),
        ),
        other => context.error(ErrorKind::Connect, other.to_string()),
    }
}
