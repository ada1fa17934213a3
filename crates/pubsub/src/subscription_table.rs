//! Who listens to what, and what the server is to be told.
//!
//! Pure state: the client asks for the next step of a channel, tells the server, and says what came of it.
//! Steps go to the server in the order in which they were asked for, several of a channel at a time. What comes
//! back is noted twice: when it stands in the stream, between the messages before and after it, and when whoever
//! waits for it has heard.

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use redis_manager_core::{Channel, ChannelKind, Gap, ListenerId};

/// What the server is known to think of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subscribed {
    No,
    Yes,
    /// Told, and not heard back.
    Unknown,
}

/// What to tell the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Subscribe,
    Unsubscribe,
}

/// Which step of a table it is; a later one has the greater number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StepNumber(u64);

/// The listeners of one channel. Shared with whoever delivers at this moment, so that delivery holds no lock.
pub(crate) type Listeners<L> = Arc<Vec<(ListenerId, L)>>;

/// What it means that the server has confirmed a subscription.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard<L> {
    /// Messages arrive from now on.
    Wanted,
    /// As well, and these listeners have missed some before.
    Missed(Gap, Listeners<L>),
    /// Nobody listens any more: the server is to be told.
    Unwanted,
}

/// The listeners of every channel. `L` is a listener.
pub(crate) struct SubscriptionTable<L> {
    channels: HashMap<ChannelKind, HashMap<Vec<u8>, Entry<L>>>,
    next_step: u64,
}

struct Entry<L> {
    channel: Channel,
    listeners: Listeners<L>,
    subscribed: Subscribed,
    /// The last step that this connection was told.
    last_step: Option<StepNumber>,
    /// The server has confirmed it on this connection, and was not told otherwise since: messages arrive.
    is_heard: bool,
    missing: Option<Missing<L>>,
}

/// Messages that may have been lost.
struct Missing<L> {
    since: SystemTime,
    /// Who listened then.
    listeners: Listeners<L>,
}

impl<L: Clone> SubscriptionTable<L> {
    pub(crate) fn new() -> Self {
        Self {
            channels: HashMap::new(),
            next_step: 0,
        }
    }

    pub(crate) fn add(&mut self, channel: &Channel, id: ListenerId, listener: L) {
        let channels = self.channels.entry(channel.kind()).or_default();
        let entry = channels
            .entry(channel.name().to_vec())
            .or_insert_with(|| Entry::new(channel));
        Arc::make_mut(&mut entry.listeners).push((id, listener));
    }

    pub(crate) fn remove(&mut self, channel: &Channel, id: ListenerId) -> Option<L> {
        let listeners = Arc::make_mut(&mut self.entry(channel)?.listeners);
        let index = listeners.iter().position(|(other, _)| *other == id)?;
        let (_, listener) = listeners.remove(index);
        self.forget_if_settled(channel);
        Some(listener)
    }

    pub(crate) fn remove_channel(&mut self, channel: &Channel) -> Vec<L> {
        let Some(entry) = self.entry(channel) else {
            return Vec::new();
        };
        let listeners = std::mem::take(&mut entry.listeners);
        self.forget_if_settled(channel);
        each(&listeners).collect()
    }

    pub(crate) fn remove_all(&mut self) -> Vec<L> {
        let channels = std::mem::take(&mut self.channels).into_values().flatten();
        let listeners = channels.map(|(_, entry)| entry.listeners);
        listeners
            .flat_map(|listeners| each(&listeners).collect::<Vec<_>>())
            .collect()
    }

    /// Those who listen to the channel of this kind and name, in the order they were registered.
    pub(crate) fn listeners(&self, kind: ChannelKind, name: &[u8]) -> Option<Listeners<L>> {
        let entry = self.channels.get(&kind)?.get(name)?;
        Some(Arc::clone(&entry.listeners))
    }

    /// What to tell the server about `channel` now; `None` if it knows. Until [`settle`] says how it
    /// went, the server may think either.
    ///
    /// [`settle`]: SubscriptionTable::settle
    pub(crate) fn next_step(&mut self, channel: &Channel) -> Option<(Step, StepNumber)> {
        let number = StepNumber(self.next_step);
        let entry = self.entry(channel)?;
        let step = match (entry.listeners.is_empty(), entry.subscribed) {
            (false, Subscribed::Yes) | (true, Subscribed::No) => return None,
            (false, _) => Step::Subscribe,
            (true, _) => {
                entry.is_heard = false;
                Step::Unsubscribe
            }
        };
        entry.subscribed = Subscribed::Unknown;
        entry.last_step = Some(number);
        self.next_step += 1;
        Some((step, number))
    }

    /// Notes what the server thinks of `channel`, as far as a step has shown, unless it was told something
    /// else since, or is another one.
    pub(crate) fn settle(&mut self, channel: &Channel, step: StepNumber, subscribed: Subscribed) {
        if let Some(entry) = self.entry(channel)
            && entry.last_step == Some(step)
        {
            entry.subscribed = subscribed;
            self.forget_if_settled(channel);
        }
    }

    /// Notes that the server has confirmed a subscription to `channel` at this place of the stream.
    pub(crate) fn heard(&mut self, channel: &Channel, now: SystemTime) -> Heard<L> {
        let channels = self.channels.entry(channel.kind()).or_default();
        let Some(entry) = channels.get_mut(channel.name()) else {
            // The step waited to be sent while the connection was lost and the last listener left.
            let mut entry = Entry::new(channel);
            entry.subscribed = Subscribed::Yes;
            channels.insert(channel.name().to_vec(), entry);
            return Heard::Unwanted;
        };
        // Without listeners its end is on its way.
        entry.is_heard = !entry.listeners.is_empty();
        match entry.missing.take() {
            Some(missing) => {
                let gap = Gap::new(channel, missing.since, now);
                Heard::Missed(gap, missing.listeners)
            }
            None => Heard::Wanted,
        }
    }

    /// Notes that the connection is lost, and with it all subscriptions; the server was last heard at
    /// `last_heard`.
    pub(crate) fn disconnected(&mut self, last_heard: SystemTime) {
        for channels in self.channels.values_mut() {
            channels.retain(|_, entry| {
                entry.lose(last_heard);
                !entry.listeners.is_empty()
            });
        }
    }

    /// Notes that the server has ended the subscription to `channel` by itself. Returns whether somebody
    /// listens to it.
    pub(crate) fn ended(&mut self, channel: &Channel, now: SystemTime) -> bool {
        let Some(entry) = self.entry(channel) else {
            return false;
        };
        entry.lose(now);
        let is_wanted = !entry.listeners.is_empty();
        self.forget_if_settled(channel);
        is_wanted
    }

    /// The channels that have listeners and that the server is not known to be subscribed to.
    pub(crate) fn wanted(&self) -> Vec<Channel> {
        let entries = self.channels.values().flat_map(HashMap::values);
        let wanted = entries
            .filter(|entry| !entry.listeners.is_empty() && entry.subscribed != Subscribed::Yes);
        wanted.map(|entry| entry.channel.clone()).collect()
    }

    #[cfg(test)]
    fn is_empty(&self) -> bool {
        self.channels.values().all(HashMap::is_empty)
    }

    fn entry(&mut self, channel: &Channel) -> Option<&mut Entry<L>> {
        self.channels
            .get_mut(&channel.kind())?
            .get_mut(channel.name())
    }

    fn forget_if_settled(&mut self, channel: &Channel) {
        let is_settled = self
            .entry(channel)
            .is_some_and(|entry| entry.listeners.is_empty() && entry.subscribed == Subscribed::No);
        if is_settled && let Some(channels) = self.channels.get_mut(&channel.kind()) {
            channels.remove(channel.name());
        }
    }
}

impl<L> Entry<L> {
    fn new(channel: &Channel) -> Self {
        Self {
            channel: channel.clone(),
            listeners: Arc::default(),
            subscribed: Subscribed::No,
            last_step: None,
            is_heard: false,
            missing: None,
        }
    }

    /// The server knows nothing of it any more.
    fn lose(&mut self, last_heard: SystemTime) {
        if self.is_heard && self.missing.is_none() {
            self.missing = Some(Missing {
                since: last_heard,
                listeners: Arc::clone(&self.listeners),
            });
        }
        self.is_heard = false;
        self.subscribed = Subscribed::No;
        self.last_step = None;
    }
}

fn each<L: Clone>(listeners: &Listeners<L>) -> impl Iterator<Item = L> {
    listeners.iter().map(|(_, listener)| listener.clone())
}
