//! Who listens to what, and what the server is to be told.
//!
//! Pure state: the client asks for the next step of a channel, tells the server, and says when that is answered or
//! given up. Steps go to the server in the order in which they were asked for, several of a channel at a time. What
//! the server thinks is known from what it confirms alone, noted where that stands in the stream between the
//! messages: whatever became of a step, the next confirmation shows whether the server thinks what is wanted.
//!
//! Clients that share a connection have one table.
//!
//! A connection may have several sockets that subscribe, to several servers: in a cluster. Where a channel belongs is
//! the connection's matter. The table knows by which socket it comes, and takes it from no other: what two of them
//! bring is heard once.

mod clients;
mod entry;
#[cfg(test)]
mod model;
mod restoring;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use redis_manager_core::{Channel, ChannelKind, ClientId, Gap, ListenerId, SocketId};

use clients::Clients;
use entry::Entry;
pub(crate) use restoring::Restored;
use restoring::Restoring;

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

/// What to tell a server next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NextStep {
    pub(crate) step: Step,
    pub(crate) number: StepNumber,
    /// The socket that is subscribed to the channel. `None`: whichever the channel belongs to is told.
    pub(crate) at: Option<SocketId>,
}

/// A listener, as the table knows it.
pub(crate) trait OfClient: Clone {
    fn client(&self) -> ClientId;
}

/// The listeners of one channel. Shared with whoever delivers at this moment, so that delivery holds no lock.
pub(crate) type Listeners<L> = Arc<Vec<(ListenerId, L)>>;

/// How what a server thinks differs from what is wanted, while nothing is on its way to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Differs {
    /// It is to be subscribed to, and is not.
    Missing,
    /// It is subscribed to, and nobody wants it.
    Unwanted,
}

/// What it means that the server has confirmed a subscription.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Confirmed<L> {
    /// It is wanted, or what is on its way will end it.
    AsWanted,
    /// It is wanted, and these listeners have missed messages before.
    Missed(Missed<L>),
    /// It is not wanted, and the server is to be told.
    Differs,
    /// It comes by another socket, and is to end at this one.
    Twice,
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
    /// Of each socket that is connected again.
    restoring: HashMap<SocketId, Restoring<L>>,
}

impl<L: OfClient> SubscriptionTable<L> {
    /// `is_shared` is whether there may be listeners of several clients.
    pub(crate) fn new(is_shared: bool) -> Self {
        Self {
            channels: HashMap::new(),
            clients: is_shared.then(Clients::default),
            next_step: 0,
            restoring: HashMap::new(),
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
    /// there. `is_lost` is whether there is no connection by which the channel would come; it is by that socket, if it
    /// is subscribed to.
    pub(crate) fn leave_all(
        &mut self,
        client: ClientId,
        is_lost: impl Fn(&Channel, Option<SocketId>) -> bool,
    ) -> Vec<Channel> {
        let mut channels = self.channels_of(client);
        channels.retain(|channel| {
            self.entry(channel).is_some_and(|entry| {
                let is_left = entry.leave(client);
                let is_lost = is_lost(channel, entry.at);
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

    /// Those who are to hear what `socket` brings of the channel of this kind and name, in the order they were
    /// registered.
    pub(crate) fn listeners(
        &self,
        socket: SocketId,
        kind: ChannelKind,
        name: &[u8],
    ) -> Option<Listeners<L>> {
        let entry = self.channels.get(&kind)?.get(name)?;
        (entry.at == Some(socket)).then(|| Arc::clone(&entry.listeners))
    }

    /// Those who are to hear more of `channel`.
    pub(crate) fn staying(&self, channel: &Channel) -> Listeners<L> {
        self.find(channel).map_or_else(Arc::default, Entry::staying)
    }

    /// What to tell the server about `channel` now; `None` if it knows. Until [`settle`] says that it was
    /// answered, or given up, nothing is known of it.
    ///
    /// [`settle`]: SubscriptionTable::settle
    pub(crate) fn next_step(&mut self, channel: &Channel) -> Option<NextStep> {
        let number = StepNumber(self.next_step);
        let entry = self.entry(channel)?;
        let step = entry.next_step()?;
        entry.pending = Some((step, number));
        let at = entry.at;
        self.next_step += 1;
        Some(NextStep { step, number, at })
    }

    /// Notes that a step was answered, or given up. Returns whether the server is to be told again, and of what.
    pub(crate) fn settle(&mut self, channel: &Channel, step: StepNumber) -> Option<Differs> {
        let entry = self.entry(channel)?;
        if entry.pending.is_some_and(|(_, number)| number == step) {
            entry.pending = None;
        }
        let differs = entry.differs().then_some(match entry.at {
            Some(_) => Differs::Unwanted,
            None => Differs::Missing,
        });
        self.forget(channel, &[]);
        differs
    }

    /// Notes that a server has confirmed a subscription of `socket` to `channel` at this place of the stream.
    pub(crate) fn subscribed(
        &mut self,
        socket: SocketId,
        channel: &Channel,
        now: SystemTime,
    ) -> Confirmed<L> {
        // It may be gone: the step waited to be sent, or was given up, and the last listener has left.
        let entry = self.entry_or_new(channel);
        if !entry.may_be_at(socket) {
            return Confirmed::Twice;
        }
        entry.gain(socket, now);
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

    /// Notes that a server has ended the subscription of `socket` to `channel` at this place of the stream, as it was
    /// told. Returns whether one is to be told otherwise.
    pub(crate) fn unsubscribed(
        &mut self,
        socket: SocketId,
        channel: &Channel,
        now: SystemTime,
    ) -> bool {
        // Where channels move between sockets, the step that is on its way may have been confirmed by another one.
        let is_only = socket == SocketId::FIRST;
        if let Some(entry) = self.entry(channel).filter(|_| is_only)
            && matches!(entry.pending, Some((Step::Subscribe, _)))
        {
            // Whoever listens came after the last one had left, and was not confirmed yet.
            entry.at = None;
        }
        self.ended(socket, channel, now)
    }

    /// Notes that a server has ended the subscription of `socket` to `channel` at this place of the stream, and not
    /// because nobody listened: by itself, or because the channel comes by another socket. Returns whether one is to be told otherwise.
    pub(crate) fn ended(&mut self, socket: SocketId, channel: &Channel, now: SystemTime) -> bool {
        let Some(entry) = self.entry(channel).filter(|entry| entry.may_be_at(socket)) else {
            return false;
        };
        entry.lose(now);
        let differs = entry.differs();
        self.forget(channel, &[]);
        differs
    }

    /// Notes that the connection of `socket` is lost, and with it all its subscriptions; the server was last heard at
    /// `last_heard`. Returns what was to be told with that of other channels.
    pub(crate) fn disconnected(
        &mut self,
        socket: SocketId,
        last_heard: SystemTime,
    ) -> Vec<Missed<L>> {
        for channels in self.channels.values_mut() {
            channels.retain(|_, entry| {
                if entry.may_be_at(socket) {
                    entry.lose(last_heard);
                    entry.pending = None;
                }
                !entry.is_empty() || entry.at.is_some()
            });
        }
        let restoring = self.restoring.remove(&socket);
        restoring.map_or_else(Vec::new, Restoring::interrupted)
    }

    /// Notes that `socket` has another connection, and returns what it is to be subscribed to: of what nothing is
    /// subscribed to what `belongs` there.
    pub(crate) fn reconnected(
        &mut self,
        socket: SocketId,
        belongs: impl Fn(&Channel) -> bool,
    ) -> Vec<Channel> {
        let entries = self.channels.values().flat_map(HashMap::values);
        let is_only = socket == SocketId::FIRST;
        // By others, who waits for an answer to his own has it wherever the channel belongs.
        let wanted = entries.filter(|entry| {
            let is_missing = entry.is_wanted() && entry.at.is_none();
            is_missing && (is_only || entry.pending.is_none())
        });
        let wanted = wanted.map(|entry| &entry.channel);
        let wanted: Vec<_> = wanted.filter(|channel| belongs(channel)).cloned().collect();
        if !wanted.is_empty() {
            self.restoring.insert(socket, Restoring::of(wanted.len()));
        }
        wanted
    }

    /// Notes that the server has answered one of those. Returns, with the last answer, what came of all.
    pub(crate) fn restored(
        &mut self,
        socket: SocketId,
        channel: &Channel,
        is_confirmed: bool,
    ) -> Option<Restored<L>> {
        let listeners = self.staying(channel);
        let restoring = self.restoring.get_mut(&socket)?;
        if restoring.answered(listeners, is_confirmed) {
            return self.restoring.remove(&socket).map(Restoring::into_restored);
        }
        None
    }

    /// Notes what is to be told. Returns it unless it is told with that of the other channels of `socket`.
    pub(crate) fn note_missed(&mut self, socket: SocketId, missed: Missed<L>) -> Option<Missed<L>> {
        match self.restoring.get_mut(&socket) {
            Some(restoring) => {
                restoring.note_missed(missed);
                None
            }
            None => Some(missed),
        }
    }

    /// Returns the channels that are to be subscribed to, because nothing is and nothing is on its way, and those
    /// that are to end at a socket because they belong elsewhere. `is_right` says of a channel and the socket that is subscribed
    /// to it, if one is, whether nothing is to be done.
    pub(crate) fn rearrange(
        &mut self,
        kind: ChannelKind,
        is_right: impl Fn(&Channel, Option<SocketId>) -> bool,
    ) -> (Vec<Channel>, Vec<(Channel, SocketId)>) {
        let (mut wanted, mut misplaced) = (Vec::new(), Vec::new());
        let entries = self.channels.get_mut(&kind);
        for entry in entries.into_iter().flat_map(HashMap::values_mut) {
            if !entry.is_wanted() || entry.is_moving || is_right(&entry.channel, entry.at) {
                continue;
            }
            match entry.at {
                Some(socket) => {
                    entry.is_moving = true;
                    misplaced.push((entry.channel.clone(), socket));
                }
                None if entry.pending.is_none() => wanted.push(entry.channel.clone()),
                None => {}
            }
        }
        (wanted, misplaced)
    }

    /// Notes of the channels of which `belongs` says so, and of the socket that is subscribed to each, that they belonged
    /// there at the time `at`: not by the word of the server there, which may not know yet that another one has them.
    pub(crate) fn ascertain(
        &mut self,
        kind: ChannelKind,
        belongs: impl Fn(&Channel, SocketId) -> bool,
        at: SystemTime,
    ) {
        let entries = self.channels.get_mut(&kind);
        for entry in entries.into_iter().flat_map(HashMap::values_mut) {
            if entry
                .at
                .is_some_and(|socket| belongs(&entry.channel, socket))
            {
                entry.ascertain(at);
            }
        }
    }

    /// Notes that a server has answered, or will not, that the subscription of `socket` to `channel` has ended, which
    /// belongs elsewhere. If it has not it can be asked again.
    pub(crate) fn left(&mut self, socket: SocketId, channel: &Channel) {
        if let Some(entry) = self.entry(channel)
            && entry.at == Some(socket)
        {
            entry.is_moving = false;
        }
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
        let is_settled = self
            .entry(channel)
            .is_some_and(|entry| entry.is_empty() && entry.at.is_none() && entry.pending.is_none());
        if is_settled && let Some(channels) = self.channels.get_mut(&channel.kind()) {
            channels.remove(channel.name());
        }
    }
}
