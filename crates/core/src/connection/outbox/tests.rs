//! The outbox as a driver, its callers and its supervisor use it.

use std::time::Duration;

use super::super::request::Request;
use super::super::ticket::Ticket;
use super::super::wire::Wire;
use super::*;
use crate::client_context::WorkToken;
use crate::{ClientOptionsBuilder, Deadline, ErrorKind};

fn outbox() -> Arc<Outbox> {
    outbox_with(ClientOptions::builder())
}

fn outbox_with(options: ClientOptionsBuilder) -> Arc<Outbox> {
    let options = options.request_queue_size(4).build().unwrap();
    Outbox::new(&options, options.replay())
}

fn address() -> String {
    "h:1".to_owned()
}

fn uncounted() -> InFlight {
    InFlight::uncounted(Deadline::after(None))
}

fn put(outbox: &Arc<Outbox>, name: &str) -> Result<Ticket<Arc<Wire>>> {
    let left = outbox.put(&redis::cmd(name), uncounted(), Leading::Never)?;
    Ok(ticket(outbox, left))
}

fn ticket(outbox: &Arc<Outbox>, left: Left) -> Ticket<Arc<Wire>> {
    Ticket::new(Wire::new(outbox, Leading::Never), left)
}

/// Takes what the driver has taken back.
fn unsent(bytes: &str, requests: VecDeque<Request>) -> Unsent {
    Unsent {
        bytes: bytes.as_bytes().to_vec(),
        requests,
    }
}

fn verdict(ticket: Ticket<Arc<Wire>>) -> Error {
    crate::wait(ticket).unwrap().unwrap_err()
}

fn fetch(outbox: &Outbox) -> (String, VecDeque<Request>) {
    let (mut bytes, mut requests) = (Vec::new(), VecDeque::new());
    outbox.fetch(&mut bytes, &mut requests, (0, 0));
    (String::from_utf8(bytes).unwrap(), requests)
}

fn packed(names: &[&str]) -> String {
    let packed = names
        .iter()
        .map(|name| redis::cmd(name).get_packed_command());
    String::from_utf8(packed.collect::<Vec<_>>().concat()).unwrap()
}

#[test]
fn a_ticket_withdraws_its_own_request_also_after_others_were_and_it_was_given_back() {
    let outbox = outbox();
    let [zero, one, two] = ["ZERO", "ONE", "TWO"].map(|name| put(&outbox, name).unwrap());
    drop(two);
    let (bytes, requests) = fetch(&outbox);
    assert_eq!(bytes, packed(&["ZERO", "ONE"]));
    outbox.give_back(unsent(&bytes, requests), 0);
    let three = put(&outbox, "THREE").unwrap();
    drop(one);
    let (bytes, requests) = fetch(&outbox);
    assert_eq!(bytes, packed(&["ZERO", "THREE"]));
    assert_eq!(requests.len(), 2);
    drop((zero, three));
}

#[test]
fn what_was_given_up_while_the_driver_had_it_is_not_sent_later_unless_nobody_was_to_wait() {
    let outbox = outbox();
    let given_up = put(&outbox, "ONE").unwrap();
    let mut cmd = redis::cmd("TWO");
    cmd.set_no_response(true);
    let told = outbox.put(&cmd, uncounted(), Leading::Never);
    ticket(&outbox, told.unwrap()).forget();
    let (bytes, requests) = fetch(&outbox);
    drop(given_up);
    outbox.give_back(unsent(&bytes, requests), 0);
    assert_eq!(fetch(&outbox).0, packed(&["TWO"]));
}

#[test]
fn what_is_withdrawn_makes_room() {
    let outbox = outbox();
    let mut tickets: Vec<_> = (0..4).map(|_| put(&outbox, "PING").unwrap()).collect();
    let full = put(&outbox, "PING").map(drop).unwrap_err();
    assert_eq!(full.kind(), ErrorKind::QueueFull);
    assert_eq!(full.delivery(), Some(Delivery::NotSent));
    tickets.truncate(1);
    tickets.extend((0..3).map(|_| put(&outbox, "PING").unwrap()));
    assert!(put(&outbox, "PING").is_err());
    assert_eq!(fetch(&outbox).0, packed(&["PING"; 4]));
}

#[test]
fn what_the_driver_has_counts_until_it_is_answered() {
    let outbox = outbox_with(ClientOptions::builder().request_queue_bytes(60));
    let _tickets: Vec<_> = (0..4).map(|_| put(&outbox, "PING").unwrap()).collect();
    let (mut bytes, mut requests) = (Vec::new(), VecDeque::new());
    outbox.fetch(&mut bytes, &mut requests, (0, 0));
    assert!(put(&outbox, "PING").is_err(), "four are waited for");
    bytes.clear();
    requests.clear();
    outbox.fetch(&mut bytes, &mut requests, (2, 50));
    let error = put(&outbox, "PING").map(drop).unwrap_err();
    assert!(error.message().contains("request_queue_bytes"), "{error}");
    outbox.fetch(&mut bytes, &mut requests, (2, 0));
    put(&outbox, "PING").unwrap();
}

#[test]
fn what_is_not_sent_by_its_deadline_fails_and_says_what_it_waited_for() {
    let outbox = outbox();
    outbox.set_down(&Error::new(ErrorKind::Connect, "cannot connect"));
    let late = InFlight::uncounted(Deadline::after(Duration::from_secs(1)));
    let late = outbox
        .put(&redis::cmd("ONE"), late, Leading::Never)
        .unwrap();
    let late = ticket(&outbox, late);
    let _waits = put(&outbox, "TWO").unwrap();
    let earliest = outbox.earliest().unwrap();
    outbox.expire(earliest - Duration::from_millis(1), address);
    outbox.expire(earliest, address);
    let error = verdict(late);
    assert_eq!(
        (error.kind(), error.delivery()),
        (ErrorKind::Timeout, Some(Delivery::NotSent))
    );
    assert_eq!(error.message(), "cannot connect; not sent within 1s");
    assert_eq!(fetch(&outbox).0, packed(&["TWO"]));
}

#[test]
fn what_is_not_sent_and_what_is_not_answered_say_where() {
    for (is_up, expected) in [
        (false, "no connection to h:1; not sent within 1s"),
        (
            true,
            "the connection to h:1 takes nothing; not sent within 1s",
        ),
    ] {
        let outbox = outbox();
        if is_up {
            outbox.set_up(redis::ProtocolVersion::RESP3);
        }
        let late = InFlight::uncounted(Deadline::after(Duration::from_secs(1)));
        let late = outbox
            .put(&redis::cmd("ONE"), late, Leading::Never)
            .unwrap();
        let late = ticket(&outbox, late);
        outbox.expire(outbox.earliest().unwrap(), address);
        assert_eq!(verdict(late).message(), expected);
    }
}

#[test]
fn a_call_that_the_closing_finds_unsent_does_not_speak_of_a_reply() {
    let outbox = outbox();
    let client = WorkToken::uncounted();
    let leave = || {
        let in_flight = InFlight::of(client.another());
        outbox.put(&redis::cmd("ONE"), in_flight, Leading::Never)
    };
    let waiting = ticket(&outbox, leave().unwrap());
    client.cut();
    outbox.cut();
    for error in [verdict(waiting), leave().map(drop).unwrap_err()] {
        assert_eq!(error.delivery(), Some(Delivery::NotSent));
        assert!(
            error.message().ends_with("before the call was sent"),
            "{error}"
        );
    }
}

#[test]
fn one_that_rejects_keeps_nothing_for_later_while_it_is_down() {
    let rejects = ClientOptions::builder().disconnected_behavior(DisconnectedBehavior::Reject);
    let outbox = outbox_with(rejects);
    let waits_for_the_first = put(&outbox, "ONE").unwrap();
    let lost = Error::new(ErrorKind::Disconnected, "lost");
    outbox.set_down(&lost);
    assert_eq!(verdict(waits_for_the_first).message(), "lost");
    let refused = put(&outbox, "TWO").map(drop).unwrap_err();
    assert_eq!(refused.delivery(), Some(Delivery::NotSent));
    outbox.set_up(ProtocolVersion::RESP3);
    let three = put(&outbox, "THREE").unwrap();
    let (bytes, requests) = fetch(&outbox);
    outbox.end(&lost);
    outbox.give_back(unsent(&bytes, requests), 0);
    outbox.set_down(&lost);
    assert_eq!(verdict(three).message(), "lost");
    outbox.set_up(ProtocolVersion::RESP3);
    assert!(put(&outbox, "FOUR").is_err(), "it has ended");
}

#[test]
fn whoever_leads_and_is_dropped_leaves_the_rest_to_others() {
    let outbox = outbox();
    outbox.set_up(ProtocolVersion::RESP3);
    let lead = |name| outbox.put(&redis::cmd(name), uncounted(), Leading::Always);
    let leader = lead("A").unwrap();
    let number = leader.number;
    assert!(leader.role.leads());
    let follower = lead("B").unwrap();
    assert_eq!(follower.role, Role::Follow);
    drop(ticket(&outbox, leader));
    assert!(
        outbox.resign(number, false),
        "somebody is woken for the rest"
    );
    assert!(lead("C").unwrap().role.leads());
}

#[test]
fn what_a_closed_client_has_left_is_taken_out_and_what_others_have_is_not() {
    let outbox = outbox();
    let client = WorkToken::uncounted();
    let leave = |name| {
        let left = outbox.put(
            &redis::cmd(name),
            InFlight::of(client.another()),
            Leading::Never,
        )?;
        Ok::<_, Error>(ticket(&outbox, left))
    };
    let (fetched, before) = (leave("FETCHED").unwrap(), put(&outbox, "BEFORE").unwrap());
    let (bytes, requests) = fetch(&outbox);
    let (waiting, after) = (leave("WAITING").unwrap(), put(&outbox, "AFTER").unwrap());
    client.cut();
    outbox.cut();
    let not_sent = (ErrorKind::Closed, Some(Delivery::NotSent));
    let told = |ticket| {
        let error: Error = verdict(ticket);
        (error.kind(), error.delivery())
    };
    assert_eq!(told(waiting), not_sent);
    // What the driver had comes back, and is not sent on the next connection.
    outbox.give_back(unsent(&bytes, requests), 0);
    assert_eq!(told(fetched), not_sent);
    let refused = leave("LATE").err().unwrap();
    assert_eq!((refused.kind(), refused.delivery()), not_sent);
    assert_eq!(fetch(&outbox).0, packed(&["BEFORE", "AFTER"]));
    drop((before, after));
}
