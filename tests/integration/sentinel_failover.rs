//! Another master, while the one before lives or comes back.

use std::sync::mpsc::channel;

use redis_manager::prelude::*;
use redis_manager::{EventStream, Protocol};
use redis_manager_support::{SentinelTrio, TestSentinel, TestServer};

use crate::fixture::{Host, PATIENCE, eventually};
use crate::reconnect::{expect_event, open, options};
use crate::sentinel::url;

const NAME: &str = "followed";

fn named_url(trio: &SentinelTrio) -> String {
    trio.url().replace('#', &format!("?clientName={NAME}#"))
}

fn connections(server: &TestServer) -> usize {
    let clients = server.clients().unwrap();
    clients.iter().filter(|client| client.name == NAME).count()
}

/// Not those of the sentinels, who would take it for down.
fn kill_ours(server: &TestServer) {
    let ours = server.clients().unwrap().into_iter();
    for client in ours.filter(|client| client.name == NAME) {
        server.run(&["CLIENT", "KILL", "ID", &client.id.to_string()]);
    }
}

/// Waits until the client has left a server that did not hang up.
#[track_caller]
fn expect_moved(events: &mut EventStream) {
    expect_event(events, "it moves", |event| match event {
        ClientEvent::Disconnected { cause } => {
            let message = cause.message();
            let is_move = message.contains("the sentinels have another master: 127.0.0.1:");
            assert!(is_move, "{message}");
            true
        }
        _ => false,
    });
}

#[test]
fn all_clients_follow_to_another_master_although_the_one_before_lives() {
    let (trio, host) = (SentinelTrio::start(), Host::new());
    let url = named_url(&trio);
    let open_shared = || {
        let options = options(Protocol::Auto).shared(true);
        open::<RedisCommandClient>(&host, &url, options)
    };
    let alone: RedisCommandClient = open(&host, &url, options(Protocol::Resp2));
    let shared = [open_shared(), open_shared()];
    let pubsub: RedisPubSubClient = open(&host, &url, options(Protocol::Auto));
    let (sender, told) = channel();
    let listener = pubsub.listener("c").with_gaps();
    listener
        .register(move |event: &ListenerEvent| Ok(sender.send(event.clone())?))
        .unwrap();
    let mut session = alone.session().unwrap();
    let () = session.set("k", "of the session").unwrap();
    let old = trio.primary();
    let at = |server: &TestServer| format!("127.0.0.1:{} (master main)", server.port());
    assert_eq!(alone.snapshot().address, at(old));
    std::thread::scope(|scope| {
        let popping = scope.spawn(|| {
            let popped: Result<(String, String), _> = alone.commands().blpop("list", 0.0);
            Error::from(popped.unwrap_err())
        });
        eventually("it waits in BLPOP", || {
            let clients = old.clients().unwrap();
            clients.iter().any(|client| client.cmd == "blpop")
        });
        let mut events: Vec<_> = shared.iter().map(|client| client.events()).collect();
        events.extend([alone.events(), pubsub.events()]);
        trio.begin_failover();
        events.iter_mut().for_each(expect_moved);
        let error = popping.join().unwrap();
        assert_eq!(error.kind(), ErrorKind::Disconnected, "{error}");
        assert_eq!(error.delivery(), Some(redis_manager::Delivery::Unknown));
    });
    assert!(old.is_running());
    let () = alone.commands().set("a", "1").unwrap();
    for client in &shared {
        let () = client.commands().set("b", "1").unwrap();
    }
    let gone = session.get::<_, String>("k").unwrap_err();
    assert_eq!(Error::from(gone).kind(), ErrorKind::Disconnected);
    drop(session);
    let () = alone.session().unwrap().set("c", "1").unwrap();
    let new = trio.primary();
    assert_ne!(new.port(), old.port());
    for key in ["a", "b", "c"] {
        assert_eq!(new.run(&["GET", key]).text(), "1");
    }
    assert_eq!(alone.snapshot().address, at(new));
    // A server that is made a replica meanwhile may have other things to do.
    eventually("nobody is on the old one", || connections(old) == 0);
    match told.recv_timeout(PATIENCE).unwrap() {
        ListenerEvent::Gap(gap) => assert!(gap.since <= gap.until),
        other => panic!("{other:?}"),
    }
    // The sentinels end the connections of a server that they make a replica or a master, so there may be another gap.
    eventually("it is heard", || {
        pubsub.publish("c", "m").is_ok_and(|count| count == 1)
    });
    let is_message = |event: ListenerEvent| match event {
        ListenerEvent::Message(message) => Some(message),
        ListenerEvent::Gap(_) => None,
        other => panic!("{other:?}"),
    };
    let mut events = std::iter::from_fn(|| told.recv_timeout(PATIENCE).ok());
    assert_eq!(events.find_map(is_message).unwrap().payload(), b"m");
    assert!(host.manager.unload_script(&host.script).is_clean());
    assert_eq!(connections(new), 0);
}

#[test]
fn a_master_that_comes_back_as_a_replica_gets_no_writes() {
    let (trio, host) = (SentinelTrio::start(), Host::new());
    let url = named_url(&trio);
    let client: RedisCommandClient = open(&host, &url, options(Protocol::Auto));
    let old = trio.primary();
    old.kill().unwrap();
    // The first call may still go to the one that was killed.
    eventually("calls succeed", || {
        client.commands().set::<_, _, ()>("k", "1").is_ok()
    });
    let new = trio.primary();
    // As a master, which it is until the sentinels notice.
    old.restart().unwrap();
    kill_ours(new);
    let () = client.commands().set("k", "2").unwrap();
    let opened: RedisCommandClient = open(&host, &url, options(Protocol::Auto));
    let () = opened.commands().set("l", "2").unwrap();
    assert_eq!(connections(old), 0);
    trio.wait_until_whole();
    kill_ours(new);
    for client in [&client, &opened] {
        let () = client.commands().set("k", "3").unwrap();
    }
    assert_eq!(new.run(&["GET", "k"]).text(), "3");
    assert_eq!(new.run(&["GET", "l"]).text(), "2");
    assert_eq!(connections(old), 0);
}

#[test]
fn every_sentinel_is_listened_to_and_any_one_that_is_left_tells() {
    let (trio, host) = (SentinelTrio::start(), Host::new());
    let client: RedisCommandClient = open(&host, named_url(&trio), options(Protocol::Auto));
    let listeners = |sentinel: &TestSentinel| sentinel.clients().map_or(0, |all| all.len());
    eventually("each has one listener", || {
        trio.sentinels().iter().all(|one| listeners(one) == 1)
    });
    trio.sentinels()[0].kill().unwrap();
    let mut events = client.events();
    trio.begin_failover();
    expect_moved(&mut events);
    let () = client.commands().set("k", "v").unwrap();
    // The client may hear of it before the sentinels name another one.
    eventually("the new master has it", || {
        trio.primary().run(&["GET", "k"]).text() == "v"
    });
}

#[test]
fn a_client_that_does_not_reconnect_leaves_a_master_that_is_none_any_more() {
    let (trio, host) = (SentinelTrio::start(), Host::new());
    let options = options(Protocol::Auto).auto_reconnect(false);
    let client: RedisCommandClient = open(&host, named_url(&trio), options);
    let mut events = client.events();
    eventually("the sentinels are listened to", || {
        let mut sentinels = trio.sentinels().iter();
        sentinels.all(|sentinel| !sentinel.clients().unwrap().is_empty())
    });
    trio.begin_failover();
    expect_moved(&mut events);
    let refused: Result<(), _> = client.commands().set("k", "v");
    let refused = Error::from(refused.unwrap_err());
    assert_eq!(refused.kind(), ErrorKind::Disconnected, "{refused}");
}

/// How many connections the sentinels have taken.
fn taken(trio: &SentinelTrio) -> u64 {
    let of = |sentinel: &TestSentinel| {
        let stats = sentinel.command(&["INFO", "stats"]).unwrap().text();
        let mut lines = stats.lines();
        let taken = lines.find_map(|it| it.strip_prefix("total_connections_received:"));
        taken.unwrap().parse::<u64>().unwrap()
    };
    trio.sentinels().iter().map(of).sum()
}

#[test]
fn clients_that_lose_the_master_at_the_same_time_do_not_ask_the_sentinels_each() {
    const CLIENTS: usize = 200;
    let (trio, host) = (SentinelTrio::start(), Host::new());
    let open = |_| open(&host, named_url(&trio), options(Protocol::Auto));
    let clients: Vec<RedisCommandClient> = (0..CLIENTS).map(open).collect();
    let primary = trio.primary();
    let before = taken(&trio);
    kill_ours(primary);
    eventually("all are back", || connections(primary) == CLIENTS);
    let asked = taken(&trio) - before;
    assert!((1..=CLIENTS as u64 / 2).contains(&asked), "{asked}");
    assert!(
        clients
            .iter()
            .all(|client| client.snapshot().reconnects == 1)
    );
}

/// Sentinels are few, and one that accepts and is silent holds up every opening.
#[test]
fn a_silent_sentinel_takes_its_share_of_the_time_and_no_more() {
    let (server, host) = (TestServer::start(), Host::new());
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let knowing = crate::sentinel::knowing(&server);
    let port = silent.local_addr().unwrap().port();
    let url = url(&[&knowing], "#main").replace("://", &format!("://127.0.0.1:{port},"));
    let options = options(Protocol::Auto).connect_timeout(Duration::from_secs(3));
    let client: RedisCommandClient = open(&host, &url, options);
    let () = client.commands().set("k", "v").unwrap();
    assert_eq!(server.run(&["GET", "k"]).text(), "v");
}
