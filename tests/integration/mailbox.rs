//! Host delivery: what a script waits for runs on the thread that polls, and nowhere else.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::task::{Poll, Waker};
use std::thread;
use std::time::Instant;

use redis_manager::prelude::*;

use crate::fixture::{Host, PATIENCE, PROTOCOLS, unique};
use crate::listening::publish_from_outside;
use crate::mailbox_hook::count_hook;

/// A list that tasks write to without being `Send`.
pub(crate) type Notes<T> = Rc<RefCell<Vec<T>>>;

/// Becomes pending once, and ready again at once.
pub(crate) async fn yield_once() {
    let mut yielded = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Polls as a host's loop does that sleeps while there is nothing to do, until `done`.
#[track_caller]
pub(crate) fn poll_until(mailbox: &Mailbox, mut done: impl FnMut() -> bool) {
    let host = thread::current();
    mailbox.on_ready(move || host.unpark());
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        let left = deadline.saturating_duration_since(Instant::now());
        assert!(!left.is_zero(), "not within {PATIENCE:?}");
        if mailbox.poll(Duration::from_millis(2)).calls() == 0 {
            thread::park_timeout(left);
        }
    }
}

#[test]
fn completions_come_to_the_polling_thread_and_may_hold_what_is_not_send() {
    for protocol in PROTOCOLS {
        let host = Host::new();
        let commands: RedisCommandClient = host.open(protocol);
        let pubsub: RedisPubSubClient = host.open(protocol);
        let mailbox = host.manager.mailbox(&host.script).unwrap();
        let seen = Notes::default();

        let (key, note, own) = (unique("key"), Rc::clone(&seen), commands.clone());
        mailbox
            .spawn(async move {
                let mut commands = own.async_commands();
                commands.set::<_, _, ()>(&key, 41).await?;
                let value: u64 = commands.incr(&key, 1).await?;
                note.borrow_mut().push((value, thread::current().id()));
                Ok(())
            })
            .unwrap();
        let note = Rc::clone(&seen);
        mailbox
            .spawn(async move {
                let receivers = pubsub.publish_async(unique("nobody"), "hello").await?;
                note.borrow_mut().push((receivers, thread::current().id()));
                Ok(())
            })
            .unwrap();
        assert_eq!((seen.borrow().len(), mailbox.tasks()), (0, 2));
        poll_until(&mailbox, || mailbox.tasks() == 0);
        seen.borrow_mut().sort_by_key(|(value, _)| *value);
        let here = thread::current().id();
        assert_eq!(*seen.borrow(), [(0, here), (42, here)]);
        assert_eq!(Rc::strong_count(&seen), 1);
    }
}

#[test]
fn a_thousand_calls_in_flight_all_complete() {
    for protocol in PROTOCOLS {
        let host = Host::new();
        let client: RedisCommandClient = host.open(protocol);
        let mailbox = host.manager.mailbox(&host.script).unwrap();
        let (key, sum) = (unique("sum"), Rc::new(Cell::new(0)));
        for _ in 0..1_000 {
            let (mut commands, key, sum) = (client.async_commands(), key.clone(), Rc::clone(&sum));
            let call = async move {
                let value: i64 = commands.incr(&key, 1).await?;
                sum.set(sum.get() + value);
                Ok(())
            };
            mailbox.spawn(call).unwrap();
        }
        poll_until(&mailbox, || mailbox.tasks() == 0);
        assert_eq!(sum.get(), 1_000 * 1_001 / 2);
    }
}

/// As a listener whose messages wait for the host will be: a future that never completes by itself.
#[test]
fn messages_that_a_listener_passes_on_are_handled_in_order_by_the_host() {
    for protocol in PROTOCOLS {
        let (host, channel) = (Host::new(), unique("host"));
        let client: RedisPubSubClient = host.open(protocol);
        let mailbox = host.manager.mailbox(&host.script).unwrap();
        let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
        client
            .register_listener(&channel, move |message: &Message| {
                Ok(sender.send(message.payload_str()?.to_owned())?)
            })
            .unwrap();
        let heard = Notes::default();
        let note = Rc::clone(&heard);
        mailbox
            .spawn(async move {
                while let Some(text) = receiver.recv().await {
                    note.borrow_mut().push(text);
                }
                Ok(())
            })
            .unwrap();
        for number in 0..100 {
            assert_eq!(publish_from_outside(&channel, number.to_string()), 1);
        }
        poll_until(&mailbox, || heard.borrow().len() == 100);
        assert!((0..100).map(|n| n.to_string()).eq(heard.take()));
    }
}

#[test]
fn a_task_may_call_its_client_close_it_and_unload_its_script_and_nothing_waits_for_it() {
    for protocol in PROTOCOLS {
        let host = Host::new();
        let client: RedisCommandClient = host.open(protocol);
        let mailbox = host.manager.mailbox(&host.script).unwrap();
        let (manager, script) = (host.manager.clone(), host.script.clone());
        let went_through = Rc::new(Cell::new(false));
        let through = Rc::clone(&went_through);
        mailbox
            .spawn(async move {
                client.commands().set::<_, _, ()>(unique("key"), 1)?;
                let closed = client.close();
                assert!(matches!(closed.outcome(), CloseOutcome::InBackground));
                let report = manager.unload_script(&script);
                through.set(report.was_loaded());
                Ok(())
            })
            .unwrap();
        let after = Rc::new(Cell::new(false));
        let ran = Rc::clone(&after);
        mailbox
            .spawn(async move {
                ran.set(true);
                Ok(())
            })
            .unwrap();
        let polled = mailbox.poll(10);
        assert_eq!((polled.calls(), polled.is_more_ready()), (1, false));
        assert!(went_through.get() && !after.get());
        assert_eq!((Rc::strong_count(&after), mailbox.tasks()), (1, 0));
        host.expect_connections(0);
    }
}

#[test]
fn a_task_may_use_its_mailbox_while_it_is_polled() {
    let host = Host::new();
    let mailbox = host.manager.mailbox(&host.script).unwrap();
    let (own, order) = (mailbox.clone(), Notes::default());
    let note = Rc::clone(&order);
    mailbox
        .spawn(async move {
            note.borrow_mut().push("outer");
            let inner = Rc::clone(&note);
            own.spawn(async move {
                inner.borrow_mut().push("inner");
                Ok(())
            })?;
            let nested = own.poll(100);
            assert_eq!((nested.calls(), nested.is_more_ready()), (0, false));
            assert!(format!("{own:?}").contains("tasks: 2"), "{own:?}");
            own.on_ready(|| {});
            note.borrow_mut().push("outer is over");
            Ok(())
        })
        .unwrap();
    let polled = mailbox.poll(100);
    assert_eq!((polled.calls(), polled.is_more_ready()), (2, false));
    assert_eq!(*order.borrow(), ["outer", "outer is over", "inner"]);
}

#[test]
fn another_mailbox_may_be_polled_from_inside() {
    let host = Host::new();
    let [outer, inner] = [(); 2].map(|()| host.manager.mailbox(&host.script).unwrap());
    inner.spawn(async { Ok(()) }).unwrap();
    let inside = Rc::new(Cell::new(None));
    let polled = Rc::clone(&inside);
    outer
        .spawn(async move {
            polled.set(Some(inner.poll(Budget::round()).calls()));
            Ok(())
        })
        .unwrap();
    assert_eq!(outer.poll(Budget::round()).calls(), 1);
    assert_eq!(inside.get(), Some(1));
}

#[test]
fn a_waker_of_a_task_that_is_over_makes_nothing_ready() {
    let host = Host::new();
    let mailbox = host.manager.mailbox(&host.script).unwrap();
    let kept = Rc::new(RefCell::new(None::<Waker>));
    let keep = Rc::clone(&kept);
    mailbox
        .spawn(std::future::poll_fn(move |context| {
            *keep.borrow_mut() = Some(context.waker().clone());
            context.waker().wake_by_ref();
            Poll::Ready(Ok(()))
        }))
        .unwrap();
    let polled = mailbox.poll(100);
    assert_eq!((polled.calls(), polled.is_more_ready()), (1, false));
    let hook = count_hook(&mailbox);
    let stale = kept.take().unwrap();
    stale.wake_by_ref();
    thread::spawn(move || stale.wake()).join().unwrap();
    assert_eq!(
        (mailbox.poll(100).calls(), hook.load(Ordering::SeqCst)),
        (0, 0)
    );
}
