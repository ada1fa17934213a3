//! When a mailbox wakes the loop of its host.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;

use redis_manager::prelude::*;
use redis_manager_support::TestServer;
use tokio::sync::oneshot;

use crate::fixture::{Host, PATIENCE, PROTOCOLS, unique};

/// Counts the calls of the hook.
pub(crate) fn count_hook(mailbox: &Mailbox) -> Arc<AtomicUsize> {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    mailbox.on_ready(move || {
        let _ = counted.fetch_add(1, Ordering::SeqCst);
    });
    calls
}

#[test]
fn the_hook_is_called_when_something_becomes_ready_and_when_something_is_left() {
    let host = Host::new();
    let mailbox = host.manager.mailbox(&host.script).unwrap();
    let hook = count_hook(&mailbox);
    let calls = || hook.load(Ordering::SeqCst);
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..3).map(|_| oneshot::channel()).unzip();
    for receiver in receivers {
        mailbox
            .spawn(async move {
                receiver.await?;
                Ok(())
            })
            .unwrap();
    }
    assert_eq!(calls(), 1, "once for all three");
    assert_eq!(mailbox.poll(100).calls(), 3);
    assert_eq!(calls(), 1, "nothing is left");
    // From another thread, as replies come.
    let woken = thread::spawn(move || senders.into_iter().for_each(|one| one.send(()).unwrap()));
    woken.join().unwrap();
    assert_eq!(calls(), 2, "once for all three");
    let polled = mailbox.poll(1);
    assert_eq!((polled.calls(), polled.is_more_ready()), (1, true));
    assert_eq!(calls(), 3, "two are left");
    let later = count_hook(&mailbox);
    assert_eq!(
        later.load(Ordering::SeqCst),
        1,
        "something is ready already"
    );
    assert_eq!(mailbox.poll(100).calls(), 2);
    assert_eq!((calls(), later.load(Ordering::SeqCst)), (3, 1));
    assert_eq!(Arc::strong_count(&hook), 1, "the earlier hook is dropped");
}

#[test]
fn a_hook_that_panics_on_a_thread_of_the_library_costs_no_connection() {
    for protocol in PROTOCOLS {
        let host = Host::new();
        let client: RedisCommandClient = host.open(protocol);
        let mailbox = host.manager.mailbox(&host.script).unwrap();
        let (sender, threads) = channel();
        mailbox.on_ready(move || {
            let _ = sender.send(thread::current().id());
            panic!("deliberate panic in a hook");
        });
        let next = || threads.recv_timeout(PATIENCE).expect("the hook is called");
        let (mut events, seen) = (client.events(), Rc::new(Cell::new(false)));
        let is_seen = Rc::clone(&seen);
        mailbox
            .spawn(async move {
                is_seen.set(events.recv_async().await.is_some());
                Ok(())
            })
            .unwrap();
        let here = thread::current().id();
        assert_eq!(next(), here);
        assert_eq!(mailbox.poll(1).calls(), 1);
        // What tells of the lost connection, and wakes the task by that, has to make the next one.
        for connection in host.connections() {
            let id = connection.id.to_string();
            TestServer::shared().run(&["CLIENT", "KILL", "ID", &id]);
        }
        assert_ne!(next(), here);
        assert_eq!((mailbox.poll(1).calls(), seen.get()), (1, true));
        client.commands().set::<_, _, ()>(unique("key"), 1).unwrap();
    }
}

#[test]
fn unloading_calls_the_hook_if_there_is_anything_to_drop_and_before_it_returns() {
    let host = Host::new();
    let empty = host.manager.mailbox(&host.script).unwrap();
    let mailbox = host.manager.mailbox(&host.script).unwrap();
    mailbox.spawn(std::future::pending()).unwrap();
    mailbox.poll(1);
    let (nothing, hook) = (count_hook(&empty), count_hook(&mailbox));
    let (manager, script) = (host.manager.clone(), host.script.clone());
    let unloading = thread::spawn(move || manager.unload_script(&script));
    assert!(unloading.join().unwrap().is_clean());
    assert_eq!(hook.load(Ordering::SeqCst), 1);
    assert_eq!(nothing.load(Ordering::SeqCst), 0);
    assert_eq!(mailbox.tasks(), 1);
    mailbox.poll(1);
    assert_eq!(mailbox.tasks(), 0);
    assert_eq!(Arc::strong_count(&hook), 1, "the hook is dropped, too");
}

#[test]
fn unloading_waits_for_a_hook_that_takes_its_time() {
    let host = Host::new();
    let mailbox = host.manager.mailbox(&host.script).unwrap();
    mailbox.spawn(std::future::pending()).unwrap();
    mailbox.poll(1);
    let called = Arc::new(AtomicUsize::new(0));
    let calls = Arc::clone(&called);
    mailbox.on_ready(move || {
        // Long enough for an unloading that does not wait to be caught.
        thread::sleep(Duration::from_millis(50));
        calls.fetch_add(1, Ordering::SeqCst);
    });
    assert!(host.manager.unload_script(&host.script).is_clean());
    assert_eq!(called.load(Ordering::SeqCst), 1);
}

#[test]
fn a_hook_may_call_the_manager_while_it_unloads() {
    let host = Host::new();
    let mailbox = host.manager.mailbox(&host.script).unwrap();
    mailbox.spawn(std::future::pending()).unwrap();
    mailbox.poll(1);
    let (sender, seen) = channel();
    let manager = host.manager.clone();
    mailbox.on_ready(move || {
        let _ = sender.send(manager.scripts().len());
    });
    assert!(host.manager.unload_script(&host.script).is_clean());
    assert_eq!(seen.try_recv(), Ok(0));
    mailbox.poll(1);
}
