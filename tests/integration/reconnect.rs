//! What a client does while its server is gone, and once it is back.

use std::time::Instant;

use futures_util::FutureExt;
use redis_manager::prelude::*;
use redis_manager::redis::{Value, cmd, pipe};
use redis_manager::{
    ClientOptionsBuilder, Delivery, DisconnectedBehavior, EventStream, OpenRedisClient, Protocol,
};
use redis_manager_support::TestServer;

use crate::fixture::{Host, PATIENCE, PROTOCOLS, eventually};

/// Options under which a client does not take long to come back.
pub(crate) fn options(protocol: Protocol) -> ClientOptionsBuilder {
    ClientOptions::builder()
        .protocol(protocol)
        .command_timeout(PATIENCE)
        .reconnect_delay(Duration::from_millis(50))
}

pub(crate) fn open<C>(host: &Host, url: impl AsRef<str>, options: ClientOptionsBuilder) -> C
where
    C: OpenRedisClient + Into<AnyClient>,
{
    host.manager
        .open_with(&host.script, url.as_ref(), options.build().unwrap())
        .unwrap()
}

/// Waits for an event that is as wanted, and returns those that came before it too.
#[track_caller]
pub(crate) fn expect_event(
    events: &mut EventStream,
    what: &str,
    wanted: impl Fn(&ClientEvent) -> bool,
) -> Vec<ClientEvent> {
    let mut seen = Vec::new();
    eventually(what, || {
        while let Some(event) = events.try_recv() {
            seen.push(event);
            if seen.last().is_some_and(&wanted) {
                return true;
            }
        }
        false
    });
    seen
}

#[track_caller]
pub(crate) fn expect_lost(events: &mut EventStream) -> Error {
    let is_lost = |event: &ClientEvent| matches!(event, ClientEvent::Disconnected { .. });
    match expect_event(events, "the loss is told", is_lost).pop() {
        Some(ClientEvent::Disconnected { cause }) => cause,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
pub(crate) fn expect_connected(events: &mut EventStream) -> Vec<ClientEvent> {
    expect_event(events, "the client is back", |event| {
        matches!(event, ClientEvent::Connected)
    })
}

/// Kills every connection but the admin's.
pub(crate) fn kill_connections(server: &TestServer) {
    for client in server.clients().unwrap() {
        // One that is gone by itself meanwhile is an error reply.
        let id = client.id.to_string();
        let _ = server.command(&["CLIENT", "KILL", "ID", &id]).unwrap();
    }
}

/// The error of a call that must have failed.
#[track_caller]
pub(crate) fn verdict<T>(outcome: Result<T, impl Into<Error>>) -> (ErrorKind, Option<Delivery>) {
    match outcome {
        Ok(_) => panic!("it succeeded"),
        Err(error) => {
            let error = error.into();
            (error.kind(), error.delivery())
        }
    }
}

pub(crate) const NOT_SENT: Option<Delivery> = Some(Delivery::NotSent);

#[test]
fn after_a_restart_everything_is_as_it_was_and_the_events_tell_how_it_came_about() {
    for protocol in PROTOCOLS {
        let server = TestServer::builder().password("p@ss").start_or_panic();
        let host = Host::new();
        let url = format!("{}/3?clientName=parrot", server.url_with_password());
        let client: RedisCommandClient = open(&host, url, options(protocol));
        let appearance = || {
            let mut clients = server.clients().unwrap();
            assert_eq!(clients.len(), 1, "{clients:?}");
            let client = clients.remove(0);
            (
                client.name,
                client.db,
                client.user,
                client.resp,
                client.lib_name,
            )
        };
        let before = appearance();
        assert_eq!((before.0.as_str(), before.1), ("parrot", 3));
        let mut events = client.events();
        server.kill().unwrap();
        let cause = expect_lost(&mut events);
        assert_eq!(cause.kind(), ErrorKind::Disconnected, "{cause}");
        let failed = |event: &ClientEvent| match event {
            ClientEvent::ReconnectFailed { cause, .. } => {
                assert_eq!(cause.kind(), ErrorKind::Connect, "{cause}");
                true
            }
            _ => false,
        };
        let seen = expect_event(&mut events, "a try fails", failed);
        let first = ClientEvent::ReconnectAttempt {
            attempt: 1,
            delay: Duration::ZERO,
        };
        assert_eq!(
            std::mem::discriminant(&seen[0]),
            std::mem::discriminant(&first),
            "{seen:?}"
        );
        assert!(client.state().is_disconnected());
        server.restart().unwrap();
        let seen = expect_connected(&mut events);
        let only_tries = seen.iter().rev().skip(1).all(|event| {
            matches!(
                event,
                ClientEvent::ReconnectAttempt { .. } | ClientEvent::ReconnectFailed { .. }
            )
        });
        assert!(only_tries, "{seen:?}");
        assert_eq!(client.state(), ClientState::Connected);
        assert_eq!(appearance(), before, "{protocol:?}");
        let () = client.commands().set("k", 1).unwrap();
        let incremented = pollster::block_on(client.async_commands().incr::<_, _, i64>("k", 1));
        assert_eq!(incremented.unwrap(), 2);
        let mut session = client.session().unwrap();
        assert_eq!(session.get::<_, i64>("k").unwrap(), 2);
        let selected = server.run(&["SELECT", "3"]);
        assert_eq!(selected.text(), "OK");
        assert_eq!(server.run(&["GET", "k"]).text(), "2");
    }
}

#[test]
fn a_call_made_while_disconnected_waits_for_the_connection() {
    for protocol in PROTOCOLS {
        let (server, host) = (TestServer::start(), Host::new());
        let client: RedisCommandClient = open(&host, server.url(), options(protocol));
        let mut events = client.events();
        server.kill().unwrap();
        expect_lost(&mut events);
        let mut commands = [(); 3].map(|()| client.async_commands());
        let [one, two, three] = &mut commands;
        let (mut pair, mut atomic) = (pipe(), pipe());
        pair.incr("k", 1).ignore().get("k");
        atomic.atomic().incr("k", 1).ignore().get("k");
        let mut single = std::pin::pin!(one.incr::<_, _, i64>("k", 1));
        let mut pair = std::pin::pin!(pair.query_async::<(i64,)>(two));
        let mut atomic = std::pin::pin!(atomic.query_async::<(i64,)>(three));
        assert!(single.as_mut().now_or_never().is_none());
        assert!(pair.as_mut().now_or_never().is_none());
        assert!(atomic.as_mut().now_or_never().is_none());
        let mut blocking = client.commands();
        let blocking = std::thread::spawn(move || blocking.set::<_, _, Value>("other", 1));
        server.restart().unwrap();
        assert_eq!(pollster::block_on(atomic).unwrap(), (3,), "in their order");
        assert_eq!(pollster::block_on(pair).unwrap(), (2,));
        assert_eq!(pollster::block_on(single).unwrap(), 1);
        assert_eq!(blocking.join().unwrap().unwrap(), Value::Okay);
        assert_eq!(server.run(&["GET", "k"]).text(), "3");
    }
}

#[test]
fn a_client_that_rejects_fails_at_once_while_disconnected_and_works_afterwards() {
    for protocol in PROTOCOLS {
        let (server, host) = (TestServer::start(), Host::new());
        let rejecting = options(protocol).disconnected_behavior(DisconnectedBehavior::Reject);
        let client: RedisCommandClient = open(&host, server.url(), rejecting);
        let mut events = client.events();
        server.kill().unwrap();
        expect_lost(&mut events);
        let began = Instant::now();
        let refused = (ErrorKind::Disconnected, NOT_SENT);
        for _ in 0..20 {
            let get = client.commands().get::<_, Value>("k");
            assert_eq!(verdict(get), refused);
            let mut commands = client.async_commands();
            let get = pipe()
                .get("k")
                .query_async::<Value>(&mut commands)
                .now_or_never();
            assert_eq!(verdict(get.expect("at once")), refused);
        }
        assert!(began.elapsed() < PATIENCE);
        server.restart().unwrap();
        expect_connected(&mut events);
        let () = client.commands().set("k", 1).unwrap();
    }
}

#[test]
fn a_client_that_does_not_reconnect_stays_disconnected() {
    let server = TestServer::start();
    for protocol in PROTOCOLS {
        let host = Host::new();
        let client: RedisCommandClient =
            open(&host, server.url(), options(protocol).auto_reconnect(false));
        let witness: RedisCommandClient = open(&host, server.url(), options(protocol));
        let (mut events, mut witnessed) = (client.events(), witness.events());
        server.restart().unwrap();
        expect_lost(&mut events);
        expect_event(&mut events, "that it stays so is told", |event| {
            matches!(event, ClientEvent::ReconnectSuspended { .. })
        });
        expect_connected(&mut witnessed);
        assert!(events.try_recv().is_none(), "no try to reconnect");
        let refused = (ErrorKind::Disconnected, NOT_SENT);
        assert_eq!(verdict(client.commands().get::<_, Value>("k")), refused);
        let get = client.async_commands().get::<_, Value>("k").now_or_never();
        assert_eq!(verdict(get.expect("at once")), refused);
        assert!(client.state().is_disconnected());
        assert_eq!(server.clients().unwrap().len(), 1);
        assert!(host.manager.unload_script(&host.script).is_clean());
    }
}

#[test]
fn a_call_given_up_while_disconnected_is_never_run_and_one_without_a_reply_is() {
    for protocol in PROTOCOLS {
        let (server, host) = (TestServer::start(), Host::new());
        let hasty = options(protocol).command_timeout(Duration::from_millis(100));
        let hasty: RedisCommandClient = open(&host, server.url(), hasty);
        let patient: RedisCommandClient = open(&host, server.url(), options(protocol));
        let (mut events, mut patient_events) = (hasty.events(), patient.events());
        server.kill().unwrap();
        expect_lost(&mut events);
        expect_lost(&mut patient_events);
        let late = (ErrorKind::Timeout, NOT_SENT);
        assert_eq!(verdict(hasty.commands().incr::<_, _, i64>("late", 1)), late);
        let mut incr = pipe();
        incr.atomic().incr("late", 1);
        assert_eq!(verdict(incr.exec(&mut hasty.commands())), late);
        for client in [&hasty, &patient] {
            let mut commands = client.async_commands();
            let call = commands.incr::<_, _, i64>("cancelled", 1).now_or_never();
            assert!(call.is_none());
            let mut commands = client.async_commands();
            assert!(incr.exec_async(&mut commands).now_or_never().is_none());
        }
        // Of the patient one: it has a deadline as well.
        let mut told = cmd("INCR");
        told.arg("told").set_no_response(true);
        told.exec(&mut patient.commands()).unwrap();
        server.restart().unwrap();
        expect_connected(&mut events);
        // Behind whatever waited before.
        for client in [&hasty, &patient] {
            eventually("an answer", || {
                client.commands().exists::<_, bool>("k").is_ok()
            });
        }
        assert_eq!(
            server.run(&["EXISTS", "late", "cancelled"]).as_int(),
            Some(0)
        );
        assert_eq!(server.run(&["GET", "told"]).as_int(), Some(1));
    }
}

#[test]
fn a_full_queue_refuses_at_once_and_what_it_holds_runs_after_the_restart() {
    for protocol in PROTOCOLS {
        let (server, host) = (TestServer::start(), Host::new());
        let few = options(protocol).request_queue_size(10);
        let few: RedisCommandClient = open(&host, server.url(), few);
        let small = options(protocol).request_queue_bytes(1000);
        let small: RedisCommandClient = open(&host, server.url(), small);
        let mut events = [few.events(), small.events()];
        server.kill().unwrap();
        events
            .iter_mut()
            .for_each(|events| drop(expect_lost(events)));
        let full = (ErrorKind::QueueFull, NOT_SENT);
        let payload = "x".repeat(100);
        for (client, key, payload) in [(&few, "few", "x"), (&small, "small", &*payload)] {
            let mut handles: Vec<_> = (0..24).map(|_| client.async_commands()).collect();
            let (handles, later) = handles.split_at_mut(20);
            let mut waiting = Vec::new();
            let mut refused = 0;
            for commands in handles {
                let mut call = commands.append::<_, _, i64>(key, payload);
                match (&mut call).now_or_never() {
                    None => waiting.push(call),
                    Some(outcome) => {
                        assert_eq!(verdict(outcome), full);
                        refused += 1;
                    }
                }
            }
            // "*3 $6 APPEND $5 small $100 …" has 139 bytes, of which 7 fit into 1000.
            let expected = if key == "few" { 10 } else { 7 };
            assert_eq!((waiting.len(), refused), (expected, 20 - expected));
            // What is given up makes room.
            waiting.truncate(1);
            waiting.extend(later.iter_mut().map(|commands| {
                let mut call = commands.append::<_, _, i64>(key, payload);
                assert!((&mut call).now_or_never().is_none(), "{key}");
                call
            }));
            if key == "small" {
                server.restart().unwrap();
                for (index, call) in waiting.into_iter().enumerate() {
                    let length = pollster::block_on(call).unwrap();
                    assert_eq!(length, (index as i64 + 1) * 100);
                }
            }
        }
        // Dropped unanswered, the calls of the other client never run.
        expect_connected(&mut events[0]);
        assert!(!few.commands().exists::<_, bool>("few").unwrap());
    }
}
