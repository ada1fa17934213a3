//! One channel, step by step.

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

#[test]
fn all_of_a_channel_and_all_of_all() {
    let mut table = table();
    table.add(&"c".into(), id(1), "one");
    table.add(&"c".into(), id(2), "two");
    table.add(&"d".into(), id(3), "three");
    assert_eq!(table.remove_channel(&"c".into(), client(0)), ["one", "two"]);
    assert_eq!(table.remove_channel(&"c".into(), client(0)), [""; 0]);
    assert_eq!(table.into_listeners(), ["three"]);
}

#[test]
fn a_channel_that_is_left_is_unsubscribed_and_its_listeners_stay() {
    let mut table = table();
    table.add(&"c".into(), id(1), "one");
    done(&mut table, &"c".into());
    assert_eq!(table.leave_all(client(0), |_, _| false), ["c".into()]);
    let number = told(&mut table, "c", Step::Unsubscribe);
    assert_eq!(
        table.leave_all(client(0), |_, _| false),
        ["c".into()],
        "not confirmed yet"
    );
    // What comes before the confirmation is theirs.
    assert_eq!(
        table
            .listeners(HERE, ChannelKind::Plain, b"c")
            .unwrap()
            .len(),
        1
    );
    assert!(!table.unsubscribed(HERE, &"c".into(), at(0)));
    assert_eq!(table.settle(&"c".into(), number), None);
    assert_eq!(table.next_step(&"c".into()), None);
    assert!(table.leave_all(client(0), |_, _| false).is_empty());
    assert_eq!(table.all(client(0)), ["one"]);
    assert_eq!(table.remove(&"c".into(), id(1)), Some("one"));
    assert!(table.is_empty());
}

#[test]
fn a_channel_that_is_left_is_not_restored_and_has_no_gap() {
    let mut table = table();
    table.add(&"c".into(), id(1), "one");
    done(&mut table, &"c".into());
    table.leave_all(client(0), |_, _| false);
    table.disconnected(HERE, at(1));
    assert!(table.reconnected(HERE, |_| true).is_empty());
    // Who comes later is another matter.
    table.add(&"c".into(), id(2), "two");
    done(&mut table, &"c".into());
}

/// A listener of some client.
type Owned = (ClientId, &'static str);

impl OfClient for Owned {
    fn client(&self) -> ClientId {
        self.0
    }
}

/// Two clients listen to `c`, and the server knows.
fn shared() -> SubscriptionTable<Owned> {
    let mut table = SubscriptionTable::new(true);
    for (number, name) in [(1, "one"), (2, "two")] {
        table.add(&"c".into(), id(number), (client(number), name));
    }
    let NextStep { number, .. } = table.next_step(&"c".into()).unwrap();
    table.subscribed(HERE, &"c".into(), at(0));
    table.settle(&"c".into(), number);
    table
}

#[test]
fn a_client_that_closes_takes_its_listeners_along_and_no_others() {
    let mut table = shared();
    let one = (client(1), "one");
    assert_eq!(table.remove_client(client(1)), (vec![one], vec![]));
    assert_eq!(table.next_step(&"c".into()), None);
    assert_eq!(table.remove_channel(&"c".into(), client(1)), []);
    let two = (client(2), "two");
    let told = vec![Channel::new("c")];
    assert_eq!(table.remove_client(client(2)), (vec![two], told));
    let NextStep { step, number, .. } = table.next_step(&"c".into()).unwrap();
    assert_eq!(step, Step::Unsubscribe);
    table.unsubscribed(HERE, &"c".into(), at(1));
    table.settle(&"c".into(), number);
    assert!(table.is_empty());
}

#[test]
fn a_client_that_leaves_hears_what_was_sent_until_then_while_others_stay() {
    let mut table = shared();
    assert_eq!(table.leave_all(client(1), |_, _| false), ["c".into()]);
    let NextStep { step, number, .. } = table.next_step(&"c".into()).unwrap();
    assert_eq!(step, Step::Mark, "the answer tells where it stands");
    let heard_by = |table: &SubscriptionTable<Owned>| {
        let listeners = table.listeners(HERE, ChannelKind::Plain, b"c").unwrap();
        listeners.iter().map(|(id, _)| *id).collect::<Vec<_>>()
    };
    assert_eq!(heard_by(&table), [id(1), id(2)]);
    assert_eq!(
        table.subscribed(HERE, &"c".into(), at(1)),
        Confirmed::AsWanted
    );
    assert_eq!(table.settle(&"c".into(), number), None);
    table.depart(&"c".into(), client(1));
    assert_eq!(heard_by(&table), [id(2)]);
    assert_eq!(table.next_step(&"c".into()), None);
    assert!(table.leave_all(client(1), |_, _| false).is_empty());
    assert_eq!(
        table.all(client(1)),
        [(client(1), "one")],
        "registered still"
    );
    assert!(table.remove(&"c".into(), id(1)).is_some());
}

#[test]
fn who_has_left_misses_nothing_and_who_stays_does() {
    let mut table = shared();
    table.leave_all(client(1), |_, _| false);
    table.disconnected(HERE, at(1));
    assert_eq!(table.reconnected(HERE, |_| true), [Channel::new("c")]);
    let two = (id(2), (client(2), "two"));
    assert_eq!(
        table.subscribed(HERE, &"c".into(), at(2)),
        Confirmed::Missed(missed(Gap::new("c", at(1), at(2)), vec![two]))
    );
    table.remove_client(client(1));
    table.remove_client(client(2));
}

#[test]
fn what_a_closed_client_has_missed_is_told_to_nobody() {
    let mut table = shared();
    table.disconnected(HERE, at(1));
    table.remove_client(client(1));
    table.remove_client(client(2));
    assert!(table.is_empty());
    table.add(&"c".into(), id(3), (client(0), "three"));
    assert_eq!(
        table.subscribed(HERE, &"c".into(), at(2)),
        Confirmed::AsWanted
    );
}
