//! Pools of connections of the `redis` crate, for the BASIC client.

use deadpool_redis::{Hook, HookError, Manager, Pool, PoolConfig, Runtime, Timeouts};
use redis::{AsyncConnectionConfig, ConnectionInfo};

use crate::{ClientContext, ErrorKind, Result};

/// Builds a pool of at most `size` connections as `info` says, for the client that `context` describes. Does not
/// connect. Its connections live on the runtime on which they are asked for.
///
/// Waiting for a connection is bounded by the command timeout, making one by the option
/// `connect_timeout`. What runs on one is bounded by whoever runs it.
///
/// # Errors
///
/// [`ErrorKind::Unsupported`] if the client's URI cannot be opened yet.
pub(crate) fn build_pool(
    context: &ClientContext,
    info: &ConnectionInfo,
    size: usize,
) -> Result<Pool> {
    let options = context.options();
    // Redis' own response timeout would cut a BLPOP short, whose element is then popped and lost.
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(options.connect_timeout()))
        .set_response_timeout(None);
    let manager = Manager::new_with_config(info.clone(), config)?;
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
            let mut set_name = redis::cmd("CLIENT");
            set_name.arg("SETNAME").arg(&name);
            Box::pin(async move {
                let named = set_name.exec_async(connection).await;
                named.map_err(HookError::Backend)
            })
        }));
    }
    builder.build().map_err(|error| {
        context
            .error(ErrorKind::Internal, "the pool could not be built")
            .with_source(error)
    })
}
