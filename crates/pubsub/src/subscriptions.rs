//! The listeners of a client, and the server's idea of them.

mod refusal;
mod teardown;
mod view;

use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;
use redis_manager_core::redis::{PushInfo, PushKind, Value};
use redis_manager_core::{
    Channel, ChannelKind, ClientContext, ClientEvent, Confirmation, Connection, Delivery, Error,
    ErrorKind, Gap, ListenerId, PushSink, Result,
};

use crate::Message;
use crate::arrivals::Arrivals;
use crate::burst::Burst;
use crate::listener::Listener;
use crate::subscription_table::{Confirmed, Restored, Step, StepNumber, SubscriptionTable};

/// How long to wait before the server is told again what it did not take.
const RETRY: Duration = Duration::from_millis(50);

pub(crate) struct Subscriptions {
    this: Weak<Self>,
    context: Arc<ClientContext>,
    /// `None` once the client is closed.
    table: Mutex<Option<SubscriptionTable<Arc<Listener>>>>,
    /// Listeners that left the table and may be running still; closing waits for them too. Changed
    /// only while `table` is locked.
    leaving: Mutex<Vec<Arc<Listener>>>,
    /// What was read and is not passed on yet. Only whoever reads the connection comes here.
    arrivals: Mutex<Arrivals>,
    /// `None` until it is open.
    connection: OnceLock<Connection>,
}

impl Subscriptions {
    pub(crate) fn new(context: &Arc<ClientContext>) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            this: Weak::clone(this),
            context: Arc::clone(context),
            table: Mutex::new(Some(SubscriptionTable::new())),
            leaving: Mutex::default(),
            arrivals: Mutex::default(),
            connection: OnceLock::new(),
        })
    }

    /// Says what the subscriptions are made on. The first one stays.
    pub(crate) fn connect(&self, connection: &Connection) {
        self.connection.get_or_init(|| connection.clone());
    }

    pub(crate) fn add(&self, listener: &Arc<Listener>) -> Result<()> {
        match &mut *self.table.lock() {
            Some(table) => {
                table.add(listener.subscription(), listener.id(), Arc::clone(listener));
                Ok(())
            }
            None => Err(self.context.closed_error().with_delivery(Delivery::NotSent)),
        }
    }

    pub(crate) fn remove(&self, channel: &Channel, id: ListenerId) -> Option<Arc<Listener>> {
        let mut table = self.table.lock();
        let listener = table.as_mut()?.remove(channel, id)?;
        self.leave(std::slice::from_ref(&listener));
        Some(listener)
    }

    pub(crate) fn remove_channel(&self, channel: &Channel) -> Vec<Arc<Listener>> {
        match &mut *self.table.lock() {
            Some(table) => {
                let listeners = table.remove_channel(channel);
                self.leave(&listeners);
                listeners
            }
            None => Vec::new(),
        }
    }

    /// Has no channel wanted any more, and returns those that the server is to be told of.
    pub(crate) fn leave_all(&self) -> Vec<Channel> {
        let mut table = self.table.lock();
        table
            .as_mut()
            .map_or_else(Vec::new, |table| table.leave_all())
    }

    /// Every listener that is registered.
    pub(crate) fn listeners(&self) -> Vec<Arc<Listener>> {
        let table = self.table.lock();
        table.as_ref().map_or_else(Vec::new, |table| table.all())
    }

    fn leave(&self, listeners: &[Arc<Listener>]) {
        let mut leaving = self.leaving.lock();
        leaving.retain(|listener| !listener.is_over());
        leaving.extend_from_slice(listeners);
    }

    /// Queues `burst` for everybody who listens to it. Called on an I/O thread.
    fn deliver(&self, kind: ChannelKind, burst: &Burst) {
        let Some(first) = burst.messages().first() else {
            return;
        };
        let listeners = match &*self.table.lock() {
            Some(table) => table.listeners(kind, first.subscription()),
            None => None,
        };
        let Some(listeners) = listeners else {
            return;
        };
        self.context
            .note_heard(burst.messages().len() * listeners.len());
        for (_, listener) in listeners.iter() {
            listener.deliver(burst);
        }
    }

    /// Tells the server what it does not know of `channel`, and completes when that is noted. It is told at
    /// once, not only when the future is awaited, which also may be dropped.
    pub(crate) fn settle(
        self: &Arc<Self>,
        channel: &Channel,
    ) -> impl Future<Output = Result<()>> + Send + use<> {
        let settling = self.begin(channel);
        let (this, channel) = (Arc::clone(self), channel.clone());
        let finish = async move { this.finish(&channel, settling).await };
        let context = Arc::clone(&self.context);
        async move { context.resources().run(finish).await }
    }

    /// As [`settle`](Self::settle), of a channel that nobody waits for.
    pub(crate) fn settle_in_background(&self, channel: &Channel) {
        let Some(this) = self.this.upgrade() else {
            return;
        };
        let settled = this.settle(channel);
        let channel = channel.clone();
        drop(self.context.spawn(async move {
            match settled.await {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::Server => this.refuse(&channel, error),
                Err(error) => tracing::debug!(
                    parent: this.context.span(), %channel, %error, "the server was not told yet"
                ),
            }
        }));
    }

    /// Tells the server again, after a while, what it did not answer in time.
    fn settle_later(&self, channel: &Channel) {
        let (this, channel) = (Weak::clone(&self.this), channel.clone());
        drop(self.context.spawn(async move {
            tokio::time::sleep(RETRY).await;
            if let Some(this) = this.upgrade() {
                this.settle_in_background(&channel);
            }
        }));
    }

    /// Notes that a subscription was ended, as `note` does.
    fn note_end(
        &self,
        channel: &Channel,
        note: fn(&mut SubscriptionTable<Arc<Listener>>, &Channel, SystemTime) -> bool,
    ) {
        let differs = match &mut *self.table.lock() {
            Some(table) => note(table, channel, SystemTime::now()),
            None => false,
        };
        if differs {
            self.settle_in_background(channel);
        }
    }

    fn tell_gaps(&self, mut gaps: Vec<Gap>) {
        for gap in &mut gaps {
            gap.channel = self.context.channel_of_script(&gap.channel);
        }
        if !gaps.is_empty() {
            self.context.emit(ClientEvent::Gaps(gaps.into()));
        }
    }

    /// Leaves the next step of `channel` to be sent, while no other can be decided.
    fn begin(&self, channel: &Channel) -> Result<Option<Settling>> {
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
                table.settle(channel, number);
                return Ok(None);
            }
            Step::Unsubscribe => connection.begin_unsubscribe(channel),
        };
        match confirmation {
            Ok(confirmation) => Ok(Some(Settling {
                number,
                confirmation,
            })),
            Err(error) => {
                table.settle(channel, number);
                Err(error)
            }
        }
    }

    /// Waits for the server's answer, and notes it.
    async fn finish(&self, channel: &Channel, settling: Result<Option<Settling>>) -> Result<()> {
        let Some(settling) = settling? else {
            return Ok(());
        };
        let outcome = settling.confirmation.received().await;
        let differs = match &mut *self.table.lock() {
            Some(table) => table.settle(channel, settling.number),
            None => false,
        };
        if let Err(error) = &outcome
            && differs
            && !is_final(error)
        {
            self.settle_later(channel);
        }
        outcome
    }
}

/// Whether it is of no use to tell the server again on this connection.
fn is_final(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Server | ErrorKind::Disconnected | ErrorKind::Closed
    )
}

/// A step that the server was told.
struct Settling {
    number: StepNumber,
    confirmation: Confirmation,
}

impl PushSink for Subscriptions {
    fn push(&self, push: PushInfo) {
        if push.kind == PushKind::SUnsubscribe {
            self.flush();
            if let Some(Value::BulkString(name)) = push.data.first() {
                self.note_end(&Channel::shard(name), SubscriptionTable::ended);
            }
        } else if let Some((kind, message)) = Message::from_push(push)
            && self.arrivals.lock().add(kind, message)
        {
            self.flush();
        }
    }

    fn flush(&self) {
        let arrived = {
            let mut arrivals = self.arrivals.lock();
            if arrivals.is_empty() {
                return;
            }
            arrivals.take()
        };
        for (kind, burst) in arrived {
            self.deliver(kind, &burst);
        }
    }

    fn subscribed(&self, channel: &Channel) {
        self.flush();
        let confirmed = match &mut *self.table.lock() {
            Some(table) => table.subscribed(channel, SystemTime::now()),
            None => return,
        };
        match confirmed {
            Confirmed::AsWanted => {}
            Confirmed::Missed(gap, listeners) => {
                for (_, listener) in listeners.iter() {
                    listener.deliver_gap(gap.clone());
                }
                let gap = match &mut *self.table.lock() {
                    Some(table) => table.note_gap(gap),
                    None => None,
                };
                self.tell_gaps(gap.into_iter().collect());
            }
            Confirmed::Differs => self.settle_in_background(channel),
        }
    }

    fn unsubscribed(&self, channel: &Channel) {
        self.flush();
        self.note_end(channel, SubscriptionTable::unsubscribed);
    }

    fn disconnected(&self, last_heard: SystemTime) {
        self.flush();
        let untold = match &mut *self.table.lock() {
            Some(table) => table.disconnected(last_heard),
            None => return,
        };
        self.tell_gaps(untold);
    }

    fn reconnected(&self) -> Vec<Channel> {
        match &mut *self.table.lock() {
            Some(table) => table.reconnected(),
            None => Vec::new(),
        }
    }

    fn restored(&self, channel: &Channel, outcome: Result<()>) {
        let restored = match &mut *self.table.lock() {
            Some(table) => table.restored(outcome.is_ok()),
            None => return,
        };
        if let Err(error) = outcome {
            self.refuse(channel, error);
        }
        if let Some(Restored { channels, gaps }) = restored {
            self.tell_gaps(gaps);
            self.context.emit(ClientEvent::Resubscribed { channels });
        }
    }
}
