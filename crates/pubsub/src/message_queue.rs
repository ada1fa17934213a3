//! What waits for one listener, within bounds.

use std::collections::VecDeque;

use redis_manager_core::{ClientOptions, Overflow};

use crate::Message;

/// Messages in the order they came, bounded by count and by bytes.
pub(crate) struct MessageQueue {
    messages: VecDeque<Message>,
    bytes: usize,
    dropped: u64,
    max_messages: usize,
    max_bytes: usize,
    overflow: Overflow,
}

impl MessageQueue {
    pub(crate) fn new(options: &ClientOptions) -> Self {
        Self {
            messages: VecDeque::new(),
            bytes: 0,
            dropped: 0,
            max_messages: options.listener_queue_size(),
            max_bytes: options.listener_queue_bytes(),
            overflow: options.overflow(),
        }
    }

    /// Adds `message`, dropping what the overflow policy says.
    pub(crate) fn push(&mut self, message: Message) {
        if self.overflow == Overflow::DropOldest && message.size() <= self.max_bytes {
            while !self.has_room_for(&message) && self.pop().is_some() {
                self.dropped += 1;
            }
        }
        if self.has_room_for(&message) {
            self.bytes += message.size();
            self.messages.push_back(message);
        } else {
            self.dropped += 1;
        }
    }

    fn has_room_for(&self, message: &Message) -> bool {
        self.messages.len() < self.max_messages
            && self.bytes.saturating_add(message.size()) <= self.max_bytes
    }

    pub(crate) fn pop(&mut self) -> Option<Message> {
        let message = self.messages.pop_front()?;
        self.bytes -= message.size();
        Some(message)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        self.messages = VecDeque::new();
        self.bytes = 0;
    }

    /// How many messages were dropped so far.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(size: usize, bytes: usize, overflow: Overflow) -> MessageQueue {
        let options = ClientOptions::builder()
            .listener_queue_size(size)
            .listener_queue_bytes(bytes)
            .overflow(overflow)
            .build()
            .unwrap();
        MessageQueue::new(&options)
    }

    fn push_all(queue: &mut MessageQueue, payloads: &[&str]) {
        for payload in payloads {
            queue.push(Message::new("", *payload));
        }
    }

    fn drain(mut queue: MessageQueue) -> (Vec<String>, u64, usize) {
        let mut payloads = Vec::new();
        while let Some(message) = queue.pop() {
            payloads.push(message.payload_str().unwrap().to_owned());
        }
        (payloads, queue.dropped(), queue.bytes)
    }

    #[test]
    fn the_oldest_go_first() {
        let mut queue = queue(2, 100, Overflow::DropOldest);
        push_all(&mut queue, &["a", "b", "c", "d"]);
        assert_eq!(drain(queue), (vec!["c".to_owned(), "d".to_owned()], 2, 0));
    }

    #[test]
    fn or_the_newest() {
        let mut queue = queue(2, 100, Overflow::DropNewest);
        push_all(&mut queue, &["a", "b", "c", "d"]);
        assert_eq!(drain(queue), (vec!["a".to_owned(), "b".to_owned()], 2, 0));
    }

    #[test]
    fn bytes_bound_it_as_well() {
        let mut queue = queue(100, 4, Overflow::DropOldest);
        push_all(&mut queue, &["aa", "bb", "ccc"]);
        assert_eq!(drain(queue), (vec!["ccc".to_owned()], 2, 0));
    }

    #[test]
    fn a_message_that_can_never_fit_costs_no_other() {
        let mut queue = queue(100, 4, Overflow::DropOldest);
        push_all(&mut queue, &["aa", "too long"]);
        assert_eq!(drain(queue), (vec!["aa".to_owned()], 1, 0));
    }
}
