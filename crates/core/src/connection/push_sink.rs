//! Who takes what the server sends unasked.

use std::sync::Arc;

use redis::PushInfo;

/// Takes what the server sends unasked, and hears when a connection that was lost is back. Called on an
/// I/O thread, so it must neither block nor keep more than a bounded amount.
pub trait PushSink: Send + Sync + 'static {
    /// Takes a published message, or another push.
    fn push(&self, push: PushInfo);

    /// The connection is another one, and has no subscriptions yet.
    fn reconnected(self: Arc<Self>) {}
}
