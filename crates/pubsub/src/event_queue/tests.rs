use std::time::{Duration, SystemTime};

use super::*;
use crate::Message;

fn queue(messages: usize, bytes: usize, overflow: Overflow) -> EventQueue {
    EventQueue::new(QueueLimits {
        messages,
        bytes,
        overflow,
    })
}

pub(super) fn burst(payloads: &[&str]) -> Burst {
    let messages = payloads.iter().map(|payload| Message::new("", *payload));
    Burst::new(messages.collect::<Vec<_>>())
}

/// Each in a burst of its own.
fn push_all(queue: &mut EventQueue, payloads: &[&str]) {
    for payload in payloads {
        queue.push(&burst(&[payload]));
    }
}

pub(super) fn gap(since: u64, until: u64) -> Gap {
    let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    Gap::new("", at(since), at(until))
}

/// A message as its text, a gap as its seconds.
pub(super) fn text(event: &ListenerEvent) -> String {
    match event {
        ListenerEvent::Message(message) => message.payload_str().unwrap().to_owned(),
        ListenerEvent::Gap(gap) => {
            let seconds = |at: SystemTime| at.duration_since(SystemTime::UNIX_EPOCH);
            let [since, until] = [gap.since, gap.until].map(|at| seconds(at).unwrap().as_secs());
            format!("{since}-{until}")
        }
    }
}

fn drain(queue: &mut EventQueue) -> Vec<String> {
    let events = std::iter::from_fn(|| queue.pop()).map(|event| text(&event));
    let events = events.collect();
    assert_eq!((queue.messages, queue.bytes), (0, 0));
    events
}

/// The walk that comes next.
fn walk(queue: &mut EventQueue) -> Walk {
    match queue.next() {
        Some(Next::Walk(walk)) => walk,
        Some(Next::Gap(_)) | None => panic!("no messages"),
    }
}

fn step(walk: &Walk) -> Option<&str> {
    let message = walk.message(walk.advance()?)?;
    Some(message.payload_str().unwrap())
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
    queue.push(&burst(&["aa", "too long", "b"]));
    assert_eq!(drain(&mut queue), ["aa", "b"]);
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
fn each_message_of_a_burst_counts() {
    for (overflow, expected) in [
        (Overflow::DropOldest, ["d", "e"]),
        (Overflow::DropNewest, ["a", "b"]),
    ] {
        let mut queue = queue(2, 100, overflow);
        let doubled = queue.push(&burst(&["a", "b", "c", "d", "e"]));
        assert_eq!(drain(&mut queue), expected);
        assert_eq!((queue.dropped(), doubled), (3, vec![1, 2]));
    }
}

#[test]
fn what_a_walk_has_not_reached_waits() {
    let mut queue = queue(3, 100, Overflow::DropOldest);
    queue.push(&burst(&["a", "b", "c"]));
    let walking = walk(&mut queue);
    assert_eq!(step(&walking), Some("a"));
    // There is room for one, in place of the one that was heard.
    push_all(&mut queue, &["d"]);
    assert_eq!((step(&walking), queue.dropped()), (Some("b"), 0));
    push_all(&mut queue, &["e", "f"]);
    assert_eq!((step(&walking), queue.dropped()), (None, 1));
    assert_eq!(drain(&mut queue), ["d", "e", "f"]);
}

#[test]
fn a_walk_ends_with_the_queue() {
    let mut queue = queue(3, 100, Overflow::DropOldest);
    queue.push(&burst(&["a", "b"]));
    let walking = walk(&mut queue);
    assert_eq!(step(&walking), Some("a"));
    queue.clear();
    assert_eq!(step(&walking), None);
    assert!(queue.is_empty());
}

#[test]
fn a_burst_is_let_go_when_it_is_heard() {
    let mut queue = queue(3, 100, Overflow::DropOldest);
    let pushed = burst(&["a"]);
    queue.push(&pushed);
    let walking = walk(&mut queue);
    assert_eq!((step(&walking), step(&walking)), (Some("a"), None));
    drop(walking);
    assert!(queue.is_empty());
    assert_eq!(pushed.holders(), 1);
}

#[test]
fn of_a_burst_that_mostly_does_not_fit_little_is_kept() {
    for overflow in [Overflow::DropOldest, Overflow::DropNewest] {
        let mut queue = queue(3, 100, overflow);
        let pushed = burst(&["a"; 100]);
        queue.push(&pushed);
        assert_eq!((queue.messages, pushed.holders()), (3, 1));
    }
}
