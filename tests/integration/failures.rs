//! A server that stalls, and one that goes away, under open clients.

use std::time::Instant;

use redis_manager::prelude::*;
use redis_manager::redis::{self, Value, cmd, pipe};
use redis_manager::{ClientResources, Delivery, DisconnectedBehavior, OpenRedisClient, Protocol};
use redis_manager_support::{Reply, TestServer};

use crate::fixture::{Host, PATIENCE, PROTOCOLS, eventually};

fn open(host: &Host, server: &TestServer, protocol: Protocol) -> RedisCommandClient {
    let options = ClientOptions::builder()
        .protocol(protocol)
        .command_timeout(Duration::from_millis(200))
        .build();
    host.manager
        .open_with(&host.script, server.url(), options.unwrap())
        .unwrap()
}

#[test]
fn a_call_without_a_reply_is_a_timeout_that_may_have_run_and_later_replies_match() {
    let server = TestServer::start();
    for protocol in PROTOCOLS {
        let host = Host::new();
        let client = open(&host, &server, protocol);
        for index in 0..50 {
            let () = client.commands().set(format!("k{index}"), index).unwrap();
        }
        server.pause().unwrap();
        let began = Instant::now();
        let connection = client.connection();
        let errors = [
            Error::from(client.commands().get::<_, Value>("k1").unwrap_err()),
            Error::from(
                pollster::block_on(client.async_commands().get::<_, Value>("k2")).unwrap_err(),
            ),
            connection.request(cmd("GET").arg("k3")).unwrap_err(),
            connection
                .request_pipeline(pipe().get("k4").get("k5"))
                .unwrap_err(),
            connection
                .request_pipeline(pipe().atomic().get("k6").get("k7"))
                .unwrap_err(),
        ];
        assert!(
            began.elapsed() >= Duration::from_secs(1),
            "each had its time"
        );
        assert!(began.elapsed() < PATIENCE);
        server.resume().unwrap();
        for error in errors {
            assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
            assert_eq!(error.delivery(), Some(Delivery::Unknown));
            assert!(error.message().contains("200ms"), "{error}");
            assert!(error.command().is_some());
            assert!(redis::RedisError::from(error).is_timeout());
        }
        eventually("the server answers again", || {
            client.commands().get::<_, i64>("k0").is_ok()
        });
        for index in 0..50 {
            let key = format!("k{index}");
            assert_eq!(client.commands().get::<_, i64>(&key).unwrap(), index);
            let (twin,): (i64,) = pipe().get(&key).query(&mut client.commands()).unwrap();
            assert_eq!(twin, index);
        }
        assert_eq!(client.state(), ClientState::Connected);
    }
}

#[test]
fn calls_that_time_out_while_others_wait_longer_shift_no_reply() {
    let server = TestServer::builder().debug_commands().start_or_panic();
    for protocol in PROTOCOLS {
        let host = Host::new();
        let impatient = open(&host, &server, protocol);
        for index in 0..20 {
            let () = impatient
                .commands()
                .set(format!("k{index}"), index)
                .unwrap();
        }
        // Sleeps through the timeout of the calls that are behind it.
        let mut sleep = cmd("DEBUG");
        sleep.arg("SLEEP").arg("0.5");
        let late = sleep.exec(&mut impatient.commands()).unwrap_err();
        assert_eq!(Error::from(late).kind(), ErrorKind::Timeout);
        std::thread::scope(|scope| {
            for index in 0..20 {
                let client = &impatient;
                scope.spawn(move || {
                    eventually("an answer", || {
                        let answer = client.commands().get::<_, i64>(format!("k{index}"));
                        match answer {
                            Ok(value) => {
                                assert_eq!(value, index);
                                true
                            }
                            Err(error) => {
                                assert_eq!(Error::from(error).kind(), ErrorKind::Timeout);
                                false
                            }
                        }
                    });
                });
            }
        });
    }
}

#[test]
fn futures_that_are_dropped_shift_no_reply() {
    use futures_util::FutureExt;
    for protocol in PROTOCOLS {
        let host = Host::new();
        let client: RedisCommandClient = host.open(protocol);
        let key = crate::fixture::unique("key");
        for index in 0..200 {
            let () = client.commands().set(&key, index).unwrap();
            let mut commands = client.async_commands();
            // Polled once, and so perhaps sent.
            let _ = commands.incr::<_, _, Value>(&key, 1000).now_or_never();
            let echo: String = cmd("ECHO")
                .arg(index)
                .query(&mut client.commands())
                .unwrap();
            assert_eq!(echo, index.to_string());
        }
    }
}

#[test]
fn a_lost_connection_is_told_by_state_event_and_the_next_call_at_once() {
    for protocol in PROTOCOLS {
        let server = TestServer::start();
        let host = Host::new();
        let rejecting = ClientOptions::builder()
            .protocol(protocol)
            .disconnected_behavior(DisconnectedBehavior::Reject)
            .build()
            .unwrap();
        let client: RedisCommandClient = host
            .manager
            .open_with(&host.script, server.url(), rejecting.clone())
            .unwrap();
        let pubsub: RedisPubSubClient = host
            .manager
            .open_with(&host.script, server.url(), rejecting)
            .unwrap();
        let mut session = client.session().unwrap();
        let mut events = client.events();
        let mut pubsub_events = pubsub.events();
        assert_eq!(client.state(), ClientState::Connected);
        server.kill().unwrap();
        for events in [&mut events, &mut pubsub_events] {
            let mut told = None;
            eventually("the loss is told", || {
                told = events.try_recv();
                told.is_some()
            });
            match told {
                Some(ClientEvent::Disconnected { cause }) => {
                    assert_eq!(cause.kind(), ErrorKind::Disconnected);
                    let address = format!("127.0.0.1:{}", server.port());
                    assert!(cause.message().contains(&address), "{cause}");
                }
                other => panic!("{other:?}"),
            }
        }
        assert!(client.state().is_disconnected());
        assert!(pubsub.state().is_disconnected());
        let errors = [
            Error::from(client.commands().get::<_, Value>("k").unwrap_err()),
            Error::from(
                pollster::block_on(client.async_commands().get::<_, Value>("k")).unwrap_err(),
            ),
            Error::from(client.commands().blpop::<_, Value>("k", 1.0).unwrap_err()),
            Error::from(session.get::<_, Value>("k").unwrap_err()),
            client.session().map(drop).unwrap_err(),
            pubsub.publish("c", "m").unwrap_err(),
        ];
        for error in errors {
            assert_eq!(error.kind(), ErrorKind::Disconnected, "{error}");
            let delivery = error.delivery();
            assert_eq!(delivery, Some(Delivery::NotSent), "{error}");
        }
        // A client that lost its connection is closed as any other.
        assert!(host.manager.unload_script(&host.script).is_clean());
        assert_eq!(client.state(), ClientState::Closed);
    }
}

#[test]
fn a_call_in_flight_when_the_connection_is_lost_may_have_run() {
    for protocol in PROTOCOLS {
        let limit = ["--lua-time-limit", "1"];
        let server = TestServer::builder().args(limit).start_or_panic();
        let host = Host::new();
        let options = ClientOptions::builder().protocol(protocol).build().unwrap();
        let client: RedisCommandClient = host
            .manager
            .open_with(&host.script, server.url(), options)
            .unwrap();
        let mut commands = client.async_commands();
        let mut endless = cmd("EVAL");
        endless.arg("while true do end").arg(0);
        let mut call = std::pin::pin!(endless.query_async::<Value>(&mut commands));
        assert!(futures_util::FutureExt::now_or_never(call.as_mut()).is_none());
        eventually(
            "it runs",
            || matches!(server.command(&["PING"]), Ok(Reply::Error(busy)) if busy.starts_with("BUSY")),
        );
        server.kill().unwrap();
        let error = Error::from(pollster::block_on(call).unwrap_err());
        assert_eq!(error.kind(), ErrorKind::Disconnected, "{error:?}");
        assert_eq!(error.delivery(), Some(Delivery::Unknown));
        assert_eq!(error.command(), Some("EVAL"));
    }
}

#[test]
fn an_atomic_pipeline_whose_multi_is_refused_is_a_server_error_and_the_client_goes_on() {
    let server = TestServer::start();
    server.run(&["ACL", "SETUSER", "u", "on", ">pw", "~*", "+@all", "-multi"]);
    for protocol in PROTOCOLS {
        let host = Host::new();
        let options = ClientOptions::builder().protocol(protocol).build().unwrap();
        let url = format!("redis://u:pw@127.0.0.1:{}", server.port());
        let client: RedisCommandClient =
            host.manager.open_with(&host.script, url, options).unwrap();
        let error = pipe()
            .atomic()
            .set("k", 1)
            .exec(&mut client.commands())
            .unwrap_err();
        assert_eq!(Error::from(error).kind(), ErrorKind::Server);
        assert_eq!(client.state(), ClientState::Connected);
        let () = client.commands().set("k", 2).unwrap();
    }
}

#[test]
fn a_client_whose_resources_are_shut_down_says_so_and_hangs_nobody() {
    let resources = ClientResources::new().unwrap();
    let script = ScriptHandle::new("orphan");
    let uri = TestServer::shared().url().parse().unwrap();
    let client =
        RedisCommandClient::open(&script, uri, ClientOptions::default(), &resources).unwrap();
    resources.shutdown();
    eventually("the state tells", || {
        client
            .state()
            .to_string()
            .contains("resources are shut down")
    });
    let refused = client.commands().get::<_, Value>("k").unwrap_err();
    assert_eq!(Error::from(refused).delivery(), Some(Delivery::NotSent));
    client.session().unwrap_err();
}
