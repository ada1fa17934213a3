//! Listeners whose functions run where they are polled, and need not be `Send`.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, ThreadId};

use redis_manager::prelude::*;
use redis_manager::{FailureCause, LocalListener, ScriptFailure};

use crate::fixture::{Host, PATIENCE, PROTOCOLS, eventually, unique};
use crate::listener_ends::{in_time, patient};
use crate::listening::{expect_silenced, next_of, publish_from_outside, subscribers};

/// Counts how often it is woken.
#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Wakes {
    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// Polls once.
fn poll(listener: &mut LocalListener, wakes: &Arc<Wakes>) -> Poll<()> {
    let waker = Waker::from(Arc::clone(wakes));
    std::pin::Pin::new(listener).poll(&mut Context::from_waker(&waker))
}

/// Sends the thread that drops it.
struct OnDrop(Sender<ThreadId>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        let _ = self.0.send(thread::current().id());
    }
}

#[test]
fn the_function_holds_what_is_not_send_and_runs_on_the_thread_that_polls_once_a_poll() {
    for protocol in PROTOCOLS {
        let (host, channel) = (Host::new(), unique("local"));
        let client: RedisPubSubClient = host.open(protocol);
        let heard = Rc::new(RefCell::new(Vec::new()));
        let own = Rc::clone(&heard);
        let registered = client
            .listener(&channel)
            .register_local(move |message: &Message| {
                let text = message.payload_str()?.to_owned();
                own.borrow_mut().push((thread::current().id(), text));
                Ok(())
            });
        let mut local = registered.unwrap();
        assert_eq!(subscribers(&channel), 1);
        // Behind it, so that what this one has is there for the other.
        let mut witness = client.messages(&channel).unwrap();
        let wakes = Arc::new(Wakes::default());
        assert!(poll(&mut local, &wakes).is_pending());
        assert_eq!((wakes.count(), heard.borrow().len()), (0, 0));
        for number in 1..=3 {
            publish_from_outside(&channel, number.to_string());
            next_of(&mut witness);
        }
        assert_eq!(wakes.count(), 1, "once, until it is polled");
        for number in 1..=3 {
            assert!(poll(&mut local, &wakes).is_pending());
            assert_eq!(heard.borrow().len(), number, "{protocol:?}");
            // Two times more, since two more messages wait.
            assert_eq!(wakes.count(), 1 + number.min(2));
        }
        assert!(poll(&mut local, &wakes).is_pending());
        assert_eq!((wakes.count(), heard.borrow().len()), (3, 3));
        publish_from_outside(&channel, "4");
        eventually("it is woken", || wakes.count() == 4);
        assert!(poll(&mut local, &wakes).is_pending());
        let expected = [1, 2, 3, 4].map(|number| (thread::current().id(), number.to_string()));
        assert_eq!(*heard.borrow(), expected);
    }
}

#[test]
fn it_is_woken_and_ready_once_nothing_comes_any_more_and_its_function_is_dropped_where_it_is_polled()
 {
    for protocol in PROTOCOLS {
        for way in ["unregister", "all", "close", "unload"] {
            let (host, channel) = (Host::new(), unique("over"));
            let client: RedisPubSubClient = host.open_with(patient(protocol));
            let (sender, dropped) = mpsc::channel();
            let held = OnDrop(sender);
            let registered = client
                .listener(&channel)
                .register_local(move |_: &Message| {
                    let _ = &held;
                    Ok(())
                });
            let mut local = registered.unwrap();
            let wakes = Arc::new(Wakes::default());
            assert!(poll(&mut local, &wakes).is_pending());
            // Nobody polls meanwhile, which nobody waits for.
            thread::scope(|scope| {
                let handle = local.handle().clone();
                let (client, host, channel) = (&client, &host, &channel);
                scope.spawn(move || match way {
                    "unregister" => handle.unregister().unwrap(),
                    "all" => assert_eq!(client.unregister_listeners(channel).unwrap(), 1),
                    "close" => drop(client.close()),
                    _ => assert!(host.manager.unload_script(&host.script).is_clean()),
                });
            });
            assert!(wakes.count() > 0, "{way}");
            assert!(dropped.try_recv().is_err(), "{way}");
            assert!(poll(&mut local, &wakes).is_ready(), "{way}");
            assert_eq!(
                dropped.recv_timeout(PATIENCE).unwrap(),
                thread::current().id()
            );
            assert!(poll(&mut local, &wakes).is_ready(), "{way}");
            assert!(!local.handle().is_registered());
        }
    }
}

#[test]
fn dropping_it_drops_the_function_there_and_then_and_the_server_is_told() {
    for protocol in PROTOCOLS {
        let (host, channel) = (Host::new(), unique("dropped"));
        let client: RedisPubSubClient = host.open(protocol);
        let (sender, dropped) = mpsc::channel();
        let held = OnDrop(sender);
        let local = client
            .listener(&channel)
            .register_local(move |_: &Message| {
                let _ = &held;
                Ok(())
            });
        let local = local.unwrap();
        let handle = local.handle().clone();
        assert_eq!((subscribers(&channel), handle.is_registered()), (1, true));
        drop(local);
        assert_eq!(dropped.try_recv(), Ok(thread::current().id()));
        assert!(!handle.is_registered());
        eventually("the server is told", || subscribers(&channel) == 0);
        handle.unregister().unwrap();
    }
}

/// A local listener that is polled on a thread of its own and blocks in its call until it is released.
struct Blocked {
    handle: ScriptPubSubListener,
    started: Receiver<()>,
    release: Sender<()>,
    polling: thread::JoinHandle<()>,
}

impl Blocked {
    fn register(client: &RedisPubSubClient, channel: &str) -> Self {
        let (start, started) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let (register, registered) = mpsc::channel();
        let (client, channel) = (client.clone(), channel.to_owned());
        let polling = thread::spawn(move || {
            let local = client
                .listener(&channel)
                .register_local(move |_: &Message| {
                    start.send(())?;
                    let _ = released.recv();
                    Ok(())
                });
            let local = local.unwrap();
            register.send(local.handle().clone()).unwrap();
            pollster::block_on(local);
        });
        Self {
            handle: registered.recv_timeout(PATIENCE).unwrap(),
            started,
            release,
            polling,
        }
    }
}

#[test]
fn unregistering_from_another_thread_waits_for_the_call_that_runs() {
    for protocol in PROTOCOLS {
        let (host, channel) = (Host::new(), unique("waits"));
        let client: RedisPubSubClient = host.open_with(patient(protocol));
        let blocked = Blocked::register(&client, &channel);
        publish_from_outside(&channel, "stay");
        blocked.started.recv_timeout(PATIENCE).unwrap();
        let handle = blocked.handle.clone();
        let unregistering = thread::spawn(move || handle.unregister().unwrap());
        // Everything else that it waits for has happened by then.
        eventually("the server is told", || subscribers(&channel) == 0);
        assert!(!unregistering.is_finished());
        blocked.release.send(()).unwrap();
        unregistering.join().unwrap();
        expect_silenced(&blocked.started);
        blocked.polling.join().unwrap();
    }
}

#[test]
fn but_no_longer_than_the_shutdown_timeout_and_closing_names_the_call() {
    for protocol in PROTOCOLS {
        let (host, channel) = (Host::new(), unique("stuck"));
        let options = ClientOptions::builder()
            .protocol(protocol)
            .shutdown_timeout(Duration::from_millis(50));
        let client: RedisPubSubClient = host.open_with(options.build().unwrap());
        let blocked = Blocked::register(&client, &channel);
        publish_from_outside(&channel, "stay");
        blocked.started.recv_timeout(PATIENCE).unwrap();
        blocked.handle.unregister().unwrap();
        assert!(!blocked.polling.is_finished());
        let report = client.close();
        assert_eq!(report.running_callbacks(), [&*channel], "{report}");
        drop(blocked.release);
        blocked.polling.join().unwrap();
    }
}

/// Polls a listener until its own call has ended it in this way, and the server knows.
fn end_from_inside(protocol: Protocol, way: &'static str) {
    let (host, channel) = (Host::new(), unique("inside"));
    let client: RedisPubSubClient = host.open_with(patient(protocol));
    let own: Rc<RefCell<Option<ScriptPubSubListener>>> = Rc::default();
    let (itself, of) = (Rc::clone(&own), channel.clone());
    let (acting, manager, script) = (client.clone(), host.manager.clone(), host.script.clone());
    let registered = client
        .listener(&channel)
        .register_local(move |_: &Message| {
            match way {
                "itself" => itself.borrow().as_ref().unwrap().unregister()?,
                "all" => assert_eq!(acting.unregister_listeners(&of)?, 1),
                "close" => drop(acting.close()),
                _ => drop(manager.unload_script(&script)),
            }
            Ok(())
        });
    let local = registered.unwrap();
    *own.borrow_mut() = Some(local.handle().clone());
    publish_from_outside(&channel, "end");
    pollster::block_on(local);
    eventually("the server is told", || subscribers(&channel) == 0);
}

#[test]
fn from_inside_its_own_call_it_never_waits_for_itself() {
    for protocol in PROTOCOLS {
        for way in ["itself", "all", "close", "unload"] {
            // On a thread of its own, which a wait for itself would hold.
            in_time(way, move || end_from_inside(protocol, way));
        }
    }
}

#[test]
fn an_error_or_a_panic_is_reported_and_it_goes_on() {
    for protocol in PROTOCOLS {
        let (host, channel) = (Host::new(), unique("fails"));
        let client: RedisPubSubClient = host.open(protocol);
        let failures = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&failures);
        host.script.set_error_sink(move |failure: &ScriptFailure| {
            let is_panic = matches!(failure.cause(), FailureCause::Panic(_));
            let (listener, thread) = (failure.listener().unwrap(), thread::current().id());
            let cause = failure.cause().to_string();
            sink.lock()
                .unwrap()
                .push((listener, thread, is_panic, cause));
        });
        let mut calls = 0;
        let heard = Rc::new(RefCell::new(Vec::new()));
        let own = Rc::clone(&heard);
        let registered = client
            .listener(&channel)
            .register_local(move |message: &Message| {
                calls += 1;
                own.borrow_mut().push(message.payload_str()?.to_owned());
                match calls {
                    1 => Err("deliberate error".into()),
                    // A panic that prints nothing.
                    2 => std::panic::resume_unwind(Box::new("deliberate panic")),
                    _ => Ok(()),
                }
            });
        let mut local = registered.unwrap();
        for payload in ["a", "b", "c"] {
            publish_from_outside(&channel, payload);
        }
        let wakes = Arc::new(Wakes::default());
        eventually("all are heard", || {
            assert!(poll(&mut local, &wakes).is_pending());
            heard.borrow().len() == 3
        });
        assert_eq!(*heard.borrow(), ["a", "b", "c"]);
        let (id, here) = (local.handle().id(), thread::current().id());
        let expected = [
            (id, here, false, "deliberate error".to_owned()),
            (id, here, true, "panicked: deliberate panic".to_owned()),
        ];
        assert_eq!(*failures.lock().unwrap(), expected);
    }
}
