//! Listeners in a mailbox: they run on the thread that polls, within its budget, and take turns.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::mpsc;
use std::thread::{self, ThreadId};
use std::time::Instant;

use redis_manager::prelude::*;

use crate::fixture::{Host, PATIENCE, PROTOCOLS, eventually, unique};
use crate::listening::{publish_from_outside, subscribers};
use crate::mailbox::{Notes, poll_until};

const QUEUED: usize = 10_000;

/// Opens a client whose listeners may let so many messages wait.
fn open(host: &Host, protocol: Protocol) -> RedisPubSubClient {
    let options = ClientOptions::builder()
        .protocol(protocol)
        .listener_queue_size(QUEUED);
    host.open_with(options.build().unwrap())
}

/// Publishes so many messages and waits until they have come to the client, as one of its other listeners sees.
fn publish_all(client: &RedisPubSubClient, channel: &str, count: usize) {
    let (sender, arrived) = mpsc::channel();
    let witness = client.register_listener(channel, move |message: &Message| {
        Ok(sender.send(message.payload_as::<usize>()?)?)
    });
    let witness = witness.unwrap();
    let mut commands = redis::pipe();
    for number in 0..count {
        commands.cmd("PUBLISH").arg(channel).arg(number).ignore();
    }
    client.connection().request_pipeline(&commands).unwrap();
    while arrived.recv_timeout(PATIENCE).unwrap() + 1 < count {}
    witness.unregister().unwrap();
}

#[test]
fn functions_that_hold_what_is_not_send_run_on_the_polling_thread_alone() {
    for protocol in PROTOCOLS {
        let host = Host::new();
        let client = open(&host, protocol);
        let mailbox = host.manager.mailbox(&host.script).unwrap();
        let channel = unique("local");
        let heard: Notes<(ThreadId, String)> = Notes::default();
        let note = Rc::clone(&heard);
        let listener = mailbox
            .register_listener(&client, &channel, move |message: &Message| {
                let text = message.payload_str()?.to_owned();
                note.borrow_mut().push((thread::current().id(), text));
                Ok(())
            })
            .unwrap();
        for text in ["one", "two"] {
            assert_eq!(publish_from_outside(&channel, text), 1);
        }
        poll_until(&mailbox, || heard.borrow().len() == 2);
        let here = thread::current().id();
        let expected = ["one", "two"].map(|text| (here, text.to_owned()));
        assert_eq!(*heard.borrow(), expected);
        listener.unregister().unwrap();
        assert_eq!(subscribers(&channel), 0);
        mailbox.poll(Budget::round());
        assert_eq!((mailbox.tasks(), Rc::strong_count(&heard)), (0, 1));
    }
}

#[test]
fn ten_thousand_queued_messages_never_overrun_a_budget_by_more_than_one_call() {
    for protocol in PROTOCOLS {
        let host = Host::new();
        let client = open(&host, protocol);
        let mailbox = host.manager.mailbox(&host.script).unwrap();
        let channel = unique("flood");
        let starts: Notes<(Instant, usize)> = Notes::default();
        let note = Rc::clone(&starts);
        mailbox
            .register_listener(&client, &channel, move |message: &Message| {
                let start = Instant::now();
                note.borrow_mut().push((start, message.payload_as()?));
                while start.elapsed() < Duration::from_micros(20) {}
                Ok(())
            })
            .unwrap();
        publish_all(&client, &channel, QUEUED);
        let budget = Duration::from_millis(2);
        let mut next = 0;
        let mut polls = 0;
        while next < QUEUED {
            mailbox.poll(budget);
            polls += 1;
            let starts = starts.take();
            // The poll began before its first call did, so what begins this late began too late.
            let late = |start: &Instant| *start - starts[0].0 >= budget;
            let late = starts.iter().filter(|(start, _)| late(start)).count();
            assert!(late <= 1, "{late} calls began too late");
            for (_, number) in starts {
                assert_eq!(number, next);
                next += 1;
            }
        }
        assert!(polls > QUEUED * 20 / 2_000 / 2, "{polls} polls are too few");
    }
}

#[test]
fn a_flooded_listener_leaves_the_others_their_turn() {
    let host = Host::new();
    let client = open(&host, Protocol::Auto);
    let mailbox = host.manager.mailbox(&host.script).unwrap();
    let (flooded, quiet) = (unique("flooded"), unique("quiet"));
    let heard: Notes<&str> = Notes::default();
    for (channel, name) in [(&flooded, "flooded"), (&quiet, "quiet")] {
        let note = Rc::clone(&heard);
        let listener = move |_: &Message| {
            note.borrow_mut().push(name);
            Ok(())
        };
        let registered = mailbox.register_listener(&client, channel, listener);
        registered.unwrap();
    }
    mailbox.poll(Budget::round());
    publish_all(&client, &flooded, 1_000);
    publish_all(&client, &quiet, 3);
    mailbox.poll(6);
    assert_eq!(
        *heard.borrow(),
        ["flooded", "quiet", "flooded", "quiet", "flooded", "quiet"]
    );
}

#[test]
fn a_listener_may_register_and_unregister_and_unload_while_it_runs() {
    for protocol in PROTOCOLS {
        let host = Host::new();
        let client = open(&host, protocol);
        let mailbox = host.manager.mailbox(&host.script).unwrap();
        let channel = unique("busy");
        let heard: Notes<String> = Notes::default();
        let (own, note, target) = (mailbox.clone(), Rc::clone(&heard), client.clone());
        let manager = host.manager.clone();
        let script = host.script.clone();
        let other = unique("other");
        let name = other.clone();
        let first = mailbox.register_listener(&client, &channel, move |message: &Message| {
            note.borrow_mut().push(message.payload_str()?.to_owned());
            match message.payload() {
                b"register" => {
                    let note = Rc::clone(&note);
                    own.register_listener(&target, &name, move |message: &Message| {
                        note.borrow_mut().push(message.payload_str()?.to_owned());
                        Ok(())
                    })?;
                }
                b"unregister" => drop(target.unregister_listeners(&name)?),
                b"poll" => assert_eq!(own.poll(10).calls(), 0),
                b"unload" => drop(manager.unload_script(&script)),
                _ => {}
            }
            Ok(())
        });
        let first = first.unwrap();
        let count = || heard.borrow().len();
        publish_from_outside(&channel, "register");
        poll_until(&mailbox, || count() == 1);
        publish_from_outside(&other, "heard");
        poll_until(&mailbox, || count() == 2);
        publish_from_outside(&channel, "unregister");
        publish_from_outside(&channel, "poll");
        poll_until(&mailbox, || count() == 4);
        eventually("the server is told", || subscribers(&other) == 0);
        publish_from_outside(&channel, "unload");
        publish_from_outside(&channel, "never");
        poll_until(&mailbox, || count() == 5);
        poll_until(&mailbox, || mailbox.tasks() == 0);
        assert_eq!(
            *heard.borrow(),
            ["register", "heard", "unregister", "poll", "unload"]
        );
        assert!(!first.is_registered());
        host.expect_connections(0);
        // What the functions held went with them, on this thread.
        assert_eq!(Rc::strong_count(&heard), 1);
    }
}

#[test]
fn whoever_unregisters_from_another_thread_waits_for_the_call_that_runs() {
    let host = Host::new();
    let client = open(&host, Protocol::Auto);
    let mailbox = host.manager.mailbox(&host.script).unwrap();
    let channel = unique("running");
    let (sender, begun) = mpsc::channel();
    let (ended, unregistered) = mpsc::channel();
    let runs = Rc::new(Cell::new(0));
    let count = Rc::clone(&runs);
    let listener = mailbox.register_listener(&client, &channel, move |_: &Message| {
        count.set(count.get() + 1);
        sender.send(())?;
        // It must not be over before this call is.
        assert_eq!(
            unregistered.recv_timeout(Duration::from_millis(200)),
            Err(mpsc::RecvTimeoutError::Timeout)
        );
        Ok(())
    });
    let listener = listener.unwrap();
    let unregistering = thread::spawn(move || {
        begun.recv_timeout(PATIENCE).unwrap();
        listener.unregister().unwrap();
        // The function is gone once its mailbox has seen it.
        let _ = ended.send(());
    });
    for _ in 0..2 {
        publish_from_outside(&channel, "message");
    }
    poll_until(&mailbox, || runs.get() == 1);
    unregistering.join().unwrap();
    mailbox.poll(Duration::from_millis(2));
    assert_eq!((runs.get(), mailbox.tasks()), (1, 0));
}

#[test]
fn a_listener_that_fails_goes_on_and_the_sink_is_told_on_the_polling_thread() {
    let host = Host::new();
    let client = open(&host, Protocol::Auto);
    let mailbox = host.manager.mailbox(&host.script).unwrap();
    let (sender, failures) = mpsc::channel();
    host.script
        .set_error_sink(move |failure: &redis_manager::ScriptFailure| {
            let _ = sender.send((thread::current().id(), failure.to_string()));
        });
    let channel = unique("failing");
    let listener = mailbox.register_listener(&client, &channel, |message: &Message| match message
        .payload()
    {
        b"error" => Err("no money".into()),
        _ => panic!("no bank"),
    });
    let id = listener.unwrap().id();
    mailbox.spawn(async { Err("no future".into()) }).unwrap();
    for text in ["panic", "error"] {
        publish_from_outside(&channel, text);
    }
    let mut told = Vec::new();
    poll_until(&mailbox, || {
        told.extend(failures.try_iter());
        told.len() == 3
    });
    let script = &host.script;
    let of_listener = format!(
        "script {script}, client {}, listener {id}, channel {channel:?}",
        client.client_id()
    );
    let here = thread::current().id();
    let mut expected = vec![
        (here, format!("{of_listener}: no money")),
        (here, format!("{of_listener}: panicked: no bank")),
        (here, format!("script {script}: no future")),
    ];
    for told in [&mut told, &mut expected] {
        told.sort_by(|(_, one), (_, other)| one.cmp(other));
    }
    assert_eq!(told, expected);
}

#[test]
fn a_listener_that_cannot_be_registered_leaves_nothing() {
    let host = Host::new();
    let client = open(&host, Protocol::Auto);
    let mailbox = host.manager.mailbox(&host.script).unwrap();
    let channel = unique("refused");
    mailbox.close();
    let refused = mailbox.register_listener(&client, &channel, |_: &Message| Ok(()));
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Closed);
    eventually("the server is told", || subscribers(&channel) == 0);
    let mailbox = host.manager.mailbox(&host.script).unwrap();
    client.close();
    let refused = mailbox.register_listener(&client, &channel, |_: &Message| Ok(()));
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(mailbox.tasks(), 0);
}
