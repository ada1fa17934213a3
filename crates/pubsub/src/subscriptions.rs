//! The listeners of a client, and the server's idea of them.

use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use redis_manager_core::{
    CallbackScope, ClientContext, Connection, Delivery, ErrorKind, Result, Teardown,
};
use tokio::time::Instant;

use crate::Message;
use crate::listener::Listener;
use crate::subscription_table::{Step, Subscribed, SubscriptionTable};

pub(crate) struct Subscriptions {
    context: Arc<ClientContext>,
    /// `None` once the client is closed.
    table: Mutex<Option<SubscriptionTable<Arc<Listener>>>>,
    /// Listeners that left the table and may be running still; closing waits for them too. Changed
    /// only while `table` is locked.
    leaving: Mutex<Vec<Arc<Listener>>>,
    /// One step at a time, so that the server hears them in the order in which they were decided.
    turn: tokio::sync::Mutex<()>,
}

impl Subscriptions {
    pub(crate) fn new(context: &Arc<ClientContext>) -> Self {
        Self {
            context: Arc::clone(context),
            table: Mutex::new(Some(SubscriptionTable::new())),
            leaving: Mutex::default(),
            turn: tokio::sync::Mutex::new(()),
        }
    }

    pub(crate) fn add(&self, listener: &Arc<Listener>) -> Result<()> {
        match &mut *self.table.lock() {
            Some(table) => {
                table.add(listener.channel(), listener.id(), Arc::clone(listener));
                Ok(())
            }
            None => Err(self.context.closed_error().with_delivery(Delivery::NotSent)),
        }
    }

    pub(crate) fn remove(&self, channel: &[u8], id: u64) -> Option<Arc<Listener>> {
        let mut table = self.table.lock();
        let listener = table.as_mut()?.remove(channel, id)?;
        self.leave(std::slice::from_ref(&listener));
        Some(listener)
    }

    pub(crate) fn remove_channel(&self, channel: &[u8]) -> Vec<Arc<Listener>> {
        match &mut *self.table.lock() {
            Some(table) => {
                let listeners = table.remove_channel(channel);
                self.leave(&listeners);
                listeners
            }
            None => Vec::new(),
        }
    }

    fn leave(&self, listeners: &[Arc<Listener>]) {
        let mut leaving = self.leaving.lock();
        leaving.retain(|listener| !listener.is_over());
        leaving.extend_from_slice(listeners);
    }

    /// Queues `message` for everybody who listens to its channel. Called on an I/O thread.
    pub(crate) fn deliver(&self, message: &Message) {
        let listeners = match &*self.table.lock() {
            Some(table) => table.listeners(message.channel()),
            None => None,
        };
        for (_, listener) in listeners.iter().flat_map(|listeners| listeners.iter()) {
            listener.deliver(message.clone());
        }
    }

    /// Tells the server what it does not know of `channel`, and notes what came of it.
    pub(crate) async fn settle(&self, connection: &Connection, channel: &[u8]) -> Result<()> {
        let _turn = self.turn.lock().await;
        let step = self
            .table
            .lock()
            .as_mut()
            .and_then(|table| table.next_step(channel));
        let outcome = match step {
            None => return Ok(()),
            Some(Step::Subscribe) => connection
                .subscribe_async(channel)
                .await
                .map(|()| Subscribed::Yes),
            Some(Step::Unsubscribe) => connection
                .unsubscribe_async(channel)
                .await
                .map(|()| Subscribed::No),
        };
        let subscribed = match &outcome {
            Ok(subscribed) => *subscribed,
            // The server answered: it did not do it. A lost connection has no subscriptions.
            Err(error) if step == Some(Step::Subscribe) && error.kind() == ErrorKind::Server => {
                Subscribed::No
            }
            Err(error) if error.kind() == ErrorKind::Disconnected => Subscribed::No,
            Err(_) => Subscribed::Unknown,
        };
        if let Some(table) = &mut *self.table.lock() {
            table.settle(channel, subscribed);
        }
        outcome.map(|_| ())
    }
}

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
                running.push(String::from_utf8_lossy(listener.channel()).into_owned());
            }
        }
        // Ends with an error, by intention: nothing is ever sent.
        let _ = tokio::time::timeout_at(deadline, all_dropped).await;
        running
    }
}
