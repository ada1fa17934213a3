//! The connections behind sessions and blocking commands: made when they are needed, given up when they
//! are in doubt, and with the limits of all others.

use std::time::Instant;

use redis_manager::prelude::*;
use redis_manager::redis::Value;
use redis_manager::{Delivery, DisconnectedBehavior};
use redis_manager_support::TestServer;

use crate::fixture::{Host, PROTOCOLS, eventually};
use crate::reconnect::{NOT_SENT, expect_lost, kill_connections, open, options, verdict};

#[test]
fn a_reply_that_is_too_large_ends_the_connection_of_a_session_and_no_other() {
    for protocol in PROTOCOLS {
        let (server, host) = (TestServer::start(), Host::new());
        let options = options(protocol).max_reply_size(10_000);
        let client: RedisCommandClient = open(&host, server.url(), options);
        client
            .commands()
            .set::<_, _, ()>("large", vec![b'x'; 20_000])
            .unwrap();
        client
            .commands()
            .rpush::<_, _, ()>("list", vec![b'x'; 20_000])
            .unwrap();
        let mut session = client.session().unwrap();
        let error = Error::from(session.get::<_, Value>("large").unwrap_err());
        assert!(error.message().contains("10000"), "{error}");
        assert_eq!(error.delivery(), Some(Delivery::Unknown));
        let error = Error::from(
            client
                .commands()
                .blpop::<_, Value>("list", 1.0)
                .unwrap_err(),
        );
        assert!(error.message().contains("10000"), "{error}");
        drop(session);
        client
            .session()
            .unwrap()
            .set::<_, _, ()>("small", 1)
            .unwrap();
        assert_eq!(client.commands().get("small"), Ok(1));
        assert_eq!(client.state(), ClientState::Connected);
    }
}

#[test]
fn a_connection_that_was_lost_in_the_pool_is_not_handed_out() {
    for protocol in PROTOCOLS {
        let (server, host) = (TestServer::start(), Host::new());
        let client: RedisCommandClient = open(&host, server.url(), options(protocol));
        client.session().unwrap().set::<_, _, ()>("k", 1).unwrap();
        client.commands().blpop::<_, Value>("none", 0.01).unwrap();
        let mut events = client.events();
        kill_connections(&server);
        expect_lost(&mut events);
        // That of the client goes on; those of the pools are over.
        let tasks = || host.manager.resources().alive_tasks();
        eventually("their loss is noticed", || tasks() == 1);
        assert_eq!(client.session().unwrap().get("k"), Ok(1));
        client.commands().blpop::<_, Value>("none", 0.01).unwrap();
    }
}

#[test]
fn sessions_and_blocking_calls_wait_for_a_server_that_is_gone_as_all_calls_do() {
    for protocol in PROTOCOLS {
        let (server, host) = (TestServer::start(), Host::new());
        let client: RedisCommandClient = open(&host, server.url(), options(protocol));
        let mut events = client.events();
        server.kill().unwrap();
        expect_lost(&mut events);
        std::thread::scope(|threads| {
            let session = threads.spawn(|| client.session().unwrap().get::<_, Option<i64>>("k"));
            let pop = threads.spawn(|| client.commands().blpop::<_, Value>("list", 0.0));
            server.restart().unwrap();
            assert_eq!(session.join().unwrap(), Ok(None));
            client.commands().rpush::<_, _, ()>("list", "x").unwrap();
            assert!(matches!(pop.join().unwrap(), Ok(Value::Array(_))));
        });
    }
}

#[test]
fn they_fail_by_the_one_deadline_and_say_what_they_waited_for() {
    for protocol in PROTOCOLS {
        let (server, host) = (TestServer::start(), Host::new());
        let short = options(protocol).command_timeout(Duration::from_millis(300));
        let client: RedisCommandClient = open(&host, server.url(), short);
        let mut events = client.events();
        server.kill().unwrap();
        expect_lost(&mut events);
        type Call<'a> = &'a dyn Fn() -> Error;
        let pop = || client.commands().blpop::<_, Value>("list", 0.0);
        let calls: [Call<'_>; 2] = [&|| client.session().unwrap_err(), &|| {
            pop().unwrap_err().into()
        }];
        for call in calls {
            let began = Instant::now();
            let error = call();
            assert!(began.elapsed() >= Duration::from_millis(300), "too early");
            assert_eq!(
                verdict::<()>(Err(error.clone())),
                (ErrorKind::Timeout, NOT_SENT)
            );
            assert!(error.message().contains("Connection refused"), "{error}");
        }
    }
}

#[test]
fn they_fail_at_once_where_calls_do_not_wait() {
    for protocol in PROTOCOLS {
        let (server, host) = (TestServer::start(), Host::new());
        let rejecting = options(protocol).disconnected_behavior(DisconnectedBehavior::Reject);
        let client: RedisCommandClient = open(&host, server.url(), rejecting);
        let mut events = client.events();
        server.kill().unwrap();
        expect_lost(&mut events);
        let refused = (ErrorKind::Disconnected, NOT_SENT);
        assert_eq!(verdict(client.session()), refused);
        assert_eq!(
            verdict(client.commands().blpop::<_, Value>("list", 0.0)),
            refused
        );
    }
}

#[test]
fn they_end_with_their_client_also_while_they_are_out() {
    for protocol in PROTOCOLS {
        let (server, host) = (TestServer::start(), Host::new());
        let client: RedisCommandClient = open(&host, server.url(), options(protocol));
        let mut out = client.session().unwrap();
        drop(client.session().unwrap());
        client.commands().blpop::<_, Value>("none", 0.01).unwrap();
        eventually("all are there", || server.clients().unwrap().len() >= 4);
        let report = client.close();
        assert_eq!(report.commands_cut_off(), 0, "{report}");
        eventually("all are gone", || server.clients().unwrap().is_empty());
        assert_eq!(
            verdict(out.get::<_, i64>("k")),
            (ErrorKind::Closed, NOT_SENT)
        );
    }
}

#[test]
fn those_that_wait_are_bounded_and_have_certainly_not_run_when_their_client_closes() {
    for protocol in PROTOCOLS {
        let (server, host) = (TestServer::start(), Host::new());
        let options = options(protocol)
            .request_queue_size(2)
            .shutdown_timeout(Duration::ZERO);
        let client: RedisCommandClient = open(&host, server.url(), options);
        let mut events = client.events();
        server.kill().unwrap();
        expect_lost(&mut events);
        std::thread::scope(|threads| {
            let calls: Vec<_> = (0..3)
                .map(|_| {
                    threads.spawn(|| verdict(client.commands().blpop::<_, Value>("list", 0.0)))
                })
                .collect();
            eventually("one finds no place", || {
                calls.iter().any(|call| call.is_finished())
            });
            client.close();
            let mut verdicts: Vec<_> = calls.into_iter().map(|call| call.join().unwrap()).collect();
            verdicts.sort_by_key(|(kind, _)| *kind == ErrorKind::Closed);
            assert_eq!(verdicts[0], (ErrorKind::QueueFull, NOT_SENT));
            assert_eq!(verdicts[1], (ErrorKind::Closed, NOT_SENT));
            assert_eq!(verdicts[2], (ErrorKind::Closed, NOT_SENT));
        });
    }
}
