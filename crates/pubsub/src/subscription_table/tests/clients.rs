//! Clients that leave or close, alone and beside others.

use super::*;

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
