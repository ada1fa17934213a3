//! What a listener to numbered messages was told.

use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, channel};
use std::time::SystemTime;

use redis_manager::prelude::*;

/// In which order messages come, and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Strict,
    /// Each once; what another node took than that by which they come, and handed on, may be late.
    Once,
    /// By nodes that hand messages on to each other, in the order of each node alone. After a gap they come by another
    /// one, and may have been heard before (how that was seen stands with `Account::note` of the integration tests).
    OfEachNode,
}

/// All that one listener was told.
pub(crate) struct Told {
    pub(crate) channel: Channel,
    order: Order,
    events: Receiver<ListenerEvent>,
    pub(crate) heard: BTreeSet<u64>,
    pub(crate) gaps: Vec<Gap>,
    /// What was heard since the last gap.
    since_gap: BTreeSet<u64>,
    /// What came after something that was published later, and what came again after a gap.
    pub(crate) late: Vec<u64>,
    pub(crate) again: usize,
}

impl Told {
    /// Registers the listener.
    pub(crate) fn by(client: &RedisPubSubClient, channel: &Channel, order: Order) -> Self {
        let (sender, events) = self::channel();
        let listener = client.listener(channel).with_gaps();
        listener
            .register(move |event: &ListenerEvent| Ok(sender.send(event.clone())?))
            .unwrap();
        Self {
            channel: channel.clone(),
            order,
            events,
            heard: BTreeSet::new(),
            gaps: Vec::new(),
            since_gap: BTreeSet::new(),
            late: Vec::new(),
            again: 0,
        }
    }

    /// Takes what has come.
    pub(crate) fn listen(&mut self) {
        while let Ok(event) = self.events.try_recv() {
            match event {
                ListenerEvent::Message(message) => {
                    self.note(message.payload_str().unwrap().parse().unwrap());
                }
                ListenerEvent::Gap(gap) => {
                    self.gaps.push(gap);
                    self.since_gap.clear();
                }
                event => panic!("{event:?}"),
            }
        }
    }

    fn note(&mut self, number: u64) {
        let last = self.heard.last().copied();
        let is_late = last.is_some_and(|last| number < last);
        let what = format!(
            "{number} after {last:?} on {}, {:?}",
            self.channel, self.gaps
        );
        let is_first = self.since_gap.insert(number);
        assert!(is_first, "twice: {what}");
        let is_new = self.heard.insert(number);
        match self.order {
            Order::Strict => assert!(is_new && !is_late, "{what}"),
            Order::Once => assert!(is_new, "twice: {what}"),
            Order::OfEachNode => assert!(is_new || !self.gaps.is_empty(), "twice: {what}"),
        }
        self.late.extend((is_late && is_new).then_some(number));
        self.again += usize::from(!is_new);
    }

    /// The periods of the gaps.
    pub(crate) fn periods(&self) -> impl Iterator<Item = [SystemTime; 2]> {
        self.gaps.iter().map(|gap| [gap.since, gap.until])
    }
}
