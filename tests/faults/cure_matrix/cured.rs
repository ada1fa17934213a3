//! One fault from its beginning to its cure.

use std::time::Instant;

use redis_manager::EventStream;
use redis_manager::prelude::*;
use redis_manager_support::TestServer;

use super::PROTOCOLS;
use crate::harness::{PATIENCE, Run, eventually};

/// From the cure until calls succeed; the default of the option `reconnect_delay`.
const BOUND: Duration = Duration::from_secs(2);

/// What keeps clients from their server.
pub(super) struct Fault {
    pub(super) name: &'static str,
    /// What every report of it has to contain, and its kind.
    pub(super) cause: (&'static str, ErrorKind),
}

pub(super) fn options(run: &Run, protocol: Protocol) -> ClientOptions {
    let options = ClientOptions::builder().protocol(protocol);
    // The figures are those of the defaults, of which the longest wait is up to 2 s.
    let options = match run.is_long() {
        true => options,
        false => options
            .command_timeout(Duration::from_millis(500))
            .reconnect_delay(Duration::from_millis(100)),
    };
    options.build().unwrap()
}

/// Kills every connection but the admin's.
pub(super) fn cut(server: &TestServer) {
    server.run(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
}

/// Brings the fault about under two connected clients, and shows that they name it and, once it is cured,
/// work again by themselves.
pub(super) fn cured(
    run: &Run,
    fault: &Fault,
    url: &str,
    bring: impl FnOnce(),
    cure: impl FnOnce(),
) {
    let manager = RedisManager::new().unwrap();
    let script = manager.load_script("patient").unwrap();
    let clients: [RedisCommandClient; 2] = PROTOCOLS.map(|protocol| {
        let options = options(run, protocol);
        manager.open_with(&script, url, options).unwrap()
    });
    let events = clients.each_ref().map(RedisCommandClient::events);
    bring();
    std::thread::scope(|scope| {
        let checks = clients.iter().zip(events).map(|(client, events)| {
            let check = || expect_named(fault, client, events);
            scope.spawn(check)
        });
        let checks: Vec<_> = checks.collect();
        checks.into_iter().for_each(|it| it.join().unwrap());
    });
    let curing = Instant::now();
    cure();
    let cured = Instant::now();
    std::thread::scope(|scope| {
        for (client, protocol) in clients.iter().zip(PROTOCOLS) {
            scope.spawn(move || {
                eventually("calls succeed", || {
                    client.commands().set::<_, _, ()>("k", 1).is_ok()
                });
                let took = cured.elapsed();
                run.report(
                    &format!("{}: cure to success ({protocol:?})", fault.name),
                    format!(
                        "{took:.1?} (≤ {BOUND:?}; the cure took {:.1?})",
                        cured - curing
                    ),
                );
                assert!(!run.is_long() || took <= BOUND, "{}: {took:?}", fault.name);
                assert_eq!(client.state(), ClientState::Connected);
                let ran: bool = client.commands().exists("never").unwrap();
                assert!(!ran, "{}: it was not sent", fault.name);
            });
        }
    });
    manager.shutdown().unwrap();
}

fn expect_named(fault: &Fault, client: &RedisCommandClient, mut events: EventStream) {
    let (name, (cause, kind)) = (fault.name, fault.cause);
    let mut seen = Vec::new();
    let deadline = Instant::now() + PATIENCE;
    loop {
        match events.try_recv() {
            Some(ClientEvent::ReconnectFailed { cause: told, .. })
                if told.message().contains(cause) =>
            {
                assert_eq!(told.kind(), kind, "{name}: {told}");
                break;
            }
            Some(event) => seen.push(event),
            None => std::thread::sleep(Duration::from_millis(2)),
        }
        assert!(Instant::now() < deadline, "{name} is not told: {seen:?}");
    }
    let lost = |event: &ClientEvent| match event {
        ClientEvent::Disconnected { cause } => cause.kind() == ErrorKind::Disconnected,
        _ => false,
    };
    assert!(seen.iter().any(lost), "{name}: {seen:?}");
    let deadline = client.client_options().command_timeout();
    let began = Instant::now();
    let outcome = client.commands().set::<_, _, ()>("never", 1);
    let error = Error::from(outcome.unwrap_err());
    assert!(began.elapsed() >= deadline, "{name}: {error}");
    assert_eq!(
        (error.kind(), error.delivery()),
        (ErrorKind::Timeout, Some(Delivery::NotSent)),
        "{name}: {error}"
    );
    let state = client.state().to_string();
    for told in [&state, &error.to_string(), &format!("{seen:?}")] {
        assert!(!told.contains("s3cret"), "{name}: {told}");
    }
    assert!(state.contains(cause), "{name}: the state is {state:?}");
    assert!(error.message().contains(cause), "{name}: {error}");
}
