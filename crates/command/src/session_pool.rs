//! The connections behind sessions and blocking commands.

use std::sync::Arc;

use redis_manager_core::deadpool_redis::{
    Hook, HookError, Manager, Pool, PoolConfig, PoolError, Runtime, TimeoutType, Timeouts,
};
use redis_manager_core::redis::{AsyncConnectionConfig, ProtocolVersion, cmd};
use redis_manager_core::{ClientContext, Error, ErrorKind, Result, connection_info, explain};

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
            sessions: build(context, protocol, options.session_pool_size())?,
            blocking: build(context, protocol, options.blocking_pool_size())?,
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

fn build(context: &Arc<ClientContext>, protocol: ProtocolVersion, size: usize) -> Result<Pool> {
    let options = context.options();
    // Redis' own response timeout would cut a BLPOP short, whose element is then popped and lost.
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(options.connect_timeout()))
        .set_response_timeout(None);
    let info = connection_info(context.uri(), options, protocol)?;
    let manager = Manager::new_with_config(info, config)?;
    let mut limits = PoolConfig::new(size);
    limits.timeouts = Timeouts {
        wait: Some(context.command_timeout()),
        create: Some(options.connect_timeout()),
        recycle: Some(context.command_timeout()),
    };
    let mut builder = Pool::builder(manager)
        .config(limits)
        .runtime(Runtime::Tokio1);
    if let Some(name) = context.uri().client_name().map(str::to_owned) {
        builder = builder.post_create(Hook::async_fn(move |connection, _| {
            let mut set_name = cmd("CLIENT");
            set_name.arg("SETNAME").arg(&name);
            Box::pin(async move {
                let named = set_name.exec_async(connection).await;
                named.map_err(HookError::Backend)
            })
        }));
    }
    builder.build().map_err(|error| {
        context
            .error(ErrorKind::Internal, "the session pool could not be built")
            .with_source(error)
    })
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
