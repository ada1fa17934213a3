//! The one way to close a client.

use std::sync::Arc;
use std::sync::atomic::Ordering;

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

    /// Lets go of what no task of [`ClientContext::spawn`] owns: a pool hands out nothing any more. Must not
    /// block.
    fn release(&self) {}
}

/// How far a closing has come.
pub(super) enum Closure {
    Open,
    /// Begun, and nobody closes anything yet.
    Begun {
        deadline: Instant,
    },
    UnderWay,
}

impl ClientContext {
    /// Refuses new work from now on, as the first step of closing; the deadline of that begins too. Closes
    /// nothing by itself: whoever closes many clients does this first, so that none has more time because
    /// it is the last one's turn.
    pub fn begin_closing(&self) {
        let deadline = self.shutdown_deadline();
        let mut state = self.state.lock();
        if !state.client.is_closed() {
            state.client = ClientState::Closing;
            self.is_closed.store(true, Ordering::Release);
            state.closing = Closure::Begun { deadline };
        }
    }

    /// Closes the client: refuses new work, waits for what is in flight at most `shutdown_timeout`,
    /// then cuts. Goes on by itself if the caller stops waiting, and inside a callback nobody waits.
    pub async fn close(self: &Arc<Self>, client: Arc<dyn Teardown>) -> CloseReport {
        let report = |outcome| CloseReport::new(self.client_id, self.client_type, outcome);
        self.begin_closing();
        let begun = std::mem::replace(&mut self.state.lock().closing, Closure::UnderWay);
        let Closure::Begun { deadline } = begun else {
            if !in_callback() {
                self.closed.cancelled().await;
            }
            return report(CloseOutcome::AlreadyClosed);
        };
        let closing = Closing(Arc::clone(self));
        let task = self.resources.spawn(closing.finish(client, deadline));
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

impl ClientContext {
    /// Ends everything at once, of a context that no client is.
    pub(crate) async fn end(&self) {
        self.begin_closing();
        self.work.close();
        self.cut.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.end_sentinels().await;
    }

    /// Gives up the sentinels that it uses, if it does.
    async fn end_sentinels(&self) {
        if let Some(sentinels) = self.take_sentinels() {
            sentinels.end().await;
        }
    }
}

/// A closing under way. Dropping it, finished or not, leaves the client closed and nothing running.
struct Closing(Arc<ClientContext>);

impl Closing {
    async fn finish(self, client: Arc<dyn Teardown>, deadline: Instant) -> CloseReport {
        let context = &self.0;
        context.work.close();
        let (drained, running_callbacks) = tokio::join!(
            tokio::time::timeout_at(deadline, context.work.over()),
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
        if let Some(membership) = context.membership() {
            if cut_off > 0 {
                context.work.cut();
                membership.cut().await;
            }
            membership.leave(context);
            membership.ended().await;
        }
        context.end_sentinels().await;
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
        context.abandon();
        context.state.lock().client = ClientState::Closed;
        context.give_back_share();
        context.emit(ClientEvent::Closed);
        context.closed.cancel();
    }
}
