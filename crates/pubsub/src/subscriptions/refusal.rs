//! Telling that the server allows a subscription no more.

use redis_manager_core::{CallbackScope, Channel, ClientEvent, Error, FailureCause, ScriptFailure};

use super::Subscriptions;

impl Subscriptions {
    /// Tells that `channel` is not listened to, if anybody wants that still.
    pub(super) fn refuse(&self, channel: &Channel, cause: Error) {
        let is_wanted = match &*self.table.lock() {
            Some(table) => table.is_wanted(channel),
            None => false,
        };
        if !is_wanted {
            return;
        }
        let channel = self.context.channel_of_script(channel);
        let cause = cause.with_client(self.context.client_id());
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
