//! Credentials that change while clients follow a master that sentinels name.

use std::sync::Arc;
use std::sync::mpsc::channel;

use redis_manager::prelude::*;
use redis_manager::{ClientOptionsBuilder, Protocol};
use redis_manager_support::{ClientInfo, SentinelTrio, TestServer, Validity};

use crate::fixture::{Host, PATIENCE, PROTOCOLS, eventually};
use crate::reconnect::{open, options};
use crate::tls_fixture::{Certificates, HOSTS};

fn login(user: &str) -> Credentials {
    Credentials::new(format!("{user}'s")).with_username(user)
}

fn everywhere(trio: &SentinelTrio, arguments: &[&str]) {
    for server in trio.servers() {
        server.run(arguments);
    }
}

fn add(trio: &SentinelTrio, user: &str) {
    let password = format!(">{user}'s");
    let rules = ["on", "~*", "&*", "+@all", &password];
    everywhere(trio, &[&["ACL", "SETUSER", user][..], &rules].concat());
}

fn ours(host: &Host, server: &TestServer) -> Vec<ClientInfo> {
    let mut clients = server.clients().unwrap_or_default();
    clients.retain(|client| client.name == host.name);
    clients
}

/// Another login, and then another master: all goes on as the other user on both, and nobody comes as the one before.
#[track_caller]
fn expect_followed(
    trio: &SentinelTrio,
    protocol: Protocol,
    secured: impl Fn(ClientOptionsBuilder) -> ClientOptionsBuilder,
) {
    let host = Host::new();
    ["alice", "bob"].iter().for_each(|user| add(trio, user));
    let credentials = Arc::new(RotatingCredentials::new(login("alice")));
    let asking = || secured(options(protocol).credentials(credentials.clone()));
    let url = trio
        .url()
        .replace('#', &format!("?clientName={}#", host.name));
    let client: RedisCommandClient = open(&host, &url, asking());
    let pubsub: RedisPubSubClient = open(&host, &url, asking());
    let (sender, told) = channel();
    let listener = pubsub.listener(&*host.name).with_gaps();
    listener
        .register(move |event: &ListenerEvent| Ok(sender.send(event.clone())?))
        .unwrap();
    let () = client
        .session()
        .unwrap()
        .set("k", "of the session")
        .unwrap();
    let old = trio.primary();
    let before: Vec<_> = ours(&host, old).iter().map(|client| client.id).collect();
    credentials.set(login("bob"));
    let shared = |server: &TestServer| -> Vec<(u64, String)> {
        // A session's connection is not used again, and a RESP2 listener's stays as it is.
        let all = ours(&host, server).into_iter();
        all.map(|client| (client.id, client.user)).collect()
    };
    eventually("it is told on the connections that are there", || {
        let bobs = shared(old).into_iter().filter(|(_, user)| user == "bob");
        bobs.filter(|(id, _)| before.contains(id)).count() == 2
    });
    trio.begin_failover();
    eventually("another one is the master", || {
        trio.primary().port() != old.port()
    });
    eventually("calls succeed there", || {
        let new = trio.primary();
        client.commands().set::<_, _, ()>("k", "w").is_ok() && new.run(&["GET", "k"]).text() == "w"
    });
    let () = client.session().unwrap().set("k", "x").unwrap();
    eventually("it is heard", || {
        pubsub
            .publish(&*host.name, "m")
            .is_ok_and(|count| count == 1)
    });
    let mut gaps = 0;
    loop {
        match told.recv_timeout(PATIENCE).unwrap() {
            ListenerEvent::Gap(_) => gaps += 1,
            ListenerEvent::Message(message) => break assert_eq!(message.payload(), b"m"),
            other => panic!("{other:?}"),
        }
    }
    assert!(gaps > 0);
    let new = trio.primary();
    assert!(
        shared(new).iter().all(|(_, user)| user == "bob"),
        "{:?}",
        shared(new)
    );
    // And on the new one they hear of another login as well.
    credentials.set(login("alice"));
    eventually("it is told there too", || {
        shared(new)
            .iter()
            .filter(|(_, user)| user == "alice")
            .count()
            == 2
    });
    assert!(host.manager.unload_script(&host.script).is_clean());
    eventually("nobody is connected", || {
        trio.servers()
            .iter()
            .all(|server| ours(&host, server).is_empty())
    });
}

#[test]
fn another_login_is_told_to_the_master_of_the_moment_and_to_the_next_one() {
    let trio = SentinelTrio::start();
    for protocol in PROTOCOLS {
        trio.wait_until_whole();
        expect_followed(&trio, protocol, |options| options);
    }
}

#[test]
fn over_tls_it_is_as_well() {
    let certificates = Certificates::new(&HOSTS, Validity::Current);
    let trio = SentinelTrio::builder().tls(certificates.server());
    let Some(trio) = trio.start_with_tls() else {
        return;
    };
    expect_followed(&trio, Protocol::Auto, |options| {
        options.tls(certificates.trusting())
    });
}
