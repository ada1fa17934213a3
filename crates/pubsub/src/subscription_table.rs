//! Who listens to what, and what the server is to be told.
//!
//! Pure state: the client asks for the next step of a channel, tells the server, and says what came of it.
//! Steps go to the server in the order in which they were asked for, several of a channel at a time.

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

/// Which step of a table it is; a later one has the greater number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StepNumber(u64);

/// The listeners of every channel. `L` is a listener, known by its `u64`.
pub(crate) struct SubscriptionTable<L> {
    channels: HashMap<Vec<u8>, Channel<L>>,
    next_step: u64,
}

struct Channel<L> {
    /// Shared with whoever delivers a message at this moment, so that delivery holds no lock.
    listeners: Arc<Vec<(u64, L)>>,
    subscribed: Subscribed,
    /// The last step that the server was told.
    last_step: Option<StepNumber>,
}

impl<L: Clone> SubscriptionTable<L> {
    pub(crate) fn new() -> Self {
        Self {
            channels: HashMap::new(),
            next_step: 0,
        }
    }

    pub(crate) fn add(&mut self, channel: &[u8], id: u64, listener: L) {
        let channel = self
            .channels
            .entry(channel.to_vec())
            .or_insert_with(|| Channel {
                listeners: Arc::default(),
                subscribed: Subscribed::No,
                last_step: None,
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
    pub(crate) fn next_step(&mut self, channel: &[u8]) -> Option<(Step, StepNumber)> {
        let entry = self.channels.get_mut(channel)?;
        let step = match (entry.listeners.is_empty(), entry.subscribed) {
            (false, Subscribed::Yes) | (true, Subscribed::No) => return None,
            (false, _) => Step::Subscribe,
            (true, _) => Step::Unsubscribe,
        };
        let number = StepNumber(self.next_step);
        self.next_step += 1;
        entry.subscribed = Subscribed::Unknown;
        entry.last_step = Some(number);
        Some((step, number))
    }

    /// Notes what the server thinks of `channel`, as far as a step has shown, unless it was told something
    /// else since, or is another one.
    pub(crate) fn settle(&mut self, channel: &[u8], step: StepNumber, subscribed: Subscribed) {
        if let Some(entry) = self.channels.get_mut(channel)
            && entry.last_step == Some(step)
        {
            entry.subscribed = subscribed;
            self.forget_if_settled(channel);
        }
    }

    /// Notes that the server has forgotten everything: the connection is another one. Returns the
    /// channels that it is to be told of.
    pub(crate) fn forget_server(&mut self) -> Vec<Vec<u8>> {
        self.channels.retain(|_, entry| {
            entry.subscribed = Subscribed::No;
            entry.last_step = None;
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

    #[track_caller]
    fn told(
        table: &mut SubscriptionTable<&'static str>,
        channel: &[u8],
        expected: Step,
    ) -> StepNumber {
        let (step, number) = table.next_step(channel).unwrap();
        assert_eq!(step, expected);
        number
    }

    #[test]
    fn only_the_first_subscribes_and_only_the_last_unsubscribes() {
        let mut table = table();
        table.add(b"c", 1, "one");
        let subscribe = told(&mut table, b"c", Step::Subscribe);
        table.settle(b"c", subscribe, Subscribed::Yes);
        table.add(b"c", 2, "two");
        assert_eq!(table.next_step(b"c"), None);
        assert_eq!(table.remove(b"c", 1), Some("one"));
        assert_eq!(table.next_step(b"c"), None);
        assert_eq!(table.remove(b"c", 2), Some("two"));
        let unsubscribe = told(&mut table, b"c", Step::Unsubscribe);
        table.settle(b"c", unsubscribe, Subscribed::No);
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
        told(&mut table, b"c", Step::Subscribe);
        // The deadline passed: the server may have subscribed us.
        table.remove(b"c", 1);
        told(&mut table, b"c", Step::Unsubscribe);
    }

    #[test]
    fn whoever_registers_while_the_last_one_leaves_is_subscribed_again() {
        let mut table = table();
        table.add(b"c", 1, "one");
        let first = told(&mut table, b"c", Step::Subscribe);
        table.settle(b"c", first, Subscribed::Yes);
        table.remove(b"c", 1);
        let leaving = told(&mut table, b"c", Step::Unsubscribe);
        table.add(b"c", 2, "two");
        let again = told(&mut table, b"c", Step::Subscribe);
        table.settle(b"c", leaving, Subscribed::No);
        table.settle(b"c", again, Subscribed::Yes);
        assert_eq!(table.next_step(b"c"), None);
    }

    #[test]
    fn an_answer_that_another_connection_gave_counts_no_more() {
        let mut table = table();
        table.add(b"c", 1, "one");
        let before = told(&mut table, b"c", Step::Subscribe);
        table.forget_server();
        table.settle(b"c", before, Subscribed::Yes);
        told(&mut table, b"c", Step::Subscribe);
    }

    #[test]
    fn another_connection_is_told_of_every_channel_that_has_listeners() {
        let mut table = table();
        for (channel, id) in [(b"c", 1), (b"d", 2)] {
            table.add(channel, id, "one");
            let subscribe = told(&mut table, channel, Step::Subscribe);
            table.settle(channel, subscribe, Subscribed::Yes);
        }
        table.remove(b"d", 2);
        assert_eq!(table.forget_server(), [b"c"]);
        told(&mut table, b"c", Step::Subscribe);
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
