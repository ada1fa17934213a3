//! The one way to close a client.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::time::Instant;

use super::ClientContext;
use crate::{ClientEvent, ClientState, CloseOutcome, CloseReport, ErrorKind, in_callback};

/// What a kind of client adds to the closing that all have in common.
#[async_trait]
pub trait Teardown: Send + Sync + 'static {
    /// Stops what is not a command, and waits for it until `deadline`. Returns what is running still.
    async fn quiesce(&self, deadline: Instant) -> Vec<String> {
        let _ = deadline;
        Vec::new()
    }

    /// Lets go of every connection that [`ClientContext::spawn`] does not know of. Must not block.
    fn release(&self) {}
}

impl ClientContext {
    /// Closes the client: refuses new work, waits for what is in flight at most `shutdown_timeout`,
    /// then cuts. Goes on by itself if the caller stops waiting, and inside a callback nobody waits.
    pub async fn close(self: &Arc<Self>, client: Arc<dyn Teardown>) -> CloseReport {
        let report = |outcome| CloseReport::new(self.client_id, self.client_type, outcome);
        let begins = {
            let mut state = self.state.lock();
            state.change(|client| !client.is_closed(), ClientState::Closing)
        };
        if !begins {
            if !in_callback() {
                self.closed.cancelled().await;
            }
            return report(CloseOutcome::AlreadyClosed);
        }
        let closing = Closing(Arc::clone(self));
        let task = self.resources.spawn(closing.finish(client));
        if in_callback() {
            return report(CloseOutcome::InBackground);
        }
        task.await.unwrap_or_else(|error| {
            report(CloseOutcome::Failed(
                self.error(ErrorKind::Internal, "the closing failed")
                    .with_source(error),
            ))
        })
    }
}

/// A closing under way. Dropping it, finished or not, leaves the client closed and nothing running.
struct Closing(Arc<ClientContext>);

impl Closing {
    async fn finish(self, client: Arc<dyn Teardown>) -> CloseReport {
        let context = &self.0;
        let deadline = context.shutdown_deadline();
        context.work.close();
        let (drained, running_callbacks) = tokio::join!(
            tokio::time::timeout_at(deadline, context.work.wait()),
            client.quiesce(deadline),
        );
        let cut_off = match drained {
            Ok(()) => 0,
            Err(_) => context.work.len(),
        };
        context.cut.cancel();
        client.release();
        context.tasks.close();
        context.tasks.wait().await;
        CloseReport::with_remains(
            context.client_id,
            context.client_type,
            cut_off,
            running_callbacks,
        )
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        let context = &self.0;
        context.cut.cancel();
        context.state.lock().client = ClientState::Closed;
        context.emit(ClientEvent::Closed);
        context.closed.cancel();
    }
}
