//! What closing a client means for its listeners.

use std::sync::Arc;

use async_trait::async_trait;
use redis_manager_core::{CallbackScope, Teardown};
use tokio::time::Instant;

use super::Subscriptions;

#[async_trait]
impl Teardown for Subscriptions {
    async fn quiesce(&self, deadline: Instant) -> Vec<String> {
        let listeners = {
            let mut table = self.table.lock();
            let mut listeners = std::mem::take(&mut *self.leaving.lock());
            if let Some(mut table) = table.take() {
                listeners.extend(table.remove_all());
            }
            listeners
        };
        let callbacks: Vec<_> = listeners
            .iter()
            .filter_map(|listener| Some((Arc::clone(listener), listener.deactivate()?)))
            .collect();
        // A callback owns what the script put into it, whose drop is the script's code and may block.
        let (dropped, all_dropped) = tokio::sync::oneshot::channel::<()>();
        if callbacks.is_empty() {
            drop(dropped);
        } else {
            self.context.resources().spawn_sync_callback(move || {
                let _scope = CallbackScope::enter();
                for (listener, callback) in callbacks {
                    listener.discard(callback);
                }
                drop(dropped);
            });
        }
        let mut running = Vec::new();
        for listener in &listeners {
            if !listener.wait_idle(deadline).await {
                listener.abort();
                let name = listener.channel().name();
                running.push(String::from_utf8_lossy(name).into_owned());
            }
        }
        // Ends with an error, by intention: nothing is ever sent.
        let _ = tokio::time::timeout_at(deadline, all_dropped).await;
        running
    }
}
