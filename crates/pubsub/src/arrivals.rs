//! The messages that one read of the socket brings, by channel.

use redis_manager_core::ChannelKind;

use crate::Message;
use crate::burst::Burst;

/// How many messages are collected before they are passed on. With half as many each costs more; with more of them
/// callbacks begin later.
const MOST_MESSAGES: usize = 256;
/// The same in bytes, so that a burst that somebody has not heard to its end keeps little more.
const MOST_BYTES: usize = 64 * 1024;

/// Collects what is to be passed on together. Holds no memory while it is empty.
#[derive(Default)]
pub(crate) struct Arrivals {
    channels: Vec<Arrived>,
    messages: usize,
    bytes: usize,
}

/// What came on one subscription, at least one message.
struct Arrived {
    kind: ChannelKind,
    messages: Vec<Message>,
}

impl Arrivals {
    /// Adds what came by a subscription of this kind. Returns whether there is enough to be passed on.
    pub(crate) fn add(&mut self, kind: ChannelKind, message: Message) -> bool {
        self.messages += 1;
        self.bytes += message.size();
        let name = message.subscription();
        // Most often it is the channel of the message before.
        let mut backwards = self.channels.iter_mut().rev();
        match backwards.find(|arrived| arrived.is_of(kind, name)) {
            Some(arrived) => arrived.messages.push(message),
            None => self.channels.push(Arrived {
                kind,
                messages: vec![message],
            }),
        }
        self.messages >= MOST_MESSAGES || self.bytes >= MOST_BYTES
    }

    /// Takes all out: the messages of each channel in the order in which they came.
    pub(crate) fn take(&mut self) -> impl Iterator<Item = (ChannelKind, Burst)> + use<> {
        let arrived = std::mem::take(self).channels.into_iter();
        arrived.map(|arrived| (arrived.kind, Burst::new(arrived.messages)))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.channels.is_empty()
    }
}

impl Arrived {
    fn is_of(&self, kind: ChannelKind, name: &[u8]) -> bool {
        let first = self.messages.first();
        self.kind == kind && first.is_some_and(|first| first.subscription() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_channel_has_its_messages_in_their_order() {
        let mut arrivals = Arrivals::default();
        for (channel, payload) in [("a", "1"), ("b", "2"), ("a", "3")] {
            arrivals.add(ChannelKind::Plain, Message::new(channel, payload));
        }
        arrivals.add(ChannelKind::Shard, Message::new("a", "4"));
        let by_pattern = Message::new("b", "5").with_pattern("a");
        arrivals.add(ChannelKind::Pattern, by_pattern);
        let taken: Vec<_> = arrivals.take().collect();
        let heard = taken.iter().map(|(kind, burst)| {
            let texts = burst.messages().iter().map(|message| message.payload_str());
            (*kind, texts.collect::<Result<Vec<_>, _>>().unwrap())
        });
        assert_eq!(
            heard.collect::<Vec<_>>(),
            [
                (ChannelKind::Plain, vec!["1", "3"]),
                (ChannelKind::Plain, vec!["2"]),
                (ChannelKind::Shard, vec!["4"]),
                (ChannelKind::Pattern, vec!["5"]),
            ]
        );
        assert!(arrivals.is_empty());
    }

    #[test]
    fn no_more_is_collected_than_a_bound_of_messages_or_bytes() {
        let mut arrivals = Arrivals::default();
        for _ in 1..MOST_MESSAGES {
            assert!(!arrivals.add(ChannelKind::Plain, Message::new("a", "")));
        }
        assert!(arrivals.add(ChannelKind::Plain, Message::new("a", "")));
        drop(arrivals.take());
        assert!(!arrivals.add(ChannelKind::Plain, Message::new("a", "")));
        assert!(arrivals.add(ChannelKind::Plain, Message::new("b", vec![0; MOST_BYTES])));
    }
}
