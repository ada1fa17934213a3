//! What is lost with a connection, and told by the next.

use super::*;

#[test]
fn another_connection_is_told_of_every_channel_that_has_listeners() {
    let mut table = table();
    for (channel, number) in [("c", 1), ("d", 2)] {
        table.add(&channel.into(), id(number), "one");
        done(&mut table, &channel.into());
    }
    table.remove(&"d".into(), id(2));
    table.disconnected(HERE, at(1));
    assert_eq!(table.reconnected(HERE, |_| true), [Channel::new("c")]);
    assert_eq!(
        table.subscribed(HERE, &"c".into(), at(2)),
        Confirmed::Missed(missed(Gap::new("c", at(1), at(2)), vec![(id(1), "one")]))
    );
    assert_eq!(table.next_step(&"c".into()), None);
    assert_eq!(table.next_step(&"d".into()), None);
}

#[test]
fn who_listened_when_the_connection_was_lost_has_missed_something() {
    let mut table = table();
    let channel = Channel::pattern("c*");
    table.add(&channel, id(1), "one");
    assert_eq!(table.subscribed(HERE, &channel, at(1)), Confirmed::AsWanted);
    table.disconnected(HERE, at(2));
    table.add(&channel, id(2), "two");
    // Another connection, which was lost before the server confirmed anything.
    table.disconnected(HERE, at(3));
    let gap = Gap::new(&channel, at(2), at(4));
    assert_eq!(
        table.subscribed(HERE, &channel, at(4)),
        Confirmed::Missed(missed(gap, vec![(id(1), "one")]))
    );
    assert_eq!(table.subscribed(HERE, &channel, at(5)), Confirmed::AsWanted);
}

#[test]
fn what_was_restored_and_missed_is_told_with_the_last_answer() {
    let mut table = table();
    for number in 1..=3 {
        let channel = Channel::new(number.to_string());
        table.add(&channel, id(number), "one");
        done(&mut table, &channel);
    }
    table.disconnected(HERE, at(1));
    assert_eq!(table.reconnected(HERE, |_| true).len(), 3);
    let channel = |number: usize| Channel::new(number.to_string());
    let listeners = |number| Arc::new(vec![(id(number), "one")]);
    let gap = |number: usize, until| Missed {
        gap: Gap::new(channel(number), at(1), at(until)),
        listeners: listeners(number),
    };
    assert_eq!(table.note_missed(HERE, gap(1, 2)), None);
    assert_eq!(table.restored(HERE, &channel(1), true), None);
    // Lost again, before all were answered.
    assert_eq!(table.disconnected(HERE, at(2)), [gap(1, 2)]);
    assert_eq!(table.reconnected(HERE, |_| true).len(), 3);
    assert_eq!(table.note_missed(HERE, gap(2, 3)), None);
    assert_eq!(table.restored(HERE, &channel(2), true), None);
    assert_eq!(table.restored(HERE, &channel(3), false), None);
    let restored = Restored {
        channels: vec![
            (listeners(2), true),
            (listeners(3), false),
            (listeners(1), true),
        ],
        missed: vec![gap(2, 3)],
    };
    assert_eq!(table.restored(HERE, &channel(1), true), Some(restored));
    let later = gap(3, 4);
    assert_eq!(
        table.note_missed(HERE, later.clone()),
        Some(later),
        "told at once"
    );
    assert_eq!(table.disconnected(HERE, at(5)), []);
}

#[test]
fn who_was_never_confirmed_has_missed_nothing() {
    let mut table = table();
    table.add(&"c".into(), id(1), "one");
    told(&mut table, "c", Step::Subscribe);
    table.disconnected(HERE, at(1));
    assert_eq!(
        table.subscribed(HERE, &"c".into(), at(2)),
        Confirmed::AsWanted
    );
}

#[test]
fn a_subscription_that_nobody_wants_any_more_is_ended() {
    let mut table = table();
    table.add(&"c".into(), id(1), "one");
    told(&mut table, "c", Step::Subscribe);
    table.disconnected(HERE, at(1));
    table.remove(&"c".into(), id(1));
    assert!(table.is_empty());
    // It was not sent yet, and the next connection is told of it.
    assert_eq!(
        table.subscribed(HERE, &"c".into(), at(2)),
        Confirmed::Differs
    );
    done(&mut table, &"c".into());
    assert!(table.is_empty());
}

#[test]
fn a_subscription_that_the_server_ended_is_asked_for_again() {
    let mut table = table();
    let channel = Channel::shard("c");
    table.add(&channel, id(1), "one");
    done(&mut table, &channel);
    assert!(table.ended(HERE, &channel, at(2)));
    assert!(!table.ended(HERE, &Channel::shard("other"), at(2)));
    assert!(table.next_step(&channel).is_some());
    let Confirmed::Missed(missed) = table.subscribed(HERE, &channel, at(3)) else {
        panic!("nothing was missed");
    };
    assert_eq!(missed.gap, Gap::new(&channel, at(2), at(3)));
}
