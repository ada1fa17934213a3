//! The end of tasks: errors, panics, closing and unloading. Nothing outlives its script, and everything
//! is dropped on the thread of the mailbox.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::mpsc;
use std::task::Poll;
use std::thread::{self, ThreadId};

use redis_manager::prelude::*;

use crate::fixture::{Host, PATIENCE, PROTOCOLS, eventually, unique};
use crate::mailbox::{Notes, yield_once};

#[test]
fn errors_and_panics_end_their_task_and_no_other() {
    struct OnDrop;
    impl Drop for OnDrop {
        fn drop(&mut self) {
            panic!("deliberate panic in drop");
        }
    }
    let host = Host::new();
    let mailbox = host.manager.mailbox(&host.script).unwrap();
    let steps = Rc::new(Cell::new(0));
    let step = Rc::clone(&steps);
    mailbox
        .spawn(async move {
            for _ in 0..3 {
                step.set(step.get() + 1);
                yield_once().await;
            }
            Ok(())
        })
        .unwrap();
    mailbox.spawn(async { Err("an error".into()) }).unwrap();
    mailbox
        .spawn(async { panic!("deliberate panic in a task") })
        .unwrap();
    let value = OnDrop;
    mailbox
        .spawn(async move {
            let _ = &value;
            Ok(())
        })
        .unwrap();
    // Dropped by the mailbox after it is ready, unlike what an async block holds.
    let value = OnDrop;
    mailbox
        .spawn(std::future::poll_fn(move |_| {
            let _ = &value;
            Poll::Ready(Ok(()))
        }))
        .unwrap();
    // It holds what panics when it is dropped, and is never polled to its end.
    let value = OnDrop;
    mailbox
        .spawn(async move {
            let _ = &value;
            std::future::pending().await
        })
        .unwrap();
    assert_eq!(mailbox.poll(100).calls(), 6 + 3);
    assert_eq!((steps.get(), mailbox.tasks()), (3, 1));
    mailbox.close();
    assert_eq!(mailbox.tasks(), 0);
    let value = OnDrop;
    let refused = mailbox.spawn(async move {
        let _ = &value;
        Ok(())
    });
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Closed);
}

/// Notes on which thread it is dropped.
struct DropNote(Notes<ThreadId>);

impl Drop for DropNote {
    fn drop(&mut self) {
        self.0.borrow_mut().push(thread::current().id());
    }
}

/// Spawns a task that waits for ever and notes its end.
fn spawn_waiting(mailbox: &Mailbox, notes: &Notes<ThreadId>) {
    let note = DropNote(Rc::clone(notes));
    let waiting = async move {
        let _ = &note;
        std::future::pending().await
    };
    mailbox.spawn(waiting).unwrap();
}

#[test]
fn unloaded_from_another_thread_the_next_poll_drops_every_task_and_runs_none() {
    for protocol in PROTOCOLS {
        let host = Host::new();
        let options = ClientOptions::builder().protocol(protocol);
        let options = options.shutdown_timeout(Duration::from_millis(50));
        let client: RedisCommandClient = host.open_with(options.build().unwrap());
        let mailbox = host.manager.mailbox(&host.script).unwrap();
        let dropped = Notes::default();
        spawn_waiting(&mailbox, &dropped);
        let (note, ran, again) = (
            DropNote(Rc::clone(&dropped)),
            Rc::new(Cell::new(0)),
            unique("empty"),
        );
        let runs = Rc::clone(&ran);
        mailbox
            .spawn(async move {
                let _ = &note;
                runs.set(1);
                let mut commands = client.async_commands();
                // Answered with an error by the unloading, which makes the task ready.
                let _ = commands
                    .blpop::<_, Option<(String, String)>>(&again, 0.0)
                    .await;
                runs.set(2);
                Ok(())
            })
            .unwrap();
        assert_eq!(mailbox.poll(Budget::round()).calls(), 2);
        spawn_waiting(&mailbox, &dropped);
        let (manager, script) = (host.manager.clone(), host.script.clone());
        let unloading = thread::spawn(move || manager.unload_script(&script));
        assert!(unloading.join().unwrap().was_loaded());
        assert_eq!((mailbox.tasks(), dropped.borrow().len()), (3, 0));
        let polled = mailbox.poll(100);
        assert_eq!((polled.calls(), polled.is_more_ready()), (0, false));
        assert_eq!((mailbox.tasks(), ran.get()), (0, 1));
        assert_eq!(*dropped.borrow(), [thread::current().id(); 3]);
        let refused = mailbox.spawn(async { Ok(()) }).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ScriptUnloaded);
        host.expect_connections(0);
    }
}

#[test]
fn a_call_that_runs_while_its_script_is_unloaded_ends_and_the_next_does_not_start() {
    let host = Host::new();
    let mailbox = host.manager.mailbox(&host.script).unwrap();
    let (steps, dropped) = (Notes::default(), Notes::default());
    let (manager, script) = (host.manager.clone(), host.script.clone());
    let note = Rc::clone(&steps);
    mailbox
        .spawn(async move {
            note.borrow_mut().push("begun");
            let unloading = thread::spawn(move || manager.unload_script(&script));
            unloading.join().unwrap();
            note.borrow_mut().push("unloaded");
            yield_once().await;
            note.borrow_mut().push("went on");
            Ok(())
        })
        .unwrap();
    spawn_waiting(&mailbox, &dropped);
    assert_eq!(mailbox.poll(100).calls(), 1);
    assert_eq!(*steps.borrow(), ["begun", "unloaded"]);
    assert_eq!(dropped.borrow().len(), 1);
    assert_eq!(Rc::strong_count(&steps), 1, "it is dropped, too");
}

#[test]
fn a_refused_future_is_dropped_at_once_and_unpolled() {
    let host = Host::new();
    let mailbox = host.manager.mailbox(&host.script).unwrap();
    assert!(host.manager.unload_script(&host.script).is_clean());
    let (ran, ran_inside) = (Rc::new(Cell::new(false)), Rc::new(()));
    let (run, held) = (Rc::clone(&ran), Rc::clone(&ran_inside));
    let refused = mailbox.spawn(async move {
        run.set(true);
        drop(held);
        Ok(())
    });
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::ScriptUnloaded);
    assert!(!ran.get() && Rc::strong_count(&ran_inside) == 1);
    let none = host.manager.mailbox(&host.script).unwrap_err();
    assert_eq!(none.kind(), ErrorKind::ScriptUnloaded);
}

#[test]
fn a_script_of_another_manager_gets_no_mailbox() {
    let (host, other) = (Host::new(), Host::new());
    let refused = host.manager.mailbox(&other.script).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ScriptConflict);
}

#[test]
fn the_last_clone_drops_the_tasks_where_it_is_dropped() {
    let host = Host::new();
    let mailbox = host.manager.mailbox(&host.script).unwrap();
    let dropped = Notes::default();
    spawn_waiting(&mailbox, &dropped);
    let clone = mailbox.clone();
    drop(mailbox);
    assert_eq!(clone.poll(100).calls(), 1);
    assert_eq!(dropped.borrow().len(), 0);
    drop(clone);
    assert_eq!(*dropped.borrow(), [thread::current().id()]);
    // Its task on the I/O runtime, which waits for the unloading, does not wait for it any more.
    eventually("the tasks of the library end", || {
        host.manager.resources().alive_tasks() == 0
    });
}

#[test]
fn tasks_that_hold_their_mailbox_go_with_the_script() {
    for close in [false, true] {
        let host = Host::new();
        let mailbox = host.manager.mailbox(&host.script).unwrap();
        let dropped = Notes::default();
        for _ in 0..3 {
            let (own, note) = (mailbox.clone(), DropNote(Rc::clone(&dropped)));
            let holding = async move {
                let _ = (&own, &note);
                std::future::pending().await
            };
            mailbox.spawn(holding).unwrap();
        }
        assert_eq!(mailbox.poll(100).calls(), 3);
        if close {
            mailbox.close();
        } else {
            assert!(host.manager.unload_script(&host.script).is_clean());
            drop(mailbox);
        }
        assert_eq!(dropped.borrow().len(), 3, "closed: {close}");
    }
}

#[test]
fn a_task_may_close_its_mailbox() {
    let host = Host::new();
    let mailbox = host.manager.mailbox(&host.script).unwrap();
    let (own, dropped, steps) = (mailbox.clone(), Notes::default(), Notes::default());
    let (note, others) = (Rc::clone(&steps), Rc::clone(&dropped));
    mailbox
        .spawn(async move {
            own.close();
            let refused = own.spawn(async { Ok(()) }).map_err(|error| error.kind());
            note.borrow_mut().push((refused, others.borrow().len()));
            yield_once().await;
            note.borrow_mut().push((Ok(()), 0));
            Ok(())
        })
        .unwrap();
    spawn_waiting(&mailbox, &dropped);
    let polled = mailbox.poll(100);
    assert_eq!((polled.calls(), polled.is_more_ready()), (1, false));
    assert_eq!(*steps.borrow(), [(Err(ErrorKind::Closed), 1)]);
    assert_eq!(Rc::strong_count(&steps), 1);
}

/// Spawns, polls and closes when it is dropped.
struct Meddling(Mailbox, Notes<Option<ErrorKind>>);

impl Drop for Meddling {
    fn drop(&mut self) {
        let refused = self.0.spawn(async { Ok(()) }).err();
        self.1.borrow_mut().push(refused.map(|error| error.kind()));
        self.0.poll(100);
        self.0.close();
    }
}

#[test]
fn what_a_task_holds_may_use_the_mailbox_when_it_is_dropped() {
    for unload in [false, true] {
        let host = Host::new();
        let mailbox = host.manager.mailbox(&host.script).unwrap();
        let noted = Notes::default();
        for _ in 0..2 {
            let meddling = Meddling(mailbox.clone(), Rc::clone(&noted));
            let holding = async move {
                let _ = &meddling;
                std::future::pending().await
            };
            mailbox.spawn(holding).unwrap();
        }
        mailbox.poll(100);
        let refusal = if unload {
            assert!(host.manager.unload_script(&host.script).is_clean());
            mailbox.poll(100);
            ErrorKind::ScriptUnloaded
        } else {
            mailbox.close();
            ErrorKind::Closed
        };
        assert_eq!(*noted.borrow(), [Some(refusal); 2]);
        assert_eq!(mailbox.tasks(), 0);
    }
}

#[test]
fn a_task_that_ends_while_the_manager_is_dropped_is_dropped_with_its_mailbox() {
    let host = Host::new();
    let mailbox = host.manager.mailbox(&host.script).unwrap();
    let dropped = Notes::default();
    spawn_waiting(&mailbox, &dropped);
    mailbox.poll(1);
    let (sender, told) = mpsc::channel();
    mailbox.on_ready(move || {
        let _ = sender.send(());
    });
    drop(host);
    told.recv_timeout(PATIENCE).expect("the hook is called");
    assert_eq!(mailbox.poll(1).calls(), 0);
    assert_eq!(dropped.borrow().len(), 1);
}
