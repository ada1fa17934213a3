//! Replacing a script while it runs: no message is lost, and what fails leaves the old one as it was.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread;

use redis_manager::ScriptReload;
use redis_manager::prelude::*;

use crate::fixture::{Host, PROTOCOLS, eventually, unique};
use crate::reconnect::options;

/// The numbers that one generation has heard, in order.
pub(crate) type Heard = Arc<Mutex<Vec<u64>>>;

pub(crate) fn number(message: &Message) -> u64 {
    message.payload_str().unwrap().parse().unwrap()
}

/// Has the publisher stop, also when the test fails meanwhile: or it would never end.
struct Stopping<'a>(&'a AtomicBool);

impl Drop for Stopping<'_> {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

/// Publishes one number after the other until it is told to stop.
fn publish(host: &Host, channel: &str, stop: &AtomicBool, published: &AtomicU64) {
    let script = host.manager.load_script(unique("publisher")).unwrap();
    let client: RedisPubSubClient = host.manager.open(&script, host.url()).unwrap();
    while !stop.load(SeqCst) {
        let number = published.load(SeqCst);
        client.publish(channel, number.to_string()).unwrap();
        published.store(number + 1, SeqCst);
    }
    assert!(host.manager.unload_script(&script).is_clean());
}

/// Reloads a thousand times under traffic, each with what one generation hears, and looks at what all have heard.
pub(crate) fn account(host: &Host, channel: &str, reload: impl Fn(&Heard), poll: impl Fn()) {
    const RELOADS: usize = 1_000;
    let (stop, published) = (AtomicBool::new(false), AtomicU64::new(0));
    let generations: Vec<Heard> = (0..=RELOADS).map(|_| Heard::default()).collect();
    reload(&generations[0]);
    thread::scope(|scope| {
        let _stopping = Stopping(&stop);
        scope.spawn(|| publish(host, channel, &stop, &published));
        eventually("something was published", || published.load(SeqCst) > 10);
        for heard in &generations[1..] {
            reload(heard);
        }
        let before = published.load(SeqCst);
        eventually("more was published", || {
            published.load(SeqCst) > before + 10
        });
    });
    let last = published.load(SeqCst) - 1;
    check(&generations, last, poll);
}

/// The last generation hears `last`, each has heard numbers that follow each other, and all together every one.
fn check(generations: &[Heard], last: u64, poll: impl Fn()) {
    eventually("the last one was heard", || {
        poll();
        let heard = generations.last().unwrap();
        heard.lock().unwrap().last() == Some(&last)
    });
    let everyone = || {
        let mut heard = BTreeSet::<u64>::new();
        for generation in generations {
            heard.extend(generation.lock().unwrap().iter());
        }
        heard
    };
    eventually("every number was heard", || {
        everyone().len() as u64 == last + 1
    });
    for (generation, numbers) in generations.iter().enumerate() {
        let numbers = numbers.lock().unwrap();
        let is_whole = numbers.windows(2).all(|two| two[1] == two[0] + 1);
        assert!(is_whole, "generation {generation}: {numbers:?}");
    }
}

/// A client of the new generation, whose listeners drop nothing.
fn open(host: &Host, reload: &ScriptReload) -> RedisPubSubClient {
    let options = ClientOptions::builder().listener_queue_size(1_000_000);
    host.manager
        .open_with(reload.script(), host.url(), options.build().unwrap())
        .unwrap()
}

#[test]
fn reloads_under_traffic_lose_no_message_and_repeat_none() {
    let host = Host::new();
    let (name, channel) = (unique("chat"), unique("channel"));
    let reload = |heard: &Heard| {
        let reload = host.manager.reload_script(&name).unwrap();
        let heard = Arc::clone(heard);
        open(&host, &reload)
            .register_listener(&channel, move |message: &Message| {
                heard.lock().unwrap().push(number(message));
                Ok(())
            })
            .unwrap();
        if let (_, Some(report)) = reload.finish().unwrap() {
            assert!(report.is_clean(), "{report}");
        }
    };
    account(&host, &channel, reload, || {});
}

#[test]
fn a_mailbox_hears_what_waits_in_it_between_the_hand_over_and_the_end() {
    let host = Host::new();
    let (name, channel) = (unique("chat"), unique("channel"));
    let current = RefCell::new(None::<Mailbox>);
    let empty = |mailbox: &Mailbox| while mailbox.poll(Budget::round()).calls() > 0 {};
    let reload = |heard: &Heard| {
        let mut reload = host.manager.reload_script(&name).unwrap();
        let mailbox = host.manager.mailbox(reload.script()).unwrap();
        let heard = Arc::clone(heard);
        mailbox
            .register_listener(&open(&host, &reload), &channel, move |message: &Message| {
                heard.lock().unwrap().push(number(message));
                Ok(())
            })
            .unwrap();
        reload.hand_over().unwrap();
        if let Some(old) = current.replace(Some(mailbox)) {
            empty(&old);
            old.close();
        }
        reload.finish().unwrap();
    };
    account(&host, &channel, reload, || {
        current.borrow().iter().for_each(empty);
    });
}

/// Has `reload`'s generation listen, and each load the next one from inside a call.
fn succeed(
    host: Arc<Host>,
    reload: ScriptReload,
    channel: String,
    heard: Arc<Vec<Heard>>,
    generation: usize,
) {
    let client = open(&host, &reload);
    let (next, name) = (Arc::clone(&host), reload.script().name().to_owned());
    let (next_channel, log) = (channel.clone(), Arc::clone(&heard));
    let mut has_successor = generation + 1 == heard.len();
    client
        .register_listener(&channel, move |message: &Message| {
            log[generation].lock().unwrap().push(number(message));
            let calls = log[generation].lock().unwrap().len();
            if calls < 20 || has_successor {
                return Ok(());
            }
            match next.manager.reload_script(&name) {
                Ok(reload) => {
                    let (channel, log) = (next_channel.clone(), Arc::clone(&log));
                    succeed(Arc::clone(&next), reload, channel, log, generation + 1);
                    has_successor = true;
                }
                // It hears before its own reload is finished; the next message is another occasion.
                Err(error) => assert_eq!(error.kind(), ErrorKind::ScriptConflict, "{error}"),
            }
            Ok(())
        })
        .unwrap();
    let (_, report) = reload.finish().unwrap();
    assert_eq!(report.is_some(), generation > 0);
    if let Some(report) = report {
        assert!(report.in_background().count() == 1, "{report}");
    }
}

#[test]
fn a_script_that_reloads_itself_from_its_own_listener_loses_no_message() {
    const RELOADS: usize = 20;
    let host = Arc::new(Host::new());
    let (name, channel) = (unique("chat"), unique("channel"));
    let heard: Arc<Vec<Heard>> = Arc::new((0..=RELOADS).map(|_| Heard::default()).collect());
    let first = host.manager.reload_script(&name).unwrap();
    let (channel_of_first, log) = (channel.clone(), Arc::clone(&heard));
    succeed(Arc::clone(&host), first, channel_of_first, log, 0);
    let (stop, published) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        let _stopping = Stopping(&stop);
        scope.spawn(|| publish(&host, &channel, &stop, &published));
        eventually("all generations have come", || {
            !heard[RELOADS].lock().unwrap().is_empty()
        });
    });
    check(&heard, published.load(SeqCst) - 1, || {});
    eventually("the others are gone", || {
        host.manager
            .scripts()
            .iter()
            .filter(|script| script.name() == name)
            .count()
            == 1
    });
}

#[test]
fn a_reload_that_is_given_up_leaves_the_old_generation_as_it_was() {
    let host = Host::new();
    let client: RedisPubSubClient = host.manager.open(&host.script, host.url()).unwrap();
    let heard = Heard::default();
    let seen = Arc::clone(&heard);
    let channel = unique("channel");
    client
        .register_listener(&channel, move |message: &Message| {
            seen.lock().unwrap().push(number(message));
            Ok(())
        })
        .unwrap();
    let reload = host.manager.reload_script(&host.name).unwrap();
    let new = reload.script().clone();
    let successor: RedisPubSubClient = host.manager.open(&new, host.url()).unwrap();
    let refused = host.manager.reload_script(&host.name).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ScriptConflict);
    drop(reload);
    eventually("nothing is left of the new one", || {
        successor.state() == ClientState::Closed && !new.is_loaded()
    });
    assert_eq!(host.manager.script(&host.name), Some(host.script.clone()));
    assert_eq!(client.publish(&channel, "7").unwrap(), 1);
    eventually("the old one hears", || *heard.lock().unwrap() == [7]);
}

#[test]
fn a_new_generation_that_was_unloaded_meanwhile_takes_nothing_over() {
    let host = Host::new();
    let reload = host.manager.reload_script(&host.name).unwrap();
    assert!(host.manager.unload_script(reload.script()).was_loaded());
    let error = reload.finish().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ScriptUnloaded);
    assert!(host.script.is_loaded());
    assert_eq!(host.manager.script(&host.name), Some(host.script.clone()));
}

#[test]
fn after_unsubscribing_from_everything_what_has_come_is_heard_and_nothing_follows() {
    for protocol in PROTOCOLS {
        let host = Host::new();
        let script = host.manager.load_script(unique("listener")).unwrap();
        let options = options(protocol).build().unwrap();
        let client: RedisPubSubClient = host
            .manager
            .open_with(&script, host.url(), options)
            .unwrap();
        let (channel, release) = (unique("channel"), Arc::new(AtomicBool::new(false)));
        let heard = Heard::default();
        let (seen, may_go) = (Arc::clone(&heard), Arc::clone(&release));
        let listener = client
            .register_listener(&channel, move |message: &Message| {
                eventually("the test goes on", || may_go.load(SeqCst));
                seen.lock().unwrap().push(number(message));
                Ok(())
            })
            .unwrap();
        for number in 0..3 {
            assert_eq!(client.publish(&channel, number.to_string()).unwrap(), 1);
        }
        client.unsubscribe_all().unwrap();
        assert_eq!(client.publish(&channel, "3").unwrap(), 0);
        assert!(listener.is_registered());
        release.store(true, SeqCst);
        assert!(client.catch_up().unwrap());
        assert_eq!(*heard.lock().unwrap(), [0, 1, 2]);
        // Whoever registers again subscribes again, for all of the channel.
        client
            .register_listener(&channel, |_: &Message| Ok(()))
            .unwrap();
        assert_eq!(client.publish(&channel, "4").unwrap(), 1);
        // Under RESP2 it comes on another socket than the reply.
        eventually("it is heard", || *heard.lock().unwrap() == [0, 1, 2, 4]);
    }
}
