//! Who listens to what, and what the server is to be told.
//!
//! Pure state: the client asks for the next step of a channel, tells the server, and says when that is answered or
//! given up. Steps go to the server in the order in which they were asked for, several of a channel at a time. What
//! the server thinks is known from what it confirms alone, noted where that stands in the stream between the
//! messages: whatever became of a step, the next confirmation shows whether the server thinks what is wanted.
//!
//! Clients that share a connection have one table.

mod clients;
mod entry;
#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use redis_manager_core::{Channel, ChannelKind, ClientId, Gap, ListenerId};

use clients::Clients;
use entry::Entry;

/// What to tell the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Subscribe,
    /// To subscribe to what is subscribed to: the answer stands behind all that was sent by then.
    Mark,
    Unsubscribe,
}

/// Which step of a table it is; a later one has the greater number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StepNumber(u64);

/// A listener, as the table knows it.
pub(crate) trait OfClient: Clone {
    fn client(&self) -> ClientId;
}

/// The listeners of one channel. Shared with whoever delivers at this moment, so that delivery holds no lock.
pub(crate) type Listeners<L> = Arc<Vec<(ListenerId, L)>>;

/// What it means that the server has confirmed a subscription.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Confirmed<L> {
    /// It is wanted, or what is on its way will end it.
    AsWanted,
    /// It is wanted, and these listeners have missed messages before.
    Missed(Missed<L>),
    /// It is not wanted, and the server is to be told.
    Differs,
}

/// Who has missed messages, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Missed<L> {
    pub(crate) gap: Gap,
    pub(crate) listeners: Listeners<L>,
}

/// The listeners of every channel. `L` is a listener.
pub(crate) struct SubscriptionTable<L> {
    channels: HashMap<ChannelKind, HashMap<Vec<u8>, Entry<L>>>,
    /// `None` if all listeners are those of one client.
    clients: Option<Clients>,
    next_step: u64,
    restoring: Restoring<L>,
}

/// How far the subscriptions of a lost connection are restored.
struct Restoring<L> {
    unanswered: usize,
    restored: Restored<L>,
}

/// The subscriptions of a lost connection, all answered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Restored<L> {
    /// The listeners of each channel, and whether it was confirmed.
    pub(crate) channels: Vec<(Listeners<L>, bool)>,
    /// What was missed.
    pub(crate) missed: Vec<Missed<L>>,
}

impl<L> Default for Restoring<L> {
    fn default() -> Self {
        Self {
            unanswered: 0,
            restored: Restored {
                channels: Vec::new(),
                missed: Vec::new(),
            },
        }
    }
}

impl<L: OfClient> SubscriptionTable<L> {
    /// `is_shared` is whether there may be listeners of several clients.
    pub(crate) fn new(is_shared: bool) -> Self {
        Self {
            channels: HashMap::new(),
            clients: is_shared.then(Clients::default),
            next_step: 0,
            restoring: Restoring::default(),
        }
    }

    pub(crate) fn add(&mut self, channel: &Channel, id: ListenerId, listener: L) {
        if let Some(clients) = &mut self.clients {
            clients.add(listener.client(), channel);
        }
        self.entry_or_new(channel).add(id, listener);
    }

    pub(crate) fn remove(&mut self, channel: &Channel, id: ListenerId) -> Option<L> {
        let listener = self.entry(channel)?.remove(id)?;
        self.forget(channel, std::slice::from_ref(&listener));
        Some(listener)
    }

    /// Takes out the listeners of `client` to `channel`.
    pub(crate) fn remove_channel(&mut self, channel: &Channel, client: ClientId) -> Vec<L> {
        let Some(entry) = self.entry(channel) else {
            return Vec::new();
        };
        let listeners = entry.remove_client(client);
        self.forget(channel, &listeners);
        listeners
    }

    /// Takes out all listeners of `client`, and returns them and the channels that the server is to be told of.
    pub(crate) fn remove_client(&mut self, client: ClientId) -> (Vec<L>, Vec<Channel>) {
        let (mut listeners, mut told) = (Vec::new(), Vec::new());
        for channel in self.channels_of(client) {
            listeners.append(&mut self.remove_channel(&channel, client));
            if self.entry(&channel).is_some_and(|entry| !entry.is_wanted()) {
                told.push(channel);
            }
        }
        (listeners, told)
    }

    /// Everybody who is registered.
    pub(crate) fn into_listeners(self) -> Vec<L> {
        let entries = self.channels.into_values().flat_map(HashMap::into_values);
        let listeners = entries.map(|entry| entry.all().cloned().collect::<Vec<_>>());
        listeners.flatten().collect()
    }

    /// Has `client` leave every channel, and returns those of which the server has not confirmed it. Who listens stays
    /// there. `is_lost` is whether there is no connection.
    pub(crate) fn leave_all(&mut self, client: ClientId, is_lost: bool) -> Vec<Channel> {
        let mut channels = self.channels_of(client);
        channels.retain(|channel| {
            self.entry(channel).is_some_and(|entry| {
                let is_left = entry.leave(client);
                if is_lost {
                    entry.depart(client);
                }
                // Nothing comes by this connection, and others who listen are not to be waited for.
                is_left && !(is_lost && entry.is_wanted())
            })
        });
        channels
    }

    /// Notes that all has come that was sent to those listeners of `client` who leave `channel`.
    pub(crate) fn depart(&mut self, channel: &Channel, client: ClientId) {
        if let Some(entry) = self.entry(channel) {
            entry.depart(client);
        }
    }

    /// The listeners of `client`.
    pub(crate) fn all(&self, client: ClientId) -> Vec<L> {
        let entries = self.channels_of(client);
        let entries = entries.iter().filter_map(|channel| self.find(channel));
        let all = entries.flat_map(Entry::all);
        all.filter(|listener| listener.client() == client)
            .cloned()
            .collect()
    }

    /// How many channels there are at most that somebody listens to.
    pub(crate) fn len(&self) -> usize {
        self.channels.values().map(HashMap::len).sum()
    }

    /// Whoever listens, channel by channel.
    pub(crate) fn by_channel(&self) -> impl Iterator<Item = &Listeners<L>> {
        let entries = self.channels.values().flat_map(HashMap::values);
        let listeners = entries.map(|entry| &entry.listeners);
        listeners.filter(|listeners| !listeners.is_empty())
    }

    /// Those who listen to the channel of this kind and name, in the order they were registered.
    pub(crate) fn listeners(&self, kind: ChannelKind, name: &[u8]) -> Option<Listeners<L>> {
        let entry = self.channels.get(&kind)?.get(name)?;
        Some(Arc::clone(&entry.listeners))
    }

    /// Those who are to hear more of `channel`.
    pub(crate) fn staying(&self, channel: &Channel) -> Listeners<L> {
        self.find(channel).map_or_else(Arc::default, Entry::staying)
    }

    /// What to tell the server about `channel` now; `None` if it knows. Until [`settle`] says that it was
    /// answered, or given up, nothing is known of it.
    ///
    /// [`settle`]: SubscriptionTable::settle
    pub(crate) fn next_step(&mut self, channel: &Channel) -> Option<(Step, StepNumber)> {
        let number = StepNumber(self.next_step);
        let entry = self.entry(channel)?;
        let step = entry.next_step()?;
        entry.pending = Some((step, number));
        self.next_step += 1;
        Some((step, number))
    }

    /// Notes that a step was answered, or given up. Returns whether the server is to be told again.
    pub(crate) fn settle(&mut self, channel: &Channel, step: StepNumber) -> bool {
        let Some(entry) = self.entry(channel) else {
            return false;
        };
        if entry.pending.is_some_and(|(_, number)| number == step) {
            entry.pending = None;
        }
        let differs = entry.differs();
        self.forget(channel, &[]);
        differs
    }

    /// Notes that the server has confirmed a subscription to `channel` at this place of the stream.
    pub(crate) fn subscribed(&mut self, channel: &Channel, now: SystemTime) -> Confirmed<L> {
        // It may be gone: the step waited to be sent, or was given up, and the last listener has left.
        let entry = self.entry_or_new(channel);
        entry.is_subscribed = true;
        let missing = entry.missing.take();
        if entry.differs() {
            return Confirmed::Differs;
        }
        match missing.filter(|missing| !missing.listeners.is_empty()) {
            Some(missing) => Confirmed::Missed(Missed {
                gap: Gap::new(channel, missing.since, now),
                listeners: missing.listeners,
            }),
            None => Confirmed::AsWanted,
        }
    }

    /// Notes that the server has ended the subscription to `channel` at this place of the stream, as it was told.
    /// Returns whether it is to be told otherwise.
    pub(crate) fn unsubscribed(&mut self, channel: &Channel, now: SystemTime) -> bool {
        if let Some(entry) = self.entry(channel)
            && matches!(entry.pending, Some((Step::Subscribe, _)))
        {
            // Whoever listens came after the last one had left, and was not confirmed yet.
            entry.is_subscribed = false;
        }
        self.ended(channel, now)
    }

    /// Notes that the server has ended the subscription to `channel` at this place of the stream by itself.
    /// Returns whether it is to be told otherwise.
    pub(crate) fn ended(&mut self, channel: &Channel, now: SystemTime) -> bool {
        let Some(entry) = self.entry(channel) else {
            return false;
        };
        entry.lose(now);
        let differs = entry.differs();
        self.forget(channel, &[]);
        differs
    }

    /// Notes that the connection is lost, and with it all subscriptions; the server was last heard at
    /// `last_heard`. Returns what was to be told with that of other channels.
    pub(crate) fn disconnected(&mut self, last_heard: SystemTime) -> Vec<Missed<L>> {
        for channels in self.channels.values_mut() {
            channels.retain(|_, entry| {
                entry.lose(last_heard);
                entry.pending = None;
                !entry.is_empty()
            });
        }
        std::mem::take(&mut self.restoring).restored.missed
    }

    /// Notes that there is another connection, and returns what it is to be subscribed to.
    pub(crate) fn reconnected(&mut self) -> Vec<Channel> {
        let entries = self.channels.values().flat_map(HashMap::values);
        let wanted = entries.filter(|entry| entry.is_wanted());
        let wanted: Vec<_> = wanted.map(|entry| entry.channel.clone()).collect();
        self.restoring.unanswered = wanted.len();
        wanted
    }

    /// Notes that the server has answered one of those. Returns, with the last answer, what came of all.
    pub(crate) fn restored(
        &mut self,
        channel: &Channel,
        is_confirmed: bool,
    ) -> Option<Restored<L>> {
        let listeners = self.staying(channel);
        self.restoring.unanswered = self.restoring.unanswered.saturating_sub(1);
        let channels = &mut self.restoring.restored.channels;
        channels.push((listeners, is_confirmed));
        if self.restoring.unanswered > 0 {
            return None;
        }
        Some(std::mem::take(&mut self.restoring).restored)
    }

    /// Notes what is to be told. Returns it unless it is told with that of the other channels.
    pub(crate) fn note_missed(&mut self, missed: Missed<L>) -> Option<Missed<L>> {
        if self.restoring.unanswered == 0 {
            return Some(missed);
        }
        self.restoring.restored.missed.push(missed);
        None
    }

    #[cfg(test)]
    fn is_empty(&self) -> bool {
        let is_forgotten = self.clients.as_ref().is_none_or(Clients::is_empty);
        is_forgotten && self.channels.values().all(HashMap::is_empty)
    }

    /// The channels that `client` may have listeners to.
    fn channels_of(&self, client: ClientId) -> Vec<Channel> {
        if let Some(clients) = &self.clients {
            return clients.channels(client);
        }
        let entries = self.channels.values().flat_map(HashMap::values);
        entries.map(|entry| entry.channel.clone()).collect()
    }

    fn find(&self, channel: &Channel) -> Option<&Entry<L>> {
        self.channels.get(&channel.kind())?.get(channel.name())
    }

    fn entry(&mut self, channel: &Channel) -> Option<&mut Entry<L>> {
        self.channels
            .get_mut(&channel.kind())?
            .get_mut(channel.name())
    }

    fn entry_or_new(&mut self, channel: &Channel) -> &mut Entry<L> {
        let channels = self.channels.entry(channel.kind()).or_default();
        let entry = channels.entry(channel.name().to_vec());
        entry.or_insert_with(|| Entry::new(channel))
    }

    /// Forgets those who were `removed` from `channel`, and that as well if there is nothing to be known of it.
    fn forget(&mut self, channel: &Channel, removed: &[L]) {
        if let Some(clients) = &mut self.clients {
            for listener in removed {
                clients.remove(listener.client(), channel);
            }
        }
        let is_settled = self.entry(channel).is_some_and(|entry| {
            entry.is_empty() && !entry.is_subscribed && entry.pending.is_none()
        });
        if is_settled && let Some(channels) = self.channels.get_mut(&channel.kind()) {
            channels.remove(channel.name());
        }
    }
}
