//! Who listens to what, and what the server is to be told.
//!
//! Pure state: the client asks for the next step of a channel, tells the server, and says when that is answered or
//! given up. Steps go to the server in the order in which they were asked for, several of a channel at a time. What
//! the server thinks is known from what it confirms alone, noted where that stands in the stream between the
//! messages: whatever became of a step, the next confirmation shows whether the server thinks what is wanted.

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use redis_manager_core::{Channel, ChannelKind, Gap, ListenerId};

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
pub(crate) enum Confirmed<L> {
    /// It is wanted, or what is on its way will end it.
    AsWanted,
    /// It is wanted, and these listeners have missed messages before.
    Missed(Gap, Listeners<L>),
    /// It is not wanted, and the server is to be told.
    Differs,
}

/// The listeners of every channel. `L` is a listener.
pub(crate) struct SubscriptionTable<L> {
    channels: HashMap<ChannelKind, HashMap<Vec<u8>, Entry<L>>>,
    next_step: u64,
    restoring: Restoring,
}

/// How far the subscriptions of a lost connection are restored.
#[derive(Default)]
struct Restoring {
    unanswered: usize,
    confirmed: usize,
    gaps: Vec<Gap>,
}

/// The subscriptions of a lost connection, all answered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Restored {
    /// How many were confirmed.
    pub(crate) channels: usize,
    /// What was missed.
    pub(crate) gaps: Vec<Gap>,
}

struct Entry<L> {
    channel: Channel,
    listeners: Listeners<L>,
    /// Nothing more is to come; those who listen are to hear what has come.
    is_left: bool,
    /// Whether this connection is subscribed to it, as far as the server has confirmed.
    is_subscribed: bool,
    /// The last step that the server was told, until that is answered or given up.
    pending: Option<(Step, StepNumber)>,
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
            restoring: Restoring::default(),
        }
    }

    pub(crate) fn add(&mut self, channel: &Channel, id: ListenerId, listener: L) {
        let entry = self.entry_or_new(channel);
        entry.is_left = false;
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

    /// Leaves every channel, and returns those of which the server has not confirmed it. Who listens stays there.
    pub(crate) fn leave_all(&mut self) -> Vec<Channel> {
        let entries = self.channels.values_mut().flat_map(HashMap::values_mut);
        let unconfirmed = entries.filter(|entry| {
            entry.is_wanted() || entry.is_left && (entry.is_subscribed || entry.pending.is_some())
        });
        unconfirmed
            .map(|entry| {
                entry.is_left = true;
                entry.channel.clone()
            })
            .collect()
    }

    pub(crate) fn remove_all(&mut self) -> Vec<L> {
        let channels = std::mem::take(&mut self.channels).into_values().flatten();
        let listeners = channels.map(|(_, entry)| entry.listeners);
        listeners
            .flat_map(|listeners| each(&listeners).collect::<Vec<_>>())
            .collect()
    }

    /// Whoever listens to anything.
    pub(crate) fn all(&self) -> Vec<L> {
        let entries = self.channels.values().flat_map(HashMap::values);
        entries.flat_map(|entry| each(&entry.listeners)).collect()
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
        self.forget_if_settled(channel);
        differs
    }

    /// Notes that the server has confirmed a subscription to `channel` at this place of the stream.
    pub(crate) fn subscribed(&mut self, channel: &Channel, now: SystemTime) -> Confirmed<L> {
        // It may be gone: the step waited to be sent, or was given up, and the last listener has left.
        let entry = self.entry_or_new(channel);
        entry.is_subscribed = true;
        if let Some(missing) = entry.missing.take() {
            let gap = Gap::new(channel, missing.since, now);
            return Confirmed::Missed(gap, missing.listeners);
        }
        if entry.differs() {
            Confirmed::Differs
        } else {
            Confirmed::AsWanted
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
        self.forget_if_settled(channel);
        differs
    }

    /// Notes that the connection is lost, and with it all subscriptions; the server was last heard at
    /// `last_heard`. Returns the gaps that were to be told with those of other channels.
    pub(crate) fn disconnected(&mut self, last_heard: SystemTime) -> Vec<Gap> {
        for channels in self.channels.values_mut() {
            channels.retain(|_, entry| {
                entry.lose(last_heard);
                entry.pending = None;
                !entry.listeners.is_empty()
            });
        }
        std::mem::take(&mut self.restoring).gaps
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
    pub(crate) fn restored(&mut self, is_confirmed: bool) -> Option<Restored> {
        self.restoring.unanswered = self.restoring.unanswered.saturating_sub(1);
        self.restoring.confirmed += usize::from(is_confirmed);
        if self.restoring.unanswered > 0 {
            return None;
        }
        let Restoring {
            confirmed, gaps, ..
        } = std::mem::take(&mut self.restoring);
        Some(Restored {
            channels: confirmed,
            gaps,
        })
    }

    /// Notes a gap that is to be told. Returns it unless it is told with those of the other channels.
    pub(crate) fn note_gap(&mut self, gap: Gap) -> Option<Gap> {
        if self.restoring.unanswered == 0 {
            return Some(gap);
        }
        self.restoring.gaps.push(gap);
        None
    }

    /// Whether somebody is to hear more of `channel`.
    pub(crate) fn is_wanted(&self, channel: &Channel) -> bool {
        let channels = self.channels.get(&channel.kind());
        let entry = channels.and_then(|channels| channels.get(channel.name()));
        entry.is_some_and(Entry::is_wanted)
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

    fn entry_or_new(&mut self, channel: &Channel) -> &mut Entry<L> {
        let channels = self.channels.entry(channel.kind()).or_default();
        let entry = channels.entry(channel.name().to_vec());
        entry.or_insert_with(|| Entry::new(channel))
    }

    fn forget_if_settled(&mut self, channel: &Channel) {
        let is_settled = self.entry(channel).is_some_and(|entry| {
            entry.listeners.is_empty() && !entry.is_subscribed && entry.pending.is_none()
        });
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
            is_left: false,
            is_subscribed: false,
            pending: None,
            missing: None,
        }
    }

    /// Whether somebody is to hear more of it.
    fn is_wanted(&self) -> bool {
        !self.is_left && !self.listeners.is_empty()
    }

    fn next_step(&self) -> Option<Step> {
        let pending = self.pending.map(|(step, _)| step);
        match (self.is_wanted(), self.is_subscribed, pending) {
            (true, true, None) | (false, false, None) => None,
            // Also if it was told already: who registers waits for an answer to his own.
            (true, _, _) => Some(Step::Subscribe),
            (false, _, _) => Some(Step::Unsubscribe),
        }
    }

    /// Whether the server thinks something else than is wanted, and nothing is on its way to it.
    fn differs(&self) -> bool {
        self.pending.is_none() && self.next_step().is_some()
    }

    /// The connection is not subscribed any more; messages have arrived until `last_heard`.
    fn lose(&mut self, last_heard: SystemTime) {
        if self.is_subscribed && !self.is_left && self.missing.is_none() {
            self.missing = Some(Missing {
                since: last_heard,
                listeners: Arc::clone(&self.listeners),
            });
        }
        self.is_subscribed = false;
    }
}

fn each<L: Clone>(listeners: &Listeners<L>) -> impl Iterator<Item = L> {
    listeners.iter().map(|(_, listener)| listener.clone())
}
