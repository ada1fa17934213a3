//! Connections of the pools that nobody has used for a while, when their server says nothing.

use std::time::Instant;

use redis_manager::prelude::*;
use redis_manager::redis::Value;
use redis_manager::{ClientSnapshot, Protocol};
use redis_manager_support::TestServer;

use crate::fixture::{Host, PATIENCE, PROTOCOLS, eventually};
use crate::reconnect::{NOT_SENT, open, options, verdict};

const MANY: usize = 16;
const SHORT: Duration = Duration::from_millis(500);

/// A client that has so many idle connections for sessions and for blocking calls, none of them used lately.
fn with_idle_connections(
    host: &Host,
    server: &TestServer,
    protocol: Protocol,
) -> RedisCommandClient {
    let options = options(protocol)
        .command_timeout(SHORT)
        .heartbeat(None)
        .session_pool_size(MANY)
        .blocking_pool_size(MANY);
    let client: RedisCommandClient = open(host, server.url(), options);
    let sessions: Vec<_> = (0..MANY).map(|_| client.session().unwrap()).collect();
    drop(sessions);
    std::thread::scope(|threads| {
        for _ in 0..MANY {
            threads.spawn(|| client.commands().blpop::<_, Value>("list", 0.0).unwrap());
        }
        eventually("all wait", || client.snapshot().blocking.out == MANY);
        for _ in 0..MANY {
            server.run(&["RPUSH", "list", "x"]);
        }
    });
    let idle = |snapshot: &ClientSnapshot| (snapshot.sessions.idle, snapshot.blocking.idle);
    assert_eq!(idle(&client.snapshot()), (MANY, MANY));
    eventually("nobody has used them lately", || {
        let clients = server.clients().unwrap();
        let idle = clients
            .iter()
            .filter_map(|it| it.field("idle")?.parse().ok());
        idle.filter(|seconds: &u64| *seconds >= 2).count() >= 2 * MANY
    });
    client
}

#[test]
fn they_are_not_asked_one_after_the_other_whether_their_server_is_there() {
    for protocol in PROTOCOLS {
        let (server, host) = (TestServer::start(), Host::new());
        let client = with_idle_connections(&host, &server, protocol);
        server.pause().unwrap();
        for _ in 0..2 {
            let began = Instant::now();
            let too_late = (ErrorKind::Timeout, NOT_SENT);
            assert_eq!(verdict(client.session()), too_late);
            assert_eq!(
                verdict(client.commands().blpop::<_, Value>("list", 0.1)),
                too_late
            );
            assert!(began.elapsed() < PATIENCE / 4, "{:?}", began.elapsed());
        }
        // None of those that are as old as the one that was silent.
        let snapshot = client.snapshot();
        assert_eq!((snapshot.sessions.idle, snapshot.blocking.idle), (0, 0));
        server.resume().unwrap();
        eventually("it is there again", || client.session().is_ok());
        client.commands().blpop::<_, Value>("list", 0.01).unwrap();
    }
}
