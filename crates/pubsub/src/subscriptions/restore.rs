//! Subscribing again what a lost connection was subscribed to.

use std::sync::atomic::Ordering;

use redis_manager_core::{
    CallbackScope, Channel, ClientEvent, Error, ErrorKind, FailureCause, ScriptFailure,
};

use super::Subscriptions;

/// How many channels the server is told of before its answers are waited for.
const AT_ONCE: usize = 1_000;

impl Subscriptions {
    /// Tells the connection of this number of every channel, unless another one has followed it.
    pub(super) async fn restore(&self, connection: u64) {
        let channels = match &*self.table.lock() {
            Some(table) => table.wanted(),
            None => return,
        };
        if channels.is_empty() {
            return;
        }
        if let Some(channels) = self.restore_all(channels, connection).await {
            self.context.emit(ClientEvent::Resubscribed { channels });
        }
    }

    /// Returns how many channels were restored; `None` if another connection has followed.
    async fn restore_all(&self, mut channels: Vec<Channel>, connection: u64) -> Option<usize> {
        let mut restored = 0;
        while !channels.is_empty() {
            let left = channels.split_off(channels.len().min(AT_ONCE));
            let now = std::mem::replace(&mut channels, left);
            let settling: Vec<_> = now.iter().map(|channel| self.begin(channel)).collect();
            for (channel, settling) in now.into_iter().zip(settling) {
                let outcome = self.finish(&channel, settling).await;
                if self.reconnects.load(Ordering::SeqCst) != connection {
                    return None;
                }
                match outcome {
                    Ok(()) => restored += 1,
                    Err(error) => match error.kind() {
                        ErrorKind::Server => self.refuse(channel, error),
                        // Whoever follows begins anew.
                        ErrorKind::Closed | ErrorKind::Disconnected => return None,
                        // It is told again.
                        _ => tracing::debug!(%channel, %error, "not restored yet"),
                    },
                }
            }
        }
        Some(restored)
    }

    /// Tells that `channel` is not listened to.
    pub(super) fn refuse(&self, channel: Channel, cause: Error) {
        let script = self.context.script().clone();
        let failure = ScriptFailure::new(&script, FailureCause::Error(Box::new(cause.clone())))
            .with_client(self.context.client_id())
            .with_channel(&channel);
        self.context
            .emit(ClientEvent::SubscriptionRefused { channel, cause });
        // The sink may block, which nothing may on this thread.
        self.context.resources().spawn_sync_callback(move || {
            let _scope = CallbackScope::enter();
            script.report_failure(failure);
        });
    }
}
