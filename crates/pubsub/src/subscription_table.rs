//! Who listens to what, and what the server is to be told.
//!
//! Pure state: the client asks for the next step of a channel, takes it, and says how it went. Whatever
//! order registering, unregistering and answers come in, the steps lead to what is wanted.

use std::collections::HashMap;
use std::sync::Arc;

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

/// The listeners of every channel. `L` is a listener, known by its `u64`.
pub(crate) struct SubscriptionTable<L> {
    channels: HashMap<Vec<u8>, Channel<L>>,
}

struct Channel<L> {
    /// Shared with whoever delivers a message at this moment, so that delivery holds no lock.
    listeners: Arc<Vec<(u64, L)>>,
    subscribed: Subscribed,
}

impl<L: Clone> SubscriptionTable<L> {
    pub(crate) fn new() -> Self {
        Self {
            channels: HashMap::new(),
        }
    }

    pub(crate) fn add(&mut self, channel: &[u8], id: u64, listener: L) {
        let channel = self
            .channels
            .entry(channel.to_vec())
            .or_insert_with(|| Channel {
                listeners: Arc::default(),
                subscribed: Subscribed::No,
            });
        Arc::make_mut(&mut channel.listeners).push((id, listener));
    }

    pub(crate) fn remove(&mut self, channel: &[u8], id: u64) -> Option<L> {
        let listeners = Arc::make_mut(&mut self.channels.get_mut(channel)?.listeners);
        let index = listeners.iter().position(|(other, _)| *other == id)?;
        let (_, listener) = listeners.remove(index);
        self.forget_if_settled(channel);
        Some(listener)
    }

    pub(crate) fn remove_channel(&mut self, channel: &[u8]) -> Vec<L> {
        let Some(entry) = self.channels.get_mut(channel) else {
            return Vec::new();
        };
        let listeners = std::mem::take(&mut entry.listeners);
        self.forget_if_settled(channel);
        listeners
            .iter()
            .map(|(_, listener)| listener.clone())
            .collect()
    }

    pub(crate) fn remove_all(&mut self) -> Vec<L> {
        self.channels
            .drain()
            .flat_map(|(_, channel)| {
                let listeners = channel
                    .listeners
                    .iter()
                    .map(|(_, listener)| listener.clone());
                listeners.collect::<Vec<_>>()
            })
            .collect()
    }

    /// Those who listen to `channel`, in the order they were registered.
    pub(crate) fn listeners(&self, channel: &[u8]) -> Option<Arc<Vec<(u64, L)>>> {
        Some(Arc::clone(&self.channels.get(channel)?.listeners))
    }

    /// What to tell the server about `channel` now; `None` if it knows. Until [`settle`] says how it
    /// went, the server may think either.
    ///
    /// [`settle`]: SubscriptionTable::settle
    pub(crate) fn next_step(&mut self, channel: &[u8]) -> Option<Step> {
        let entry = self.channels.get_mut(channel)?;
        let step = match (entry.listeners.is_empty(), entry.subscribed) {
            (false, Subscribed::Yes) | (true, Subscribed::No) => return None,
            (false, _) => Step::Subscribe,
            (true, _) => Step::Unsubscribe,
        };
        entry.subscribed = Subscribed::Unknown;
        Some(step)
    }

    /// Notes what the server thinks of `channel`, as far as a step has shown.
    pub(crate) fn settle(&mut self, channel: &[u8], subscribed: Subscribed) {
        if let Some(entry) = self.channels.get_mut(channel) {
            entry.subscribed = subscribed;
            self.forget_if_settled(channel);
        }
    }

    /// Notes that the server has forgotten everything: the connection is another one. Returns the
    /// channels that it is to be told of.
    pub(crate) fn forget_server(&mut self) -> Vec<Vec<u8>> {
        self.channels.retain(|_, entry| {
            entry.subscribed = Subscribed::No;
            !entry.listeners.is_empty()
        });
        self.channels.keys().cloned().collect()
    }

    fn forget_if_settled(&mut self, channel: &[u8]) {
        let settled = self
            .channels
            .get(channel)
            .is_some_and(|entry| entry.listeners.is_empty() && entry.subscribed == Subscribed::No);
        if settled {
            self.channels.remove(channel);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> SubscriptionTable<&'static str> {
        SubscriptionTable::new()
    }

    #[test]
    fn only_the_first_subscribes_and_only_the_last_unsubscribes() {
        let mut table = table();
        table.add(b"c", 1, "one");
        assert_eq!(table.next_step(b"c"), Some(Step::Subscribe));
        table.settle(b"c", Subscribed::Yes);
        table.add(b"c", 2, "two");
        assert_eq!(table.next_step(b"c"), None);
        assert_eq!(table.remove(b"c", 1), Some("one"));
        assert_eq!(table.next_step(b"c"), None);
        assert_eq!(table.remove(b"c", 2), Some("two"));
        assert_eq!(table.next_step(b"c"), Some(Step::Unsubscribe));
        table.settle(b"c", Subscribed::No);
        assert!(table.channels.is_empty());
    }

    #[test]
    fn a_removal_is_done_once() {
        let mut table = table();
        table.add(b"c", 1, "one");
        assert_eq!(table.remove(b"c", 1), Some("one"));
        assert_eq!(table.remove(b"c", 1), None);
        assert_eq!(table.remove(b"other", 1), None);
        assert!(
            table.channels.is_empty(),
            "a refused channel leaves nothing"
        );
    }

    #[test]
    fn a_step_that_was_not_answered_is_taken_back_for_certain() {
        let mut table = table();
        table.add(b"c", 1, "one");
        assert_eq!(table.next_step(b"c"), Some(Step::Subscribe));
        // The deadline passed: the server may have subscribed us.
        table.remove(b"c", 1);
        assert_eq!(table.next_step(b"c"), Some(Step::Unsubscribe));
    }

    #[test]
    fn whoever_registers_while_the_last_one_leaves_is_subscribed_again() {
        let mut table = table();
        table.add(b"c", 1, "one");
        table.next_step(b"c");
        table.settle(b"c", Subscribed::Yes);
        table.remove(b"c", 1);
        assert_eq!(table.next_step(b"c"), Some(Step::Unsubscribe));
        table.add(b"c", 2, "two");
        table.settle(b"c", Subscribed::No);
        assert_eq!(table.next_step(b"c"), Some(Step::Subscribe));
    }

    #[test]
    fn another_connection_is_told_of_every_channel_that_has_listeners() {
        let mut table = table();
        for (channel, id) in [(b"c", 1), (b"d", 2)] {
            table.add(channel, id, "one");
            table.next_step(channel);
            table.settle(channel, Subscribed::Yes);
        }
        table.remove(b"d", 2);
        assert_eq!(table.forget_server(), [b"c"]);
        assert_eq!(table.next_step(b"c"), Some(Step::Subscribe));
        assert_eq!(table.next_step(b"d"), None);
    }

    #[test]
    fn all_of_a_channel_and_all_of_all() {
        let mut table = table();
        table.add(b"c", 1, "one");
        table.add(b"c", 2, "two");
        table.add(b"d", 3, "three");
        assert_eq!(table.remove_channel(b"c"), ["one", "two"]);
        assert_eq!(table.remove_channel(b"c"), [""; 0]);
        assert_eq!(table.remove_all(), ["three"]);
    }
}
