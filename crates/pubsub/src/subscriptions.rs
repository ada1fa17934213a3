//! The listeners of a client, and the server's idea of them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use redis_manager_core::redis::PushInfo;
use redis_manager_core::{
    CallbackScope, ClientContext, Confirmation, Connection, Delivery, ErrorKind, PushSink, Result,
    Teardown,
};
use tokio::time::Instant;

use crate::Message;
use crate::listener::Listener;
use crate::subscription_table::{Step, StepNumber, Subscribed, SubscriptionTable};

/// How long to wait before a channel that could not be restored is tried again.
const RESTORE_RETRY: Duration = Duration::from_millis(50);

/// How many channels the server is told of before its answers are waited for.
const RESTORED_AT_ONCE: usize = 1_000;

pub(crate) struct Subscriptions {
    context: Arc<ClientContext>,
    /// `None` once the client is closed.
    table: Mutex<Option<SubscriptionTable<Arc<Listener>>>>,
    /// Listeners that left the table and may be running still; closing waits for them too. Changed
    /// only while `table` is locked.
    leaving: Mutex<Vec<Arc<Listener>>>,
    /// `None` until it is open.
    connection: OnceLock<Connection>,
    /// How many connections have followed the first one.
    reconnects: AtomicU64,
}

impl Subscriptions {
    pub(crate) fn new(context: &Arc<ClientContext>) -> Self {
        Self {
            context: Arc::clone(context),
            table: Mutex::new(Some(SubscriptionTable::new())),
            leaving: Mutex::default(),
            connection: OnceLock::new(),
            reconnects: AtomicU64::new(0),
        }
    }

    /// Says what the subscriptions are made on. The first one stays.
    pub(crate) fn connect(&self, connection: &Connection) {
        self.connection.get_or_init(|| connection.clone());
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

    /// Tells the connection of this number of every channel, unless another one has followed it.
    async fn restore(&self, connection: u64) {
        let mut channels = match &mut *self.table.lock() {
            Some(table) if self.is_current(connection) => table.forget_server(),
            _ => return,
        };
        while !channels.is_empty() {
            let left = channels.split_off(channels.len().min(RESTORED_AT_ONCE));
            let now = std::mem::replace(&mut channels, left);
            let settling: Vec<_> = now.iter().map(|channel| self.begin(channel)).collect();
            for (channel, settling) in now.into_iter().zip(settling) {
                let Err(error) = self.finish(&channel, settling).await else {
                    continue;
                };
                if !self.is_current(connection) {
                    return;
                }
                let text = String::from_utf8_lossy(&channel);
                tracing::warn!(script = %self.context.script(), client = %self.context.client_id(),
                    channel = %text, %error, "the subscription could not be restored");
                // Anything but an answer, a full queue for one, passes.
                if !matches!(error.kind(), ErrorKind::Server | ErrorKind::Closed) {
                    channels.push(channel);
                    tokio::time::sleep(RESTORE_RETRY).await;
                }
            }
        }
    }

    fn is_current(&self, connection: u64) -> bool {
        self.reconnects.load(Ordering::SeqCst) == connection
    }

    /// Tells the server what it does not know of `channel`, and completes when that is noted. It is told at
    /// once, not only when the future is awaited, which also may be dropped.
    pub(crate) fn settle(
        self: &Arc<Self>,
        channel: &[u8],
    ) -> impl Future<Output = Result<()>> + Send + use<> {
        let settling = self.begin(channel);
        let (this, channel) = (Arc::clone(self), channel.to_vec());
        let finish = async move { this.finish(&channel, settling).await };
        let context = Arc::clone(&self.context);
        async move { context.resources().run(finish).await }
    }

    /// Leaves the next step of `channel` to be sent, while no other can be decided.
    fn begin(&self, channel: &[u8]) -> Result<Option<Settling>> {
        let Some(connection) = self.connection.get() else {
            return Err(self.context.error(ErrorKind::Internal, "not open yet"));
        };
        let mut table = self.table.lock();
        let next = table.as_mut().and_then(|table| table.next_step(channel));
        let (Some((step, number)), Some(table)) = (next, &mut *table) else {
            return Ok(None);
        };
        let confirmation = match step {
            Step::Subscribe => connection.begin_subscribe(channel),
            // The next connection has no subscriptions, and is told only of channels with listeners.
            Step::Unsubscribe if connection.subscriptions_are_lost() => {
                table.settle(channel, number, Subscribed::No);
                return Ok(None);
            }
            Step::Unsubscribe => connection.begin_unsubscribe(channel),
        };
        Ok(Some(Settling {
            step,
            number,
            confirmation: confirmation?,
        }))
    }

    /// Waits for the server's answer, and notes it.
    async fn finish(&self, channel: &[u8], settling: Result<Option<Settling>>) -> Result<()> {
        let Some(settling) = settling? else {
            return Ok(());
        };
        let outcome = settling.confirmation.received().await;
        let subscribed = match (&outcome, settling.step) {
            (Ok(()), Step::Subscribe) => Subscribed::Yes,
            (Ok(()), Step::Unsubscribe) => Subscribed::No,
            // The server answered: it did not do it.
            (Err(error), Step::Subscribe) if error.kind() == ErrorKind::Server => Subscribed::No,
            // A lost connection has no subscriptions.
            (Err(error), _) if error.kind() == ErrorKind::Disconnected => Subscribed::No,
            (Err(_), _) => Subscribed::Unknown,
        };
        if let Some(table) = &mut *self.table.lock() {
            table.settle(channel, settling.number, subscribed);
        }
        outcome
    }
}

/// A step that the server was told.
struct Settling {
    step: Step,
    number: StepNumber,
    confirmation: Confirmation,
}

impl PushSink for Subscriptions {
    fn push(&self, push: PushInfo) {
        if let Some(message) = Message::from_push(push) {
            self.deliver(&message);
        }
    }

    fn reconnected(self: Arc<Self>) {
        let connection = self.reconnects.fetch_add(1, Ordering::SeqCst) + 1;
        let context = Arc::clone(&self.context);
        drop(context.spawn(async move { self.restore(connection).await }));
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
