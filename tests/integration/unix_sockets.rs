//! Everything over a Unix socket, also after the server has made it anew.
#![cfg(unix)]

use std::path::Path;
use std::sync::mpsc;

use redis_manager::prelude::*;
use redis_manager::redis::pipe;
use redis_manager_support::TestServer;

use crate::fixture::{Host, PATIENCE, PROTOCOLS, eventually};
use crate::listening::subscribers_of;
use crate::reconnect::{expect_connected, expect_lost, open, options};

fn url(path: &Path) -> String {
    format!("redis-socket://{}", path.display())
}

#[test]
fn sessions_transactions_blocking_commands_and_pipelines() {
    let server = TestServer::builder().unix_socket().start_or_panic();
    let url = url(&server.socket_path().unwrap());
    for protocol in PROTOCOLS {
        let host = Host::new();
        let client: RedisCommandClient = open(&host, &url, options(protocol));
        let mut session = client.session().unwrap();
        let (pushed,): (i64,) = session
            .transaction("list", |transaction| {
                transaction.queue().rpush("list", "a");
                Ok(())
            })
            .unwrap();
        assert_eq!(pushed, 1);
        let popped: Vec<String> = client.commands().blpop("list", 5.0).unwrap();
        assert_eq!(popped, ["list", "a"]);
        let mut pipeline = pipe();
        for number in 0..10_000 {
            pipeline.cmd("ECHO").arg(number);
        }
        let echoed: Vec<u32> = pipeline.query(&mut client.commands()).unwrap();
        assert!(echoed.into_iter().eq(0..10_000));
    }
}

#[test]
fn clients_and_subscriptions_come_back_to_the_socket_of_a_server_that_was_restarted() {
    for protocol in PROTOCOLS {
        let server = TestServer::builder().unix_socket().start_or_panic();
        let path = server.socket_path().unwrap();
        let url = url(&path);
        let host = Host::new();
        let client: RedisCommandClient = open(&host, &url, options(protocol));
        let pubsub: RedisPubSubClient = open(&host, &url, options(protocol));
        let (sender, heard) = mpsc::channel();
        pubsub
            .register_listener("c", move |message: &Message| {
                Ok(sender.send(message.payload().to_vec())?)
            })
            .unwrap();
        pubsub
            .register_pattern_listener("p*", |_: &Message| Ok(()))
            .unwrap();
        for round in 0..3 {
            let mut events = client.events();
            server.kill().unwrap();
            let cause = expect_lost(&mut events);
            assert!(
                cause.message().contains(&*path.to_string_lossy()),
                "{cause}"
            );
            server.restart().unwrap();
            expect_connected(&mut events);
            assert_eq!(client.commands().incr::<_, _, i64>("i", 1), Ok(1));
            let mut session = client.session().unwrap();
            assert_eq!(session.incr::<_, _, i64>("i", 1), Ok(2));
            eventually("it is subscribed again", || {
                subscribers_of(&server, "c") == 1
            });
            assert_eq!(pubsub.publish("c", round).unwrap(), 1);
            let payload = heard.recv_timeout(PATIENCE).unwrap();
            assert_eq!(payload, round.to_string().as_bytes());
        }
    }
}

#[test]
fn a_lazy_client_waits_for_the_socket() {
    for protocol in PROTOCOLS {
        let server = TestServer::builder().unix_socket().start_or_panic();
        let path = server.socket_path().unwrap();
        server.kill().unwrap();
        let host = Host::new();
        let options = || options(protocol).lazy_connect(true);
        let client: RedisCommandClient = open(&host, url(&path), options());
        let waiting = std::thread::spawn({
            let mut commands = client.commands();
            move || commands.incr::<_, _, i64>("i", 1)
        });
        eventually("the path is told", || match client.state() {
            ClientState::Disconnected { cause } => {
                cause.kind() == ErrorKind::Connect
                    && cause.message().contains(&*path.to_string_lossy())
            }
            _ => false,
        });
        server.restart().unwrap();
        assert_eq!(waiting.join().unwrap(), Ok(1));
    }
}

#[test]
fn a_file_that_is_no_socket_is_told_with_its_path() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("no.sock");
    std::fs::write(&path, "text").unwrap();
    let host = Host::new();
    for kind in [ClientType::Command, ClientType::PubSub] {
        let open = host
            .manager
            .open_redis_client(&host.script, kind, url(&path));
        let error = open.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connect);
        assert!(error.message().contains("no.sock"), "{error}");
    }
}
