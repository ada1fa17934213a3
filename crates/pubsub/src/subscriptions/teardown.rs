//! What closing a client means for its listeners.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::join_all;
use redis_manager_core::{CallbackScope, Channel, ClientContext, ClientId, Connection, Teardown};
use tokio::time::Instant;

use super::Subscriptions;
use crate::listener::Listener;
use crate::subscription_table::OfClient;

/// Of one client, which may not be the only one that listens.
pub(crate) struct ClientTeardown {
    context: Arc<ClientContext>,
    subscriptions: Arc<Subscriptions>,
}

impl ClientTeardown {
    pub(crate) fn new(context: &Arc<ClientContext>, subscriptions: &Arc<Subscriptions>) -> Self {
        Self {
            context: Arc::clone(context),
            subscriptions: Arc::clone(subscriptions),
        }
    }
}

impl Subscriptions {
    /// Takes out the listeners of `client`, also those that left the table and may be running still; returns them and
    /// the channels that the server is to be told of.
    fn remove_client(&self, client: ClientId) -> (Vec<Arc<Listener>>, Vec<Channel>) {
        let mut table = self.table.lock();
        let mut leaving = self.leaving.lock();
        if self.connection.get().is_some_and(Connection::is_carrier) {
            let (mut listeners, told) = match &mut *table {
                Some(table) => table.remove_client(client),
                None => (Vec::new(), Vec::new()),
            };
            let is_its = |listener: &mut Arc<Listener>| listener.client() == client;
            listeners.extend(leaving.extract_if(.., is_its));
            return (listeners, told);
        }
        // The connection goes as well, and there is nothing to tell.
        let mut listeners = std::mem::take(&mut *leaving);
        if let Some(table) = table.take() {
            listeners.extend(table.into_listeners());
        }
        (listeners, Vec::new())
    }
}

#[async_trait]
impl Teardown for ClientTeardown {
    async fn quiesce(&self, deadline: Instant) -> Vec<String> {
        let (listeners, told) = self.subscriptions.remove_client(self.context.client_id());
        let told: Vec<_> = told
            .iter()
            .map(|channel| self.subscriptions.settle(channel))
            .collect();
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
        let idle = async {
            let mut running = Vec::new();
            for listener in &listeners {
                if !listener.wait_idle(deadline).await {
                    listener.abort();
                    let name = listener.channel().name();
                    running.push(String::from_utf8_lossy(name).into_owned());
                }
            }
            running
        };
        let (running, _, _) = tokio::join!(
            idle,
            // Ends with an error, by intention: nothing is ever sent.
            tokio::time::timeout_at(deadline, all_dropped),
            // What the server does not take in time it is told again, for as long as the connection is there.
            tokio::time::timeout_at(deadline, join_all(told)),
        );
        running
    }
}
