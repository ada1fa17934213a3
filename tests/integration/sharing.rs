//! Clients with the option `shared` have one connection together, and each is as if it had its own.

use std::thread;

use redis_manager::prelude::*;
use redis_manager::redis::cmd;
use redis_manager::{ClientOptionsBuilder, ClientState, OpenRedisClient, Protocol};
use redis_manager_support::TestServer;

use crate::fixture::{Host, PATIENCE, PROTOCOLS, eventually, unique};
use crate::reconnect::{expect_connected, expect_lost, kill_connections, options};

/// Options of a client that shares, and does not take long to come back.
pub(crate) fn sharing(protocol: Protocol) -> ClientOptionsBuilder {
    options(protocol).shared(true)
}

/// A client of a script of its own.
pub(crate) fn open_for_another<C>(
    host: &Host,
    url: &str,
    options: ClientOptionsBuilder,
) -> (ScriptHandle, C)
where
    C: OpenRedisClient + Into<AnyClient>,
{
    let script = host.manager.load_script(unique("script")).unwrap();
    let client = host
        .manager
        .open_with(&script, url, options.build().unwrap())
        .unwrap();
    (script, client)
}

fn answers(client: &RedisCommandClient) -> bool {
    let echoed = client.client_id().to_string();
    let answer: String = cmd("ECHO")
        .arg(&echoed)
        .query(&mut client.commands())
        .unwrap();
    answer == echoed
}

#[test]
fn a_hundred_scripts_have_one_connection_and_one_more_that_subscribes() {
    for (protocol, sockets) in [(Protocol::Resp2, 2), (Protocol::Resp3, 1)] {
        let host = Host::new();
        let at_rest = host.manager.resources().alive_tasks();
        let open = |_| -> (ScriptHandle, RedisCommandClient) {
            open_for_another(&host, &host.url(), sharing(protocol))
        };
        let clients: Vec<_> = (0..100).map(open).collect();
        host.expect_connections(1);
        assert!(clients.iter().all(|(_, client)| answers(client)));
        let listeners: Vec<(ScriptHandle, RedisPubSubClient)> = clients
            .iter()
            .map(|(script, _)| {
                let client =
                    host.manager
                        .open_with(script, host.url(), sharing(protocol).build().unwrap());
                (script.clone(), client.unwrap())
            })
            .collect();
        host.expect_connections(1 + sockets);
        for (script, client) in &listeners {
            assert_eq!(client.publish("nobody", "x").unwrap(), 0);
            assert!(host.manager.unload_script(script).is_clean());
        }
        host.expect_connections(0);
        eventually("no task is left", || {
            host.manager.resources().alive_tasks() == at_rest
        });
    }
}

#[test]
fn what_differs_in_anything_is_not_shared() {
    let server = TestServer::builder().password("p@ss").start_or_panic();
    server.run(&[
        "ACL", "SETUSER", "other", "on", ">word", "+@all", "~*", "&*",
    ]);
    let host = Host::new();
    let url = server.url_with_password();
    let address = server.url().replace("redis://", "");
    let other = format!("redis://other:word@{address}");
    let open = |url: &str, options| -> (ScriptHandle, RedisCommandClient) {
        open_for_another(&host, url, options)
    };
    let usual = || sharing(Protocol::Auto);
    let mut expected = 0;
    for (url, options) in [
        (url.clone(), usual()),
        (other, usual()),
        (format!("{url}/3"), usual()),
        (format!("{url}?clientName=a"), usual()),
        (url.clone(), usual().command_timeout(Duration::from_secs(7))),
        (url.clone(), usual().session_pool_size(3)),
    ] {
        let (_, first) = open(&url, options.clone());
        expected += 1;
        assert_eq!(server.clients().unwrap().len(), expected, "{url}");
        let (_, second) = open(&url, options.clone());
        assert_eq!(server.clients().unwrap().len(), expected, "{url}");
        assert!(answers(&first) && answers(&second));
        // Who does not ask for it does not share.
        let (script, _) = open(&url, options.shared(false));
        assert_eq!(server.clients().unwrap().len(), expected + 1);
        let _ = host.manager.unload_script(&script);
        eventually("its connection is gone", || {
            server.clients().unwrap().len() == expected
        });
    }
    // Not even to a wrong password does the connection of another open.
    let script = host.manager.load_script(unique("script")).unwrap();
    let wrong = url.replace("p%40ss", "wrong");
    assert_ne!(wrong, url);
    let options = usual().build().unwrap();
    let refused = host
        .manager
        .open_with::<RedisCommandClient>(&script, wrong, options);
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Authentication);
}

#[test]
fn a_loss_is_told_to_every_client_and_so_is_its_end() {
    for protocol in PROTOCOLS {
        let (server, host) = (TestServer::start(), Host::new());
        let open = |_| -> (ScriptHandle, RedisCommandClient) {
            open_for_another(&host, &server.url(), sharing(protocol))
        };
        let clients: Vec<_> = (0..20).map(open).collect();
        let mut events: Vec<_> = clients.iter().map(|(_, client)| client.events()).collect();
        kill_connections(&server);
        for ((_, client), events) in clients.iter().zip(&mut events) {
            let cause = expect_lost(events);
            assert_eq!(cause.client_id(), Some(client.client_id()));
            expect_connected(events);
            assert_eq!(client.state(), ClientState::Connected);
            assert!(answers(client));
        }
        assert_eq!(server.clients().unwrap().len(), 1, "theirs");
        // Who opens while it is lost waits for it, and is told why if it does not come.
        server.kill().unwrap();
        for events in &mut events {
            expect_lost(events);
        }
        let script = host.manager.load_script(unique("script")).unwrap();
        let options = sharing(protocol).build().unwrap();
        let late = host
            .manager
            .open_with::<RedisCommandClient>(&script, server.url(), options);
        assert_eq!(late.unwrap_err().kind(), ErrorKind::Connect);
        server.restart().unwrap();
        for events in &mut events {
            expect_connected(events);
        }
        open(0);
        let (script, client) = &clients[0];
        let _ = host.manager.unload_script(script);
        assert_eq!(client.state(), ClientState::Closed);
        assert!(clients[1..].iter().all(|(_, client)| answers(client)));
    }
}

#[test]
fn openings_on_a_server_that_is_down_fail_with_the_cause_and_leave_nothing() {
    let (server, host) = (TestServer::start(), Host::new());
    let at_rest = host.manager.resources().alive_tasks();
    server.kill().unwrap();
    let (manager, url) = (&host.manager, server.url());
    thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| {
                let script = manager.load_script(unique("script")).unwrap();
                let options = sharing(Protocol::Auto).build().unwrap();
                let failed = manager.open_with::<RedisCommandClient>(&script, &*url, options);
                assert_eq!(failed.unwrap_err().kind(), ErrorKind::Connect);
            });
        }
    });
    eventually("no task is left", || {
        manager.resources().alive_tasks() == at_rest
    });
    // The lazy ones wait.
    let lazy = || sharing(Protocol::Auto).lazy_connect(true);
    let clients: Vec<(_, RedisCommandClient)> = (0..20)
        .map(|_| open_for_another(&host, &url, lazy()))
        .collect();
    assert!(
        clients
            .iter()
            .all(|(_, client)| client.state() == ClientState::Idle)
    );
    thread::scope(|scope| {
        let calls: Vec<_> = clients
            .iter()
            .map(|(_, client)| scope.spawn(|| answers(client)))
            .collect();
        eventually("they know that the server is down", || {
            clients
                .iter()
                .all(|(_, client)| client.state().is_disconnected())
        });
        server.restart().unwrap();
        assert!(calls.into_iter().all(|call| call.join().unwrap()));
    });
    assert_eq!(server.clients().unwrap().len(), 1, "theirs");
}

#[test]
fn an_opening_that_is_given_up_takes_no_other_along() {
    let (server, host) = (TestServer::start(), Host::new());
    let at_rest = host.manager.resources().alive_tasks();
    let url = server.url();
    server.pause().unwrap();
    let options = sharing(Protocol::Auto).build().unwrap();
    let opening = |script: &ScriptHandle| {
        let (manager, script) = (host.manager.clone(), script.clone());
        let (url, options) = (url.clone(), options.clone());
        thread::spawn(move || manager.open_with::<RedisCommandClient>(&script, url, options))
    };
    let scripts: Vec<_> = (0..3)
        .map(|_| host.manager.load_script(unique("script")).unwrap())
        .collect();
    let first = opening(&scripts[0]);
    eventually("it connects", || {
        host.manager.resources().alive_tasks() > at_rest
    });
    let others: Vec<_> = scripts[1..].iter().map(opening).collect();
    let _ = host.manager.unload_script(&scripts[0]);
    let refused = first.join().unwrap().unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ScriptUnloaded);
    server.resume().unwrap();
    let clients: Vec<_> = others
        .into_iter()
        .map(|other| other.join().unwrap().unwrap())
        .collect();
    assert!(clients.iter().all(answers));
    assert_eq!(server.clients().unwrap().len(), 1, "theirs");

    // And where nobody waits any more, nothing goes on.
    server.pause().unwrap();
    for script in &scripts[1..] {
        let _ = host.manager.unload_script(script);
    }
    let script = host.manager.load_script(unique("script")).unwrap();
    let last = opening(&script);
    eventually("it connects", || {
        host.manager.resources().alive_tasks() > at_rest
    });
    let _ = host.manager.unload_script(&script);
    assert!(last.join().unwrap().is_err());
    eventually("no task is left", || {
        host.manager.resources().alive_tasks() == at_rest
    });
    server.resume().unwrap();
}

#[test]
fn openings_that_race_closings_have_a_connection_each_time() {
    let host = Host::new();
    let at_rest = host.manager.resources().alive_tasks();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..200 {
                    let (script, client): (_, RedisCommandClient) =
                        open_for_another(&host, &host.url(), sharing(Protocol::Auto));
                    assert!(answers(&client));
                    assert!(host.manager.unload_script(&script).is_clean());
                    let error = client.connection().request(&cmd("PING")).unwrap_err();
                    assert_eq!(error.kind(), ErrorKind::Closed);
                }
            });
        }
    });
    host.expect_connections(0);
    eventually("no task is left", || {
        host.manager.resources().alive_tasks() == at_rest
    });
}

#[test]
fn a_connection_that_is_made_no_more_is_shared_no_more() {
    let (server, host) = (TestServer::start(), Host::new());
    let once = || sharing(Protocol::Auto).auto_reconnect(false);
    let (_, old): (_, RedisCommandClient) = open_for_another(&host, &server.url(), once());
    let mut events = old.events();
    kill_connections(&server);
    expect_lost(&mut events);
    eventually("it is given up", || {
        old.connection().request(&cmd("PING")).is_err()
    });
    let (_, new): (_, RedisCommandClient) = open_for_another(&host, &server.url(), once());
    assert!(answers(&new));
    let error = old.connection().request(&cmd("PING")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Disconnected);
}

#[test]
fn sessions_and_blocking_calls_leave_it_by_themselves() {
    let host = Host::new();
    let open = || -> (ScriptHandle, RedisCommandClient) {
        open_for_another(&host, &host.url(), sharing(Protocol::Auto))
    };
    let ((script, one), (_, other)) = (open(), open());
    let key = unique("list");
    thread::scope(|scope| {
        let blocked = scope.spawn(|| -> Vec<String> {
            let mut pop = cmd("BLPOP");
            pop.arg(&key).arg(PATIENCE.as_secs());
            pop.query(&mut one.commands()).unwrap()
        });
        host.expect_connections(2);
        assert!(answers(&other), "nobody is held up");
        let mut session = other.session().unwrap();
        let _: () = cmd("SELECT").arg(5).query(&mut session).unwrap();
        let _: () = cmd("RPUSH")
            .arg(&key)
            .arg("x")
            .query(&mut other.commands())
            .unwrap();
        assert_eq!(blocked.join().unwrap(), [key.as_str(), "x"]);
    });
    let _ = host.manager.unload_script(&script);
    host.expect_connections(1);
    assert!(answers(&other));
}

#[test]
fn nobody_changes_or_holds_up_a_connection_that_others_share() {
    let host = Host::new();
    let open = || -> (ScriptHandle, RedisCommandClient) {
        open_for_another(&host, &host.url(), sharing(Protocol::Resp3))
    };
    let ((_, one), (_, other)) = (open(), open());
    for line in ["SELECT 1", "MULTI", "BLPOP nothing 1", "WATCH key"] {
        let mut words = line.split(' ');
        let mut command = redis::cmd(words.next().unwrap());
        command.arg(words.collect::<Vec<_>>());
        let sent = pollster::block_on(one.connection().request_routed(&command));
        assert_eq!(sent.unwrap_err().kind(), ErrorKind::Refused, "{line}");
        let mut pipeline = redis::pipe();
        pipeline.add_command(command);
        let sent = pollster::block_on(one.connection().request_pipeline_routed(&pipeline));
        assert_eq!(sent.unwrap_err().kind(), ErrorKind::Refused, "{line}");
    }
    assert!(answers(&other));
}
