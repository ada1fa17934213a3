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

/// The server has done what it was told.
fn done(table: &mut SubscriptionTable<&'static str>, channel: &Channel) {
    let (step, number) = table.next_step(channel).unwrap();
    match step {
        Step::Subscribe => assert_eq!(table.subscribed(channel, at(0)), Confirmed::AsWanted),
        Step::Unsubscribe => assert!(!table.unsubscribed(channel, at(0))),
    }
    assert!(!table.settle(channel, number));
}

#[test]
fn only_the_first_subscribes_and_only_the_last_unsubscribes() {
    let mut table = table();
    table.add(&"c".into(), id(1), "one");
    done(&mut table, &"c".into());
    table.add(&"c".into(), id(2), "two");
    assert_eq!(table.next_step(&"c".into()), None);
    assert_eq!(table.remove(&"c".into(), id(1)), Some("one"));
    assert_eq!(table.next_step(&"c".into()), None);
    assert_eq!(table.remove(&"c".into(), id(2)), Some("two"));
    done(&mut table, &"c".into());
    assert!(table.is_empty());
}

#[test]
fn who_registers_while_another_is_not_answered_waits_for_an_answer_too() {
    let mut table = table();
    table.add(&"c".into(), id(1), "one");
    told(&mut table, "c", Step::Subscribe);
    table.add(&"c".into(), id(2), "two");
    told(&mut table, "c", Step::Subscribe);
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
fn a_step_that_was_given_up_is_taken_back_once_it_shows_that_it_was_done() {
    let mut table = table();
    table.add(&"c".into(), id(1), "one");
    let subscribe = told(&mut table, "c", Step::Subscribe);
    table.settle(&"c".into(), subscribe);
    table.remove(&"c".into(), id(1));
    assert!(table.is_empty());
    assert_eq!(table.subscribed(&"c".into(), at(1)), Confirmed::Differs);
    done(&mut table, &"c".into());
    assert!(table.is_empty());
}

#[test]
fn an_end_that_was_given_up_is_told_again() {
    let mut table = table();
    table.add(&"c".into(), id(1), "one");
    done(&mut table, &"c".into());
    table.remove(&"c".into(), id(1));
    let unsubscribe = told(&mut table, "c", Step::Unsubscribe);
    assert!(table.settle(&"c".into(), unsubscribe));
    done(&mut table, &"c".into());
    assert!(table.is_empty());
}

#[test]
fn who_registers_before_an_end_that_was_given_up_shows_is_subscribed_again_and_knows_the_gap() {
    let mut table = table();
    table.add(&"c".into(), id(1), "one");
    done(&mut table, &"c".into());
    table.remove(&"c".into(), id(1));
    let unsubscribe = told(&mut table, "c", Step::Unsubscribe);
    assert!(table.settle(&"c".into(), unsubscribe));
    table.add(&"c".into(), id(2), "two");
    assert_eq!(table.next_step(&"c".into()), None);
    assert!(table.unsubscribed(&"c".into(), at(1)));
    told(&mut table, "c", Step::Subscribe);
    let confirmed = table.subscribed(&"c".into(), at(2));
    assert_eq!(
        confirmed,
        Confirmed::Missed(Gap::new("c", at(1), at(2)), Arc::new(vec![(id(2), "two")]))
    );
}

#[test]
fn a_refusal_of_what_was_granted_before_ends_nothing() {
    let mut table = table();
    table.add(&"c".into(), id(1), "one");
    let granted = told(&mut table, "c", Step::Subscribe);
    table.add(&"c".into(), id(2), "two");
    let refused = told(&mut table, "c", Step::Subscribe);
    table.subscribed(&"c".into(), at(1));
    assert!(!table.settle(&"c".into(), refused));
    assert!(!table.settle(&"c".into(), granted));
    for number in [1, 2] {
        table.remove(&"c".into(), id(number));
    }
    done(&mut table, &"c".into());
    assert!(table.is_empty());
}

#[test]
fn whoever_registers_while_the_last_one_leaves_is_subscribed_again() {
    let mut table = table();
    table.add(&"c".into(), id(1), "one");
    done(&mut table, &"c".into());
    table.remove(&"c".into(), id(1));
    let leaving = told(&mut table, "c", Step::Unsubscribe);
    table.add(&"c".into(), id(2), "two");
    let again = told(&mut table, "c", Step::Subscribe);
    assert!(!table.unsubscribed(&"c".into(), at(1)));
    assert!(!table.settle(&"c".into(), leaving));
    let confirmed = table.subscribed(&"c".into(), at(2));
    assert_eq!(confirmed, Confirmed::AsWanted, "nothing was missed");
    assert!(!table.settle(&"c".into(), again));
    assert_eq!(table.next_step(&"c".into()), None);
}

#[test]
fn another_connection_is_told_of_every_channel_that_has_listeners() {
    let mut table = table();
    for (channel, number) in [("c", 1), ("d", 2)] {
        table.add(&channel.into(), id(number), "one");
        done(&mut table, &channel.into());
    }
    table.remove(&"d".into(), id(2));
    table.disconnected(at(1));
    assert_eq!(table.reconnected(), [Channel::new("c")]);
    assert_eq!(
        table.subscribed(&"c".into(), at(2)),
        Confirmed::Missed(Gap::new("c", at(1), at(2)), Arc::new(vec![(id(1), "one")]))
    );
    assert_eq!(table.next_step(&"c".into()), None);
    assert_eq!(table.next_step(&"d".into()), None);
}

#[test]
fn who_listened_when_the_connection_was_lost_has_missed_something() {
    let mut table = table();
    let channel = Channel::pattern("c*");
    table.add(&channel, id(1), "one");
    assert_eq!(table.subscribed(&channel, at(1)), Confirmed::AsWanted);
    table.disconnected(at(2));
    table.add(&channel, id(2), "two");
    // Another connection, which was lost before the server confirmed anything.
    table.disconnected(at(3));
    let gap = Gap::new(&channel, at(2), at(4));
    let listeners = Arc::new(vec![(id(1), "one")]);
    assert_eq!(
        table.subscribed(&channel, at(4)),
        Confirmed::Missed(gap, listeners)
    );
    assert_eq!(table.subscribed(&channel, at(5)), Confirmed::AsWanted);
}

#[test]
fn what_was_restored_and_missed_is_told_with_the_last_answer() {
    let mut table = table();
    for number in 1..=3 {
        let channel = Channel::new(number.to_string());
        table.add(&channel, id(number), "one");
        done(&mut table, &channel);
    }
    table.disconnected(at(1));
    assert_eq!(table.reconnected().len(), 3);
    let gap = |channel: &str, until| Gap::new(channel, at(1), at(until));
    assert_eq!(table.note_gap(gap("1", 2)), None);
    assert_eq!(table.restored(true), None);
    // Lost again, before all were answered.
    assert_eq!(table.disconnected(at(2)), [gap("1", 2)]);
    assert_eq!(table.reconnected().len(), 3);
    assert_eq!(table.note_gap(gap("2", 3)), None);
    assert_eq!(table.restored(true), None);
    assert_eq!(table.restored(false), None);
    let restored = Restored {
        channels: 2,
        gaps: vec![gap("2", 3)],
    };
    assert_eq!(table.restored(true), Some(restored));
    let later = gap("3", 4);
    assert_eq!(table.note_gap(later.clone()), Some(later), "told at once");
    assert_eq!(table.disconnected(at(5)), []);
}

#[test]
fn who_was_never_confirmed_has_missed_nothing() {
    let mut table = table();
    table.add(&"c".into(), id(1), "one");
    told(&mut table, "c", Step::Subscribe);
    table.disconnected(at(1));
    assert_eq!(table.subscribed(&"c".into(), at(2)), Confirmed::AsWanted);
}

#[test]
fn a_subscription_that_nobody_wants_any_more_is_ended() {
    let mut table = table();
    table.add(&"c".into(), id(1), "one");
    told(&mut table, "c", Step::Subscribe);
    table.disconnected(at(1));
    table.remove(&"c".into(), id(1));
    assert!(table.is_empty());
    // It was not sent yet, and the next connection is told of it.
    assert_eq!(table.subscribed(&"c".into(), at(2)), Confirmed::Differs);
    done(&mut table, &"c".into());
    assert!(table.is_empty());
}

#[test]
fn a_subscription_that_the_server_ended_is_asked_for_again() {
    let mut table = table();
    let channel = Channel::shard("c");
    table.add(&channel, id(1), "one");
    done(&mut table, &channel);
    assert!(table.ended(&channel, at(2)));
    assert!(!table.ended(&Channel::shard("other"), at(2)));
    assert!(table.next_step(&channel).is_some());
    let Confirmed::Missed(gap, _) = table.subscribed(&channel, at(3)) else {
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

#[test]
fn a_channel_that_is_left_is_unsubscribed_and_its_listeners_stay() {
    let mut table = table();
    table.add(&"c".into(), id(1), "one");
    done(&mut table, &"c".into());
    assert_eq!(table.leave_all(), ["c".into()]);
    let number = told(&mut table, "c", Step::Unsubscribe);
    assert_eq!(table.leave_all(), ["c".into()], "not confirmed yet");
    // What comes before the confirmation is theirs.
    assert_eq!(table.listeners(ChannelKind::Plain, b"c").unwrap().len(), 1);
    assert!(!table.unsubscribed(&"c".into(), at(0)));
    assert!(!table.settle(&"c".into(), number));
    assert_eq!(table.next_step(&"c".into()), None);
    assert!(table.leave_all().is_empty());
    assert_eq!(table.all(), ["one"]);
    assert_eq!(table.remove(&"c".into(), id(1)), Some("one"));
    assert!(table.is_empty());
}

#[test]
fn a_channel_that_is_left_is_not_restored_and_has_no_gap() {
    let mut table = table();
    table.add(&"c".into(), id(1), "one");
    done(&mut table, &"c".into());
    table.leave_all();
    table.disconnected(at(1));
    assert!(table.reconnected().is_empty());
    // Who comes later is another matter.
    table.add(&"c".into(), id(2), "two");
    done(&mut table, &"c".into());
}
