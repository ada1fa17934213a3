//! The listeners on a connection, and the server's idea of them.

mod moving;
mod sink;
mod teardown;
mod telling;
mod view;

use std::any::Any;
use std::collections::HashSet;
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;
use redis_manager_core::{
    Channel, ClientContext, ClientId, Confirmation, Connection, Delivery, Error, ErrorKind, Result,
};

use crate::listener::Listener;
use crate::subscription_table::{Differs, NextStep, OfClient, Step, StepNumber, SubscriptionTable};
pub(crate) use sink::SocketSink;
pub(crate) use teardown::ClientTeardown;

/// When the server is told again what it did not take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Again {
    Soon,
    /// What it has refused: whoever may not say it would be refused again.
    Seldom,
}

impl Again {
    fn pause(self) -> Duration {
        match self {
            Self::Soon => Duration::from_millis(50),
            Self::Seldom => Duration::from_secs(10),
        }
    }
}

/// Those of one client, or of all that share its connection.
pub(crate) struct Subscriptions {
    this: Weak<Self>,
    /// `None` once nobody can listen any more.
    table: Mutex<Option<SubscriptionTable<Arc<Listener>>>>,
    /// Listeners that left the table and may be running still; closing waits for them too. Changed
    /// only while `table` is locked.
    leaving: Mutex<Vec<Arc<Listener>>>,
    /// The channels whose end the server has refused, until it is told again.
    refused: Mutex<HashSet<Channel>>,
    /// That of all who listen. `None` until it is open.
    connection: OnceLock<Connection>,
}

impl OfClient for Arc<Listener> {
    fn client(&self) -> ClientId {
        self.context().client_id()
    }
}

impl Subscriptions {
    /// `is_shared` is whether several clients may listen.
    pub(crate) fn new(is_shared: bool) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            this: Weak::clone(this),
            table: Mutex::new(Some(SubscriptionTable::new(is_shared))),
            leaving: Mutex::default(),
            refused: Mutex::default(),
            connection: OnceLock::new(),
        })
    }

    /// Those on `connection`, which was opened with `own`: other clients may have it with theirs.
    pub(crate) fn of(connection: &Connection, own: Arc<Self>) -> Arc<Self> {
        let shared = connection.shared_sink().and_then(|sink| {
            let sink: Arc<dyn Any + Send + Sync> = sink;
            let sink = sink.downcast::<SocketSink>().ok()?;
            Some(Arc::clone(&sink.subscriptions))
        });
        let this = shared.unwrap_or(own);
        // It is the same for all of them.
        this.connection.get_or_init(|| connection.of_all());
        this
    }

    pub(crate) fn add(&self, listener: &Arc<Listener>) -> Result<()> {
        let channel = listener.subscription();
        let context = listener.context();
        match &mut *self.table.lock() {
            // Looked at under the lock: a closing that begins now finds the listener.
            Some(table) if !context.is_closed() => {
                table.add(channel, listener.id(), Arc::clone(listener));
                Ok(())
            }
            _ => Err(context.closed_error().with_delivery(Delivery::NotSent)),
        }
    }

    /// Takes `listener` out. Returns whether it was there.
    pub(crate) fn remove(&self, listener: &Listener) -> bool {
        let mut table = self.table.lock();
        let table = table.as_mut();
        let removed = table.and_then(|table| table.remove(listener.subscription(), listener.id()));
        self.leave(removed.as_slice());
        removed.is_some()
    }

    /// Takes out the listeners of `client` to `channel`.
    pub(crate) fn remove_channel(&self, channel: &Channel, client: ClientId) -> Vec<Arc<Listener>> {
        match &mut *self.table.lock() {
            Some(table) => {
                let listeners = table.remove_channel(channel, client);
                self.leave(&listeners);
                listeners
            }
            None => Vec::new(),
        }
    }

    /// Has `client` want no channel any more, and returns those that the server is to be told of.
    pub(crate) fn leave_all(&self, client: ClientId) -> Vec<Channel> {
        let connection = self.connection.get();
        let mut table = self.table.lock();
        let is_lost = |channel: &_, at| {
            connection.is_none_or(|connection| connection.is_subscription_lost(at, channel))
        };
        table
            .as_mut()
            .map_or_else(Vec::new, |table| table.leave_all(client, is_lost))
    }

    /// Notes that all has come that `client` is to hear of `channel`, which it has left.
    pub(crate) fn depart(&self, channel: &Channel, client: ClientId) {
        if let Some(table) = &mut *self.table.lock() {
            table.depart(channel, client);
        }
    }

    /// Every listener of `client` that is registered.
    pub(crate) fn listeners(&self, client: ClientId) -> Vec<Arc<Listener>> {
        let table = self.table.lock();
        table
            .as_ref()
            .map_or_else(Vec::new, |table| table.all(client))
    }

    /// What is done for all who listen; `None` before there are any.
    fn context(&self) -> Option<&Arc<ClientContext>> {
        self.connection.get().map(Connection::client_context)
    }

    fn leave(&self, listeners: &[Arc<Listener>]) {
        let mut leaving = self.leaving.lock();
        leaving.retain(|listener| !listener.is_over());
        leaving.extend_from_slice(listeners);
    }

    /// Tells the server what it does not know of `channel`, and completes when that is noted. It is told at
    /// once, not only when the future is awaited, which also may be dropped.
    pub(crate) fn settle(
        self: &Arc<Self>,
        channel: &Channel,
    ) -> impl Future<Output = Result<()>> + Send + use<> {
        let settling = self.begin(channel);
        let context = self.context().cloned();
        let (this, channel) = (Arc::clone(self), channel.clone());
        let finish = async move { this.finish(&channel, settling).await };
        async move {
            match context {
                Some(context) => context.resources().run(finish).await,
                None => finish.await,
            }
        }
    }

    /// As [`settle`](Self::settle), of a channel that nobody waits for.
    pub(crate) fn settle_in_background(&self, channel: &Channel) {
        let (Some(this), Some(context)) = (self.this.upgrade(), self.context()) else {
            return;
        };
        let settled = this.settle(channel);
        let (channel, span) = (channel.clone(), context.span().clone());
        drop(context.spawn(async move {
            match settled.await {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::Server => this.refuse(&channel, &error),
                Err(error) => tracing::debug!(
                    parent: &span, %channel, %error, "the server was not told yet"
                ),
            }
        }));
    }

    /// Tells the server `again` what it did not take.
    fn settle_later(&self, channel: &Channel, again: Again) {
        let Some(context) = self.context() else {
            return;
        };
        let is_refused = again == Again::Seldom;
        if is_refused && !self.refused.lock().insert(channel.clone()) {
            // Each listener that leaves it is refused, and there may be many in that time.
            return;
        }
        let (this, channel) = (Weak::clone(&self.this), channel.clone());
        drop(context.spawn(async move {
            tokio::time::sleep(again.pause()).await;
            if let Some(this) = this.upgrade() {
                if is_refused {
                    this.refused.lock().remove(&channel);
                }
                this.settle_in_background(&channel);
            }
        }));
    }

    /// Notes that a subscription was ended, as `note` does.
    fn note_end(
        &self,
        channel: &Channel,
        note: impl FnOnce(&mut SubscriptionTable<Arc<Listener>>, SystemTime) -> bool,
    ) {
        let differs = match &mut *self.table.lock() {
            Some(table) => note(table, SystemTime::now()),
            None => false,
        };
        if differs {
            self.settle_in_background(channel);
        }
    }

    /// Leaves the next step of `channel` to be sent, while no other can be decided.
    fn begin(&self, channel: &Channel) -> Result<Option<Settling>> {
        let Some(connection) = self.connection.get() else {
            return Err(Error::new(ErrorKind::Internal, "not open yet"));
        };
        let mut table = self.table.lock();
        let next = table.as_mut().and_then(|table| table.next_step(channel));
        let (Some(NextStep { step, number, at }), Some(table)) = (next, &mut *table) else {
            return Ok(None);
        };
        let confirmation = match step {
            Step::Subscribe => connection.begin_subscribe_by(at, channel),
            // The next connection has no subscriptions, and is told only of channels with listeners.
            Step::Mark | Step::Unsubscribe if connection.is_subscription_lost(at, channel) => {
                table.settle(channel, number);
                return Ok(None);
            }
            Step::Mark => connection.begin_subscribe_by(at, channel),
            Step::Unsubscribe => connection.begin_unsubscribe_by(at, channel),
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
            None => None,
        };
        match (differs, &outcome) {
            (None, _) => {}
            // Where there are several sockets, one may have been told in vain of what is subscribed to by another.
            (Some(_), Ok(())) => self.settle_in_background(channel),
            (Some(differs), Err(error)) => {
                if let Some(again) = again_after(differs, error.kind()) {
                    self.settle_later(channel, again);
                }
            }
        }
        outcome
    }
}

/// When the server is told again of a channel in which it still `differs`, after a failure of this kind. `None`: on this
/// connection that is of no use.
fn again_after(differs: Differs, failure: ErrorKind) -> Option<Again> {
    match (differs, failure) {
        (_, ErrorKind::Closed) => None,
        (Differs::Missing, ErrorKind::Server | ErrorKind::Disconnected) => None,
        // Others may use the connection for months, and each message of the channel comes in vain.
        (Differs::Unwanted, ErrorKind::Server) => Some(Again::Seldom),
        _ => Some(Again::Soon),
    }
}

/// A step that the server was told.
struct Settling {
    number: StepNumber,
    confirmation: Confirmation,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_is_told_again_what_it_may_take_and_seldom_what_it_refuses() {
        use Differs::{Missing, Unwanted};
        for (differs, failure, again) in [
            (Missing, ErrorKind::Timeout, Some(Again::Soon)),
            (Missing, ErrorKind::Server, None),
            (Missing, ErrorKind::Disconnected, None),
            (Missing, ErrorKind::Closed, None),
            (Unwanted, ErrorKind::Timeout, Some(Again::Soon)),
            (Unwanted, ErrorKind::Server, Some(Again::Seldom)),
            (Unwanted, ErrorKind::Disconnected, Some(Again::Soon)),
            (Unwanted, ErrorKind::Closed, None),
        ] {
            assert_eq!(
                again_after(differs, failure),
                again,
                "{differs:?} {failure:?}"
            );
        }
    }
}
