//! Which channels are a client's.

use std::collections::HashMap;

use redis_manager_core::{Channel, ClientId};

/// Kept where clients share a table. One that has it to itself listens to all channels, and needs no list of them.
#[derive(Default)]
pub(super) struct Clients(HashMap<ClientId, HashMap<Channel, usize>>);

impl Clients {
    /// Notes one more listener of `client`.
    pub(super) fn add(&mut self, client: ClientId, channel: &Channel) {
        let channels = self.0.entry(client).or_default();
        *channels.entry(channel.clone()).or_default() += 1;
    }

    /// Notes one less.
    pub(super) fn remove(&mut self, client: ClientId, channel: &Channel) {
        let Some(channels) = self.0.get_mut(&client) else {
            return;
        };
        if let Some(listeners) = channels.get_mut(channel) {
            *listeners -= 1;
            if *listeners == 0 {
                channels.remove(channel);
            }
        }
        if channels.is_empty() {
            self.0.remove(&client);
        }
    }

    pub(super) fn channels(&self, client: ClientId) -> Vec<Channel> {
        let channels = self.0.get(&client);
        channels.map_or_else(Vec::new, |channels| channels.keys().cloned().collect())
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
