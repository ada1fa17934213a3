//! One channel, step by step.

mod clients;
mod losses;

use std::sync::LazyLock;
use std::time::Duration;

use super::*;

fn id(number: usize) -> ListenerId {
    static IDS: LazyLock<Vec<ListenerId>> =
        LazyLock::new(|| (0..10).map(|_| ListenerId::next()).collect());
    IDS[number]
}

/// The only socket, unless there is another.
const HERE: SocketId = SocketId::FIRST;

fn at(second: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(second)
}

/// A listener of the client that is meant unless another is said.
impl OfClient for &'static str {
    fn client(&self) -> ClientId {
        client(0)
    }
}

fn client(number: usize) -> ClientId {
    static IDS: LazyLock<Vec<ClientId>> =
        LazyLock::new(|| (0..3).map(|_| ClientId::next()).collect());
    IDS[number]
}

fn table() -> SubscriptionTable<&'static str> {
    SubscriptionTable::new(false)
}

fn missed<L>(gap: Gap, listeners: Vec<(ListenerId, L)>) -> Missed<L> {
    let listeners = Arc::new(listeners);
    Missed { gap, listeners }
}

#[track_caller]
fn told(table: &mut SubscriptionTable<&'static str>, channel: &str, expected: Step) -> StepNumber {
    let NextStep { step, number, .. } = table.next_step(&channel.into()).unwrap();
    assert_eq!(step, expected);
    number
}

/// The server has done what it was told.
fn done(table: &mut SubscriptionTable<&'static str>, channel: &Channel) {
    let NextStep { step, number, .. } = table.next_step(channel).unwrap();
    match step {
        Step::Subscribe | Step::Mark => {
            assert_eq!(table.subscribed(HERE, channel, at(0)), Confirmed::AsWanted)
        }
        Step::Unsubscribe => assert!(!table.unsubscribed(HERE, channel, at(0))),
    }
    assert_eq!(table.settle(channel, number), None);
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
    assert_eq!(
        table.subscribed(HERE, &"c".into(), at(1)),
        Confirmed::Differs
    );
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
    assert_eq!(
        table.settle(&"c".into(), unsubscribe),
        Some(Differs::Unwanted)
    );
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
    assert_eq!(
        table.settle(&"c".into(), unsubscribe),
        Some(Differs::Unwanted)
    );
    table.add(&"c".into(), id(2), "two");
    assert_eq!(table.next_step(&"c".into()), None);
    assert!(table.unsubscribed(HERE, &"c".into(), at(1)));
    told(&mut table, "c", Step::Subscribe);
    let confirmed = table.subscribed(HERE, &"c".into(), at(2));
    assert_eq!(
        confirmed,
        Confirmed::Missed(missed(Gap::new("c", at(1), at(2)), vec![(id(2), "two")]))
    );
}

#[test]
fn a_refusal_of_what_was_granted_before_ends_nothing() {
    let mut table = table();
    table.add(&"c".into(), id(1), "one");
    let granted = told(&mut table, "c", Step::Subscribe);
    table.add(&"c".into(), id(2), "two");
    let refused = told(&mut table, "c", Step::Subscribe);
    table.subscribed(HERE, &"c".into(), at(1));
    assert_eq!(table.settle(&"c".into(), refused), None);
    assert_eq!(table.settle(&"c".into(), granted), None);
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
    assert!(!table.unsubscribed(HERE, &"c".into(), at(1)));
    assert_eq!(table.settle(&"c".into(), leaving), None);
    let confirmed = table.subscribed(HERE, &"c".into(), at(2));
    assert_eq!(confirmed, Confirmed::AsWanted, "nothing was missed");
    assert_eq!(table.settle(&"c".into(), again), None);
    assert_eq!(table.next_step(&"c".into()), None);
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
        done(&mut table, channel);
    }
    for (number, channel) in channels.iter().enumerate() {
        let listeners = table.listeners(HERE, channel.kind(), b"c").unwrap();
        assert_eq!(*listeners, [(id(number), "one")]);
    }
}
