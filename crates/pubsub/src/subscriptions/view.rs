//! What an operator sees of a client's listeners.

use std::collections::HashSet;
use std::sync::Arc;

use redis_manager_core::{ClientId, ClientSnapshot, Connection, Waiting};

use super::Subscriptions;
use crate::listener::Listener;
use crate::subscription_table::Listeners;

impl Subscriptions {
    /// Adds what is known here of the listeners of `client`.
    pub(crate) fn add_to(&self, snapshot: &mut ClientSnapshot, client: ClientId) {
        let is_shared = self.connection.get().is_some_and(Connection::is_carrier);
        if is_shared {
            self.add_of(snapshot, client);
        } else {
            self.add_all(snapshot);
        }
    }

    /// Of one client among others, which has a list of its channels.
    fn add_of(&self, snapshot: &mut ClientSnapshot, client: ClientId) {
        let listeners = self.listeners(client);
        let channels: HashSet<_> = listeners.iter().map(|it| it.subscription()).collect();
        snapshot.channels = channels.len();
        snapshot.listeners = listeners.len();
        for listener in &listeners {
            snapshot.messages.add(listener.waiting());
        }
    }

    fn add_all(&self, snapshot: &mut ClientSnapshot) {
        let mut messages = Waiting::default();
        for listeners in self.by_channel() {
            snapshot.channels += 1;
            snapshot.listeners += listeners.len();
            for (_, listener) in listeners.iter() {
                messages.add(listener.waiting());
            }
        }
        snapshot.messages = messages;
    }

    /// The listeners of each channel that has some. Delivery needs the table, which is locked for no longer than it takes
    /// to count references; nothing is allocated meanwhile.
    fn by_channel(&self) -> Vec<Listeners<Arc<Listener>>> {
        let mut found = Vec::new();
        loop {
            let needed = {
                let table = self.table.lock();
                let Some(table) = &*table else {
                    return found;
                };
                let needed = table.len();
                if needed <= found.capacity() {
                    found.extend(table.by_channel().cloned());
                    return found;
                }
                needed
            };
            found.reserve(needed);
        }
    }
}
