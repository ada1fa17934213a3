//! One channel, step by step.

use std::sync::LazyLock;
use std::time::Duration;

use super::*;

fn id(number: usize) -> ListenerId {
    static IDS: LazyLock<Vec<ListenerId>> =
        LazyLock::new(|| (0..10).map(|_| ListenerId::next()).collect());
    IDS[number]
}

fn at(second: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(second)
}

fn table() -> SubscriptionTable<&'static str> {
    SubscriptionTable::new()
}

#[track_caller]
fn told(table: &mut SubscriptionTable<&'static str>, channel: &str, expected: Step) -> StepNumber {
    let (step, number) = table.next_step(&channel.into()).unwrap();
    assert_eq!(step, expected);
    number
}

#[test]
fn only_the_first_subscribes_and_only_the_last_unsubscribes() {
    let mut table = table();
    table.add(&"c".into(), id(1), "one");
    let subscribe = told(&mut table, "c", Step::Subscribe);
    table.settle(&"c".into(), subscribe, Subscribed::Yes);
    table.add(&"c".into(), id(2), "two");
    assert_eq!(table.next_step(&"c".into()), None);
    assert_eq!(table.remove(&"c".into(), id(1)), Some("one"));
    assert_eq!(table.next_step(&"c".into()), None);
    assert_eq!(table.remove(&"c".into(), id(2)), Some("two"));
    let unsubscribe = told(&mut table, "c", Step::Unsubscribe);
    table.settle(&"c".into(), unsubscribe, Subscribed::No);
    assert!(table.is_empty());
}

#[test]
fn a_removal_is_done_once() {
    let mut table = table();
    table.add(&"c".into(), id(1), "one");
    assert_eq!(table.remove(&"c".into(), id(1)), Some("one"));
    assert_eq!(table.remove(&"c".into(), id(1)), None);
    assert_eq!(table.remove(&"other".into(), id(1)), None);
    assert!(table.is_empty(), "a refused channel leaves nothing");
}

#[test]
fn a_step_that_was_not_answered_is_taken_back_for_certain() {
    let mut table = table();
    table.add(&"c".into(), id(1), "one");
    told(&mut table, "c", Step::Subscribe);
    // The deadline passed: the server may have subscribed us.
    table.remove(&"c".into(), id(1));
    told(&mut table, "c", Step::Unsubscribe);
}

#[test]
fn whoever_registers_while_the_last_one_leaves_is_subscribed_again() {
    let mut table = table();
    table.add(&"c".into(), id(1), "one");
    let first = told(&mut table, "c", Step::Subscribe);
    table.settle(&"c".into(), first, Subscribed::Yes);
    table.remove(&"c".into(), id(1));
    let leaving = told(&mut table, "c", Step::Unsubscribe);
    table.add(&"c".into(), id(2), "two");
    let again = told(&mut table, "c", Step::Subscribe);
    table.settle(&"c".into(), leaving, Subscribed::No);
    table.settle(&"c".into(), again, Subscribed::Yes);
    assert_eq!(table.next_step(&"c".into()), None);
}

#[test]
fn an_answer_that_another_connection_gave_counts_no_more() {
    let mut table = table();
    table.add(&"c".into(), id(1), "one");
    let before = told(&mut table, "c", Step::Subscribe);
    table.disconnected(at(1));
    table.settle(&"c".into(), before, Subscribed::Yes);
    told(&mut table, "c", Step::Subscribe);
}

#[test]
fn another_connection_is_told_of_every_channel_that_has_listeners() {
    let mut table = table();
    for (channel, number) in [("c", 1), ("d", 2)] {
        table.add(&channel.into(), id(number), "one");
        let subscribe = told(&mut table, channel, Step::Subscribe);
        table.settle(&channel.into(), subscribe, Subscribed::Yes);
    }
    table.remove(&"d".into(), id(2));
    table.disconnected(at(1));
    assert_eq!(table.wanted(), [Channel::new("c")]);
    told(&mut table, "c", Step::Subscribe);
    assert_eq!(table.next_step(&"d".into()), None);
}

#[test]
fn who_listened_when_the_connection_was_lost_has_missed_something() {
    let mut table = table();
    let channel = Channel::pattern("c*");
    table.add(&channel, id(1), "one");
    assert_eq!(table.heard(&channel, at(1)), Heard::Wanted);
    table.disconnected(at(2));
    table.add(&channel, id(2), "two");
    // Another connection, which was lost before the server confirmed anything.
    table.disconnected(at(3));
    let gap = Gap::new(&channel, at(2), at(4));
    let listeners = Arc::new(vec![(id(1), "one")]);
    assert_eq!(table.heard(&channel, at(4)), Heard::Missed(gap, listeners));
    assert_eq!(table.heard(&channel, at(5)), Heard::Wanted);
}

#[test]
fn who_was_never_confirmed_has_missed_nothing() {
    let mut table = table();
    table.add(&"c".into(), id(1), "one");
    told(&mut table, "c", Step::Subscribe);
    table.disconnected(at(1));
    assert_eq!(table.heard(&"c".into(), at(2)), Heard::Wanted);
}

#[test]
fn a_subscription_that_nobody_wants_any_more_is_ended() {
    let mut table = table();
    table.add(&"c".into(), id(1), "one");
    let subscribe = told(&mut table, "c", Step::Subscribe);
    table.disconnected(at(1));
    table.remove(&"c".into(), id(1));
    assert!(table.is_empty());
    // It was not sent yet, and the next connection is told of it.
    assert_eq!(table.heard(&"c".into(), at(2)), Heard::Unwanted);
    let unsubscribe = told(&mut table, "c", Step::Unsubscribe);
    table.settle(&"c".into(), subscribe, Subscribed::Yes);
    table.settle(&"c".into(), unsubscribe, Subscribed::No);
    assert!(table.is_empty());
}

#[test]
fn a_subscription_that_the_server_ended_is_asked_for_again() {
    let mut table = table();
    let channel = Channel::shard("c");
    table.add(&channel, id(1), "one");
    let (_, subscribe) = table.next_step(&channel).unwrap();
    assert_eq!(table.heard(&channel, at(1)), Heard::Wanted);
    table.settle(&channel, subscribe, Subscribed::Yes);
    assert!(table.ended(&channel, at(2)));
    assert!(!table.ended(&Channel::shard("other"), at(2)));
    assert!(table.next_step(&channel).is_some());
    let Heard::Missed(gap, _) = table.heard(&channel, at(3)) else {
        panic!("nothing was missed");
    };
    assert_eq!(gap, Gap::new(&channel, at(2), at(3)));
}

#[test]
fn a_channel_a_pattern_and_a_shard_channel_of_one_name_are_three() {
    let mut table = table();
    let channels = [
        Channel::new("c"),
        Channel::pattern("c"),
        Channel::shard("c"),
    ];
    for (number, channel) in channels.iter().enumerate() {
        table.add(channel, id(number), "one");
        assert!(table.next_step(channel).is_some());
    }
    for (number, channel) in channels.iter().enumerate() {
        let listeners = table.listeners(channel.kind(), b"c").unwrap();
        assert_eq!(*listeners, [(id(number), "one")]);
    }
}

#[test]
fn all_of_a_channel_and_all_of_all() {
    let mut table = table();
    table.add(&"c".into(), id(1), "one");
    table.add(&"c".into(), id(2), "two");
    table.add(&"d".into(), id(3), "three");
    assert_eq!(table.remove_channel(&"c".into()), ["one", "two"]);
    assert_eq!(table.remove_channel(&"c".into()), [""; 0]);
    assert_eq!(table.remove_all(), ["three"]);
}
