//! Whatever happens in whatever order, the queue tells what one of single messages would.

use proptest::prelude::*;

use super::tests::{burst, gap, text};
use super::*;
use crate::Message;

#[derive(Clone, Debug)]
enum Happening {
    /// Messages of these sizes come at once.
    Push(Vec<usize>),
    Gap,
    Pop,
    /// The walk takes a step, or what comes next is begun.
    Hear,
    /// The walk is left where it is, as at the end of a turn.
    Leave,
}

fn happening() -> impl Strategy<Value = Happening> {
    use Happening::*;
    prop_oneof![
        4 => prop::collection::vec(0..8_usize, 1..12).prop_map(Push),
        1 => Just(Gap),
        2 => Just(Pop),
        16 => Just(Hear),
        2 => Just(Leave),
    ]
}

/// One message after the other.
struct Model {
    events: VecDeque<ListenerEvent>,
    dropped: u64,
    limits: QueueLimits,
}

impl Model {
    fn messages(&self) -> impl Iterator<Item = &Message> {
        self.events.iter().filter_map(|event| match event {
            ListenerEvent::Message(message) => Some(message),
            ListenerEvent::Gap(_) => None,
        })
    }

    fn has_room_for(&self, message: &Message) -> bool {
        let bytes: usize = self.messages().map(Message::size).sum();
        self.messages().count() < self.limits.messages
            && bytes + message.size() <= self.limits.bytes
    }

    fn push(&mut self, message: &Message) {
        if self.limits.overflow == Overflow::DropOldest && message.size() <= self.limits.bytes {
            while !self.has_room_for(message) {
                self.drop_oldest();
            }
        }
        if self.has_room_for(message) {
            self.events
                .push_back(ListenerEvent::Message(message.clone()));
        } else {
            self.dropped += 1;
        }
    }

    fn push_gap(&mut self, gap: Gap) {
        self.events.push_back(ListenerEvent::Gap(gap));
        self.merge_gaps();
    }

    fn drop_oldest(&mut self) {
        let is_message = |event: &ListenerEvent| matches!(event, ListenerEvent::Message(_));
        let oldest = self.events.iter().position(is_message);
        self.events.remove(oldest.unwrap());
        self.dropped += 1;
        self.merge_gaps();
    }

    fn merge_gaps(&mut self) {
        let mut merged: VecDeque<ListenerEvent> = VecDeque::new();
        for event in self.events.drain(..) {
            match (merged.back_mut(), event) {
                (Some(ListenerEvent::Gap(earlier)), ListenerEvent::Gap(later)) => {
                    *earlier = earlier.clone().merge(later);
                }
                (_, event) => merged.push_back(event),
            }
        }
        self.events = merged;
    }
}

fn hear(queue: &mut EventQueue, walk: &mut Option<Walk>) -> Option<ListenerEvent> {
    loop {
        if let Some(walk) = walk
            && let Some(index) = walk.advance()
        {
            return walk.message(index).cloned().map(ListenerEvent::Message);
        }
        match queue.next()? {
            Next::Walk(next) => *walk = Some(next),
            Next::Gap(gap) => return Some(ListenerEvent::Gap(gap)),
        }
    }
}

fn check(limits: QueueLimits, happenings: &[Happening]) -> Result<(), TestCaseError> {
    let mut queue = EventQueue::new(limits);
    let mut model = Model {
        events: VecDeque::new(),
        dropped: 0,
        limits,
    };
    let mut walk = None;
    for (number, happening) in happenings.iter().enumerate() {
        match happening {
            Happening::Push(sizes) => {
                let payload = |(index, size): (usize, &usize)| format!("{index:0>size$}");
                let payloads: Vec<_> = sizes.iter().enumerate().map(payload).collect();
                let payloads: Vec<_> = payloads.iter().map(String::as_str).collect();
                let burst = burst(&payloads);
                let mut doubled = Vec::new();
                for message in burst.messages() {
                    let before = model.dropped;
                    model.push(message);
                    if before.checked_ilog2() != model.dropped.checked_ilog2() {
                        doubled.push(model.dropped);
                    }
                }
                prop_assert_eq!(queue.push(&burst), doubled);
            }
            Happening::Gap => {
                let number = number as u64;
                queue.push_gap(gap(number, number + 1));
                model.push_gap(gap(number, number + 1));
            }
            Happening::Pop | Happening::Hear => {
                let event = match happening {
                    Happening::Pop => queue.pop(),
                    _ => hear(&mut queue, &mut walk),
                };
                let expected = model.events.pop_front();
                prop_assert_eq!(
                    event.as_ref().map(text),
                    expected.as_ref().map(text),
                    "{}: {:?}",
                    number,
                    happening
                );
            }
            Happening::Leave => {
                walk = None;
                prop_assert_eq!(queue.is_empty(), model.events.is_empty());
            }
        }
        prop_assert_eq!(queue.dropped(), model.dropped);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn bursts_are_heard_as_single_messages_would_be(
        messages in 1..12_usize,
        bytes in 4..40_usize,
        drops_oldest in any::<bool>(),
        happenings in prop::collection::vec(happening(), 1..60),
    ) {
        let overflow = if drops_oldest { Overflow::DropOldest } else { Overflow::DropNewest };
        check(QueueLimits { messages, bytes, overflow }, &happenings)?;
    }
}
