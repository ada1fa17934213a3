//! Passwords and users that not all of several servers know: who refuses is named, in time, and the password is in no text.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Instant;

use redis_manager::prelude::*;
use redis_manager::redis::{Value, cmd};
use redis_manager::{ClientOptionsBuilder, Protocol};
use redis_manager_support::{TestCluster, TestSentinel, TestServer};

use crate::cluster_fixture::{expect_unloaded, key_of_each, named};
use crate::fixture::{Host, PATIENCE, PROTOCOLS, eventually};
use crate::mistakes::{PASSWORD, everything};
use crate::reconnect::{open, options};
use crate::sentinel::url as url_of;

const CONNECTED: [ClientType; 2] = [ClientType::Command, ClientType::PubSub];

/// The errors of clients that connect, which come at once: nobody is waited for.
#[track_caller]
fn refused(url: &str, options: impl Fn() -> ClientOptionsBuilder) -> Vec<Error> {
    let (host, began) = (Host::new(), Instant::now());
    let errors = CONNECTED.map(|kind| {
        let options = options().connect_timeout(PATIENCE).build().unwrap();
        let opened = host
            .manager
            .open_redis_client_with(&host.script, kind, url, options);
        opened.unwrap_err()
    });
    assert!(began.elapsed() < PATIENCE / 2);
    for error in &errors {
        assert!(!everything(error).contains(PASSWORD), "{error:?}");
    }
    errors.into()
}

fn address(server: &TestServer) -> String {
    format!("127.0.0.1:{}", server.port())
}

/// Three masters, the last of which knows the user `app` by another password, and not `guest`.
fn uneven() -> TestCluster {
    let cluster = TestCluster::builder().replicas(0).start_or_panic();
    let passwords = [PASSWORD, PASSWORD, "another"];
    for (node, password) in cluster.nodes().iter().zip(passwords) {
        let password = format!(">{password}");
        let rights = ["on", &password, "~*", "&*", "+@all"];
        node.run(&[&["ACL", "SETUSER", "app"][..], &rights].concat());
        if password.contains(PASSWORD) {
            node.run(&[&["ACL", "SETUSER", "guest"][..], &rights].concat());
        }
    }
    cluster
}

#[test]
fn nodes_that_all_refuse_the_login_are_all_named_at_once() {
    let cluster = uneven();
    for protocol in PROTOCOLS {
        for login in [format!("nobody:{PASSWORD}"), format!("app:not-{PASSWORD}")] {
            let url = cluster.url().replace("://", &format!("://{login}@"));
            for error in refused(&url, || options(protocol)) {
                assert_eq!(error.kind(), ErrorKind::Authentication, "{error}");
                for node in cluster.nodes() {
                    let said = format!("{} refused to log in", address(node));
                    assert!(error.message().contains(&said), "{error}");
                }
            }
        }
    }
    // One that is down says less than one that refuses, and so it hides nothing.
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
    let down = nobody.local_addr().unwrap();
    drop(nobody);
    let node = address(&cluster.nodes()[0]);
    let url = format!("redis-cluster://nobody:{PASSWORD}@{node},{down}");
    for error in refused(&url, || options(Protocol::Auto)) {
        let said = format!("{node} refused to log in");
        assert!(error.message().contains(&said), "{error}");
        assert!(error.message().contains(&down.to_string()), "{error}");
    }
}

#[test]
fn a_node_with_another_password_or_without_the_user_is_named_by_all_that_goes_there() {
    let cluster = uneven();
    let keys = key_of_each(&cluster);
    let odd = cluster.nodes().last().unwrap();
    let is_odd = |key: &&String| cluster.owner_of(key).port() == odd.port();
    let (there, others): (Vec<_>, Vec<_>) = keys.iter().partition(is_odd);
    let key = there[0];
    let said = format!("{} refused to log in", address(odd));
    for protocol in PROTOCOLS {
        for user in ["app", "guest"] {
            let host = Host::new();
            let login = format!("://{user}:{PASSWORD}@");
            let url = named(&host, &cluster.url().replace("://", &login));
            let short = || options(protocol).command_timeout(Duration::from_millis(500));
            let client: RedisCommandClient = open(&host, &url, short());
            let (mut events, mut commands) = (client.events(), client.commands());
            let mut session = client.session().unwrap();
            let errors = [
                commands.set::<_, _, Value>(key, 1).unwrap_err(),
                commands.mget::<_, Value>(&keys).unwrap_err(),
                commands.blpop::<_, Value>(key, 0.1).unwrap_err(),
                session.get::<_, Value>(key).unwrap_err(),
                cmd("DBSIZE").query::<Value>(&mut commands).unwrap_err(),
            ];
            let errors = errors.map(Error::from);
            for error in &errors {
                // Calls wait: the password may be mended meanwhile.
                assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
                assert!(error.message().contains(&said), "{error}");
                assert!(error.command().is_some(), "{error:?}");
                assert!(!everything(error).contains(PASSWORD), "{error:?}");
            }
            assert_eq!(errors[0].delivery(), Some(Delivery::NotSent));
            for key in &others {
                let () = commands.set(key, 1).unwrap();
                let () = session.set(key, 1).unwrap();
            }
            let mut told = Vec::new();
            eventually("the loss is told", || {
                told.extend(events.try_recv());
                !told.is_empty()
            });
            let told = format!("{told:?} {:?} {}", client.state(), client.state());
            assert!(told.contains(&said), "{told}");
            assert!(client.state().is_disconnected());
            assert!(!told.contains(PASSWORD), "{told}");
            expect_unloaded(&host, &cluster);
        }
    }
}

#[test]
fn a_login_that_a_node_learns_later_is_noticed() {
    let cluster = uneven();
    let host = Host::new();
    let odd = cluster.nodes().last().unwrap();
    let keys = key_of_each(&cluster);
    let key = keys
        .iter()
        .find(|key| cluster.owner_of(key).port() == odd.port());
    let key = key.unwrap();
    let login = format!("://app:{PASSWORD}@");
    let url = named(&host, &cluster.url().replace("://", &login));
    let client: RedisCommandClient = open(&host, &url, options(Protocol::Auto));
    let mut events = client.events();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| client.commands().incr::<_, _, i64>(key, 1));
        eventually("it is refused", || {
            matches!(events.try_recv(), Some(ClientEvent::ReconnectFailed { .. }))
        });
        odd.run(&["ACL", "SETUSER", "app", &format!(">{PASSWORD}")]);
        assert_eq!(waiting.join().unwrap().unwrap(), 1);
    });
    eventually("the state tells", || {
        client.state() == ClientState::Connected
    });
    expect_unloaded(&host, &cluster);
}

/// Sentinels of a master that has `PASSWORD`, each with a password of its own.
fn sentinels(server: &TestServer, passwords: &[&str]) -> Vec<TestSentinel> {
    let start = |password: &&str| {
        let sentinel = TestSentinel::builder().monitor("main", server.port(), 1);
        let sentinel = sentinel
            .password(password)
            .line(format!("sentinel auth-pass main {PASSWORD}"));
        sentinel.start_or_panic(server.binary())
    };
    passwords.iter().map(start).collect()
}

#[test]
fn sentinels_that_refuse_the_login_say_which_option_it_is_and_one_that_takes_it_is_enough() {
    let server = TestServer::builder().password(PASSWORD).start_or_panic();
    let sentinels = sentinels(&server, &["one-of-them", "the-other"]);
    let [one, other] = [&sentinels[0], &sentinels[1]];
    let url = url_of(&[one, other], "#main").replace("://", &format!("://:{PASSWORD}@"));
    let with = |user: &str, password: &str| {
        let login = Credentials::new(password).with_username(user);
        options(Protocol::Auto).sentinel_credentials(Arc::new(login))
    };
    type Options<'a> = &'a dyn Fn() -> ClientOptionsBuilder;
    let cases: [(&str, Options<'_>); 3] = [
        ("NOAUTH", &|| options(Protocol::Auto)),
        ("WRONGPASS", &|| with("", "neither-of-them")),
        ("WRONGPASS", &|| with("ghost", "the-other")),
    ];
    for (code, options) in cases {
        for error in refused(&url, options) {
            assert_eq!(error.kind(), ErrorKind::Authentication, "{error}");
            for sentinel in [one, other] {
                let said = format!(
                    "127.0.0.1:{} refused to log in: \"{code}\"",
                    sentinel.port()
                );
                assert!(error.message().contains(&said), "{error}");
            }
            assert!(error.message().contains("the option sentinel_credentials"));
            assert!(error.message().contains("`[servers.….sentinel]`"));
            for secret in ["neither-of-them", "the-other"] {
                assert!(!everything(&error).contains(secret), "{error:?}");
            }
        }
    }
    let host = Host::new();
    let client: RedisCommandClient = open(&host, &url, with("", "the-other"));
    let () = client.commands().set("k", "v").unwrap();
}

#[test]
fn a_master_that_refuses_the_login_is_named_and_not_its_sentinels() {
    let server = TestServer::builder().password("right").start_or_panic();
    let sentinel = TestSentinel::builder().monitor("main", server.port(), 1);
    let sentinel = sentinel.line("sentinel auth-pass main right");
    let sentinel = sentinel.start_or_panic(server.binary());
    for login in [
        String::new(),
        format!(":{PASSWORD}@"),
        format!("ghost:{PASSWORD}@"),
    ] {
        let url = url_of(&[&sentinel], "#main").replace("://", &format!("://{login}"));
        for error in refused(&url, || options(Protocol::Auto)) {
            assert_eq!(error.kind(), ErrorKind::Authentication, "{error}");
            let said = format!("{} (master main) refused to log in", address(&server));
            assert!(error.message().contains(&said), "{error}");
            assert!(!error.message().contains("sentinel_credentials"));
        }
    }
}
