//! What waits for one listener, within bounds.

use std::collections::VecDeque;

use redis_manager_core::{ClientOptions, Error, ErrorKind, Gap, Overflow, Result};

use crate::{ListenerEvent, Message};

/// How much may wait, and what happens to what is too much.
#[derive(Clone, Copy, Debug)]
pub(crate) struct QueueLimits {
    pub(crate) messages: usize,
    pub(crate) bytes: usize,
    pub(crate) overflow: Overflow,
}

impl QueueLimits {
    pub(crate) fn new(options: &ClientOptions) -> Self {
        Self {
            messages: options.listener_queue_size(),
            bytes: options.listener_queue_bytes(),
            overflow: options.overflow(),
        }
    }

    pub(crate) fn check(&self) -> Result<()> {
        for (name, limit) in [("queue_size", self.messages), ("queue_bytes", self.bytes)] {
            if limit == 0 {
                let message = format!("a listener's `{name}` is 0; it must be at least 1");
                return Err(Error::new(ErrorKind::InvalidArgument, message));
            }
        }
        Ok(())
    }
}

/// Messages in the order they came, bounded by count and by bytes, and the gaps between them.
///
/// No gap is ever dropped. There is at most one between two messages, and so no more than messages.
pub(crate) struct EventQueue {
    events: VecDeque<ListenerEvent>,
    messages: usize,
    bytes: usize,
    dropped: u64,
    limits: QueueLimits,
}

impl EventQueue {
    pub(crate) fn new(limits: QueueLimits) -> Self {
        Self {
            events: VecDeque::new(),
            messages: 0,
            bytes: 0,
            dropped: 0,
            limits,
        }
    }

    /// Adds `message`, dropping what the overflow policy says.
    pub(crate) fn push(&mut self, message: Message) {
        if self.limits.overflow == Overflow::DropOldest && message.size() <= self.limits.bytes {
            while !self.has_room_for(&message) && self.drop_oldest() {}
        }
        if self.has_room_for(&message) {
            self.bytes += message.size();
            self.messages += 1;
            self.events.push_back(ListenerEvent::Message(message));
        } else {
            self.dropped += 1;
        }
    }

    /// Adds `gap` behind what is there.
    pub(crate) fn push_gap(&mut self, gap: Gap) {
        let gap = match self.events.pop_back() {
            Some(ListenerEvent::Gap(earlier)) => earlier.merge(gap),
            Some(message) => {
                self.events.push_back(message);
                gap
            }
            None => gap,
        };
        self.events.push_back(ListenerEvent::Gap(gap));
    }

    fn has_room_for(&self, message: &Message) -> bool {
        self.messages < self.limits.messages
            && self.bytes.saturating_add(message.size()) <= self.limits.bytes
    }

    /// Drops the oldest message, and no gap; returns whether there was one.
    fn drop_oldest(&mut self) -> bool {
        match self.pop() {
            Some(ListenerEvent::Message(_)) => {
                self.dropped += 1;
                true
            }
            Some(ListenerEvent::Gap(gap)) => {
                let dropped = self.drop_oldest();
                let gap = match self.events.pop_front() {
                    Some(ListenerEvent::Gap(later)) => gap.merge(later),
                    Some(message) => {
                        self.events.push_front(message);
                        gap
                    }
                    None => gap,
                };
                self.events.push_front(ListenerEvent::Gap(gap));
                dropped
            }
            None => false,
        }
    }

    pub(crate) fn pop(&mut self) -> Option<ListenerEvent> {
        let event = self.events.pop_front()?;
        if let ListenerEvent::Message(message) = &event {
            self.messages -= 1;
            self.bytes -= message.size();
        }
        Some(event)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        self.events = VecDeque::new();
        self.messages = 0;
        self.bytes = 0;
    }

    /// How many messages were dropped so far.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;

    fn queue(messages: usize, bytes: usize, overflow: Overflow) -> EventQueue {
        EventQueue::new(QueueLimits {
            messages,
            bytes,
            overflow,
        })
    }

    fn push_all(queue: &mut EventQueue, payloads: &[&str]) {
        for payload in payloads {
            queue.push(Message::new("", *payload));
        }
    }

    fn gap(since: u64, until: u64) -> Gap {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        Gap::new("", at(since), at(until))
    }

    /// Messages as their text, gaps as their seconds.
    fn drain(queue: &mut EventQueue) -> Vec<String> {
        let mut events = Vec::new();
        while let Some(event) = queue.pop() {
            events.push(match event {
                ListenerEvent::Message(message) => message.payload_str().unwrap().to_owned(),
                ListenerEvent::Gap(gap) => {
                    let seconds = |at: SystemTime| at.duration_since(SystemTime::UNIX_EPOCH);
                    let [since, until] =
                        [gap.since, gap.until].map(|at| seconds(at).unwrap().as_secs());
                    format!("{since}-{until}")
                }
            });
        }
        assert_eq!((queue.messages, queue.bytes), (0, 0));
        events
    }

    #[test]
    fn the_oldest_go_first() {
        let mut queue = queue(2, 100, Overflow::DropOldest);
        push_all(&mut queue, &["a", "b", "c", "d"]);
        assert_eq!(drain(&mut queue), ["c", "d"]);
        assert_eq!(queue.dropped(), 2);
    }

    #[test]
    fn or_the_newest() {
        let mut queue = queue(2, 100, Overflow::DropNewest);
        push_all(&mut queue, &["a", "b", "c", "d"]);
        assert_eq!(drain(&mut queue), ["a", "b"]);
        assert_eq!(queue.dropped(), 2);
    }

    #[test]
    fn bytes_bound_it_as_well() {
        let mut queue = queue(100, 4, Overflow::DropOldest);
        push_all(&mut queue, &["aa", "bb", "ccc"]);
        assert_eq!(drain(&mut queue), ["ccc"]);
        assert_eq!(queue.dropped(), 2);
    }

    #[test]
    fn a_message_that_can_never_fit_costs_no_other() {
        let mut queue = queue(100, 4, Overflow::DropOldest);
        push_all(&mut queue, &["aa", "too long"]);
        assert_eq!(drain(&mut queue), ["aa"]);
        assert_eq!(queue.dropped(), 1);
    }

    #[test]
    fn a_gap_stands_where_messages_are_missing() {
        let mut queue = queue(100, 100, Overflow::DropOldest);
        push_all(&mut queue, &["a"]);
        queue.push_gap(gap(1, 2));
        push_all(&mut queue, &["b"]);
        queue.push_gap(gap(3, 4));
        queue.push_gap(gap(5, 6));
        assert_eq!(drain(&mut queue), ["a", "1-2", "b", "3-6"]);
    }

    #[test]
    fn no_gap_is_dropped_with_the_messages_around_it() {
        let mut queue = queue(1, 100, Overflow::DropOldest);
        queue.push_gap(gap(1, 2));
        push_all(&mut queue, &["a"]);
        queue.push_gap(gap(3, 4));
        push_all(&mut queue, &["b"]);
        assert_eq!(queue.events.len(), 2);
        assert_eq!(drain(&mut queue), ["1-4", "b"]);
        assert_eq!(queue.dropped(), 1);
    }

    #[test]
    fn gaps_take_no_more_room_than_messages() {
        for overflow in [Overflow::DropOldest, Overflow::DropNewest] {
            let mut queue = queue(3, 100, overflow);
            for second in 0..100 {
                push_all(&mut queue, &["a"]);
                queue.push_gap(gap(second, second + 1));
            }
            assert!(queue.events.len() <= 7, "{}", queue.events.len());
            assert_eq!(queue.dropped(), 97);
        }
    }

    #[test]
    fn a_queue_needs_room() {
        let mut limits = QueueLimits::new(&ClientOptions::default());
        limits.check().unwrap();
        limits.messages = 0;
        assert_eq!(
            limits.check().unwrap_err().message(),
            "a listener's `queue_size` is 0; it must be at least 1"
        );
    }
}
