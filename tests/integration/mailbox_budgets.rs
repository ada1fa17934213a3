//! How much a poll runs, and in which order.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Instant;

use redis_manager::prelude::*;

use crate::fixture::Host;
use crate::mailbox::{Notes, yield_once};

const READY: usize = 10_000;

#[test]
fn of_ten_thousand_ready_tasks_a_poll_runs_as_many_as_its_budget_allows() {
    let host = Host::new();
    let mailbox = host.manager.mailbox(&host.script).unwrap();
    let ran = Rc::new(Cell::new(0));
    for _ in 0..READY {
        let ran = Rc::clone(&ran);
        mailbox
            .spawn(async move {
                ran.set(ran.get() + 1);
                Ok(())
            })
            .unwrap();
    }
    let polled = mailbox.poll(0);
    assert_eq!(
        (polled.calls(), polled.is_more_ready(), ran.get()),
        (0, true, 0)
    );
    for round in 1..=10 {
        let polled = mailbox.poll(READY / 10);
        assert_eq!(polled.calls(), READY / 10);
        assert_eq!(ran.get(), round * READY / 10);
        assert_eq!(polled.is_more_ready(), round < 10);
    }
    assert_eq!((mailbox.poll(1).calls(), mailbox.tasks()), (0, 0));
}

#[test]
fn after_its_time_a_poll_starts_at_most_one_more_call() {
    let host = Host::new();
    let mailbox = host.manager.mailbox(&host.script).unwrap();
    let starts = Notes::default();
    for _ in 0..READY {
        let note = Rc::clone(&starts);
        mailbox
            .spawn(async move {
                let start = Instant::now();
                note.borrow_mut().push(start);
                while start.elapsed() < Duration::from_micros(300) {}
                Ok(())
            })
            .unwrap();
    }
    let budget = Duration::from_millis(2);
    let mut calls = 0;
    for _ in 0..20 {
        let polled = mailbox.poll(budget);
        let starts = starts.take();
        assert_eq!(polled.calls(), starts.len());
        assert!(polled.is_more_ready());
        // The poll began before its first call did, so what begins this late began too late.
        let late = |start: &Instant| *start - starts[0] >= budget;
        let late = starts.iter().copied().filter(late).count();
        assert!(late <= 1, "{late} calls started too late");
        calls += polled.calls();
    }
    assert!(calls > 0);
    assert_eq!(mailbox.poll(Duration::ZERO).calls(), 0);
}

#[test]
fn of_calls_and_time_whichever_is_spent_first_ends_a_poll() {
    let host = Host::new();
    let mailbox = host.manager.mailbox(&host.script).unwrap();
    for _ in 0..10 {
        mailbox.spawn(async { Ok(()) }).unwrap();
    }
    let long = Duration::from_secs(3_600);
    assert_eq!(mailbox.poll(Budget::calls(3).and_time(long)).calls(), 3);
    assert_eq!(
        mailbox
            .poll(Budget::time(Duration::ZERO).and_calls(3))
            .calls(),
        0
    );
    assert_eq!(mailbox.poll(Budget::round().and_calls(2)).calls(), 2);
    assert_eq!(mailbox.poll(Duration::MAX).calls(), 5);
}

#[test]
fn a_round_ends_although_tasks_are_ready_for_ever() {
    let host = Host::new();
    let mailbox = host.manager.mailbox(&host.script).unwrap();
    let ran = Notes::default();
    for name in ["a", "b"] {
        let (note, own) = (Rc::clone(&ran), mailbox.clone());
        mailbox
            .spawn(async move {
                loop {
                    note.borrow_mut().push(name);
                    // Ready at once, and not when the round began.
                    own.spawn(async { Ok(()) })?;
                    yield_once().await;
                }
            })
            .unwrap();
    }
    let polled = mailbox.poll(Budget::round());
    assert_eq!((polled.calls(), polled.is_more_ready()), (2, true));
    assert_eq!(*ran.borrow(), ["a", "b"]);
    assert_eq!(mailbox.poll(Budget::round()).calls(), 4);
    assert_eq!(*ran.borrow(), ["a", "b", "a", "b"]);
    mailbox.close();
}

#[test]
fn tasks_take_turns_and_one_that_is_always_ready_starves_none() {
    let host = Host::new();
    let mailbox = host.manager.mailbox(&host.script).unwrap();
    let order = Notes::default();
    for (name, steps) in [("a", 4), ("b", 1), ("c", 2)] {
        let note = Rc::clone(&order);
        mailbox
            .spawn(async move {
                for _ in 0..steps {
                    note.borrow_mut().push(name);
                    yield_once().await;
                }
                Ok(())
            })
            .unwrap();
    }
    // Across polls too: a budget that ends in the middle changes no order.
    while mailbox.poll(2).is_more_ready() {}
    assert_eq!(order.borrow().concat(), "abcacaa");
}

#[test]
fn a_poll_inside_a_tokio_task_is_not_stuck_when_the_tasks_budget_is_spent() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let host = Host::new();
        let mailbox = host.manager.mailbox(&host.script).unwrap();
        let received = Rc::new(Cell::new(0));
        let count = Rc::clone(&received);
        mailbox
            .spawn(async move {
                // Far more than the 128 operations that tokio grants a task between two polls.
                for _ in 0..1_000 {
                    let (sender, receiver) = tokio::sync::oneshot::channel();
                    let _ = sender.send(1);
                    count.set(count.get() + receiver.await?);
                }
                Ok(())
            })
            .unwrap();
        assert_eq!(mailbox.poll(1).calls(), 1);
        assert_eq!(received.get(), 1_000);
    });
}
