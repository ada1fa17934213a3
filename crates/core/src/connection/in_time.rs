//! The time in which a connection is to be made.

use std::time::Duration;

use super::progress::Progress;
use super::socket_target::SocketTarget;
use crate::{ClientContext, Error, ErrorKind, Result};

/// Runs what makes a connection, within the option `connect_timeout`.
pub(super) async fn in_time<T>(
    context: &ClientContext,
    target: &SocketTarget,
    progress: &Progress,
    connecting: impl Future<Output = Result<T>>,
) -> Result<T> {
    let time = context.options().connect_timeout();
    within(time, context, target, progress, connecting).await
}

/// The same, within `left`, which is what is left of that time.
pub(super) async fn within<T>(
    left: Duration,
    context: &ClientContext,
    target: &SocketTarget,
    progress: &Progress,
    connecting: impl Future<Output = Result<T>>,
) -> Result<T> {
    tokio::time::timeout(left, connecting)
        .await
        .unwrap_or_else(|_| {
            let address = progress.address();
            let address = address.unwrap_or_else(|| target.address(context));
            let time = context.options().connect_timeout();
            let hint = progress.hint(context.uri());
            let message = format!("no connection to {address} within {time:?}{hint}");
            Err(Error::new(ErrorKind::Timeout, message))
        })
        .map_err(|error| error.with_client(context.client_id()))
}
