//! Telling each client what became of its subscriptions.

use std::collections::HashMap;
use std::sync::Arc;

use redis_manager_core::{
    CallbackScope, Channel, ClientContext, ClientEvent, ClientId, Error, FailureCause,
    ScriptFailure,
};

use super::Subscriptions;
use crate::listener::Listener;
use crate::subscription_table::{Listeners, Missed, OfClient, Restored};

impl Subscriptions {
    pub(super) fn tell_missed(&self, missed: Vec<Missed<Arc<Listener>>>) {
        let mut told = Told::default();
        for Missed { gap, listeners } in missed {
            told.note(&listeners, |gaps: &mut Vec<_>| gaps.push(gap.clone()));
        }
        told.tell(|context, mut gaps| {
            for gap in &mut gaps {
                gap.channel = context.channel_of_script(&gap.channel);
            }
            context.emit(ClientEvent::Gaps(gaps.into()));
        });
    }

    pub(super) fn tell_restored(&self, restored: Restored<Arc<Listener>>) {
        self.tell_missed(restored.missed);
        let mut told = Told::default();
        for (listeners, is_confirmed) in restored.channels {
            told.note(&listeners, |channels: &mut usize| {
                *channels += usize::from(is_confirmed);
            });
        }
        told.tell(|context, channels| context.emit(ClientEvent::Resubscribed { channels }));
    }

    /// Tells that `channel` is not listened to, if anybody wants that still.
    pub(super) fn refuse(&self, channel: &Channel, cause: &Error) {
        let staying = match &*self.table.lock() {
            Some(table) => table.staying(channel),
            None => return,
        };
        let mut told = Told::default();
        told.note(&staying, |()| ());
        told.tell(|context, ()| {
            let channel = context.channel_of_script(channel);
            let cause = cause.clone().with_client(context.client_id());
            let script = context.script().clone();
            let failure = ScriptFailure::new(&script, FailureCause::Error(Box::new(cause.clone())))
                .with_client(context.client_id())
                .with_channel(&channel);
            context.emit(ClientEvent::SubscriptionRefused { channel, cause });
            // The sink may block, which nothing may on this thread.
            context.resources().spawn_sync_callback(move || {
                let _scope = CallbackScope::enter();
                script.report_failure(failure);
            });
        });
    }
}

/// What each client is told.
struct Told<T> {
    clients: HashMap<ClientId, Noted<T>>,
    channels: usize,
}

struct Noted<T> {
    context: Arc<ClientContext>,
    /// The number of the channel that was noted last.
    channel: usize,
    noted: T,
}

impl<T: Default> Told<T> {
    fn default() -> Self {
        Self {
            clients: HashMap::new(),
            channels: 0,
        }
    }

    /// Notes something of one more channel, once for each client that has one of its `listeners`.
    fn note(&mut self, listeners: &Listeners<Arc<Listener>>, mut note: impl FnMut(&mut T)) {
        self.channels += 1;
        for (_, listener) in listeners.iter() {
            let client = self
                .clients
                .entry(listener.client())
                .or_insert_with(|| Noted {
                    context: Arc::clone(listener.context()),
                    channel: 0,
                    noted: T::default(),
                });
            if client.channel != self.channels {
                client.channel = self.channels;
                note(&mut client.noted);
            }
        }
    }

    fn tell(self, tell: impl Fn(&ClientContext, T)) {
        for client in self.clients.into_values() {
            tell(&client.context, client.noted);
        }
    }
}
