//! Clients whose master is found and followed by sentinels.

use std::sync::Arc;

use redis_manager::Protocol;
use redis_manager::prelude::*;
use redis_manager_support::{SentinelTrio, TestSentinel, TestServer};

use crate::fixture::{Host, PROTOCOLS, eventually};
use crate::mistakes::{PASSWORD, everything};
use crate::reconnect::{open, options};

pub(crate) fn url(sentinels: &[&TestSentinel], rest: &str) -> String {
    let of = |sentinel: &&TestSentinel| format!("127.0.0.1:{}", sentinel.port());
    let nodes: Vec<_> = sentinels.iter().map(of).collect();
    format!("redis-sentinel://{}{rest}", nodes.join(","))
}

pub(crate) fn knowing(server: &TestServer) -> TestSentinel {
    let sentinel = TestSentinel::builder().monitor("main", server.port(), 1);
    sentinel.start_or_panic(server.binary())
}

#[test]
fn every_kind_of_client_finds_the_master_by_a_sentinel_that_knows_it() {
    let (server, host) = (TestServer::start(), Host::new());
    let (down, ignorant) = (knowing(&server), TestSentinel::builder());
    down.kill().unwrap();
    let ignorant = ignorant.start_or_panic(server.binary());
    let knowing = knowing(&server);
    let url = url(&[&down, &ignorant, &knowing], "/3#main");
    for protocol in PROTOCOLS {
        let client: RedisCommandClient = open(&host, &url, options(protocol));
        let () = client.commands().set("k", protocol as i64).unwrap();
        let mut session = client.session().unwrap();
        assert_eq!(session.get::<_, i64>("k").unwrap(), protocol as i64);
        let pubsub: RedisPubSubClient = open(&host, &url, options(protocol));
        let (listener, heard) = crate::listening::hearing();
        let channel = crate::fixture::unique("channel");
        pubsub.register_listener(&*channel, listener).unwrap();
        assert_eq!(pubsub.publish(&*channel, "m").unwrap(), 1);
        assert_eq!(crate::listening::next_text(&heard), "m");
        let basic: RedisBasicClient = open(&host, &url, options(protocol));
        assert_eq!(basic.ping().unwrap(), "PONG");
        assert_eq!(basic.pool().unwrap_err().kind(), ErrorKind::Unsupported);
        assert!(matches!(basic.redis_client(), UnderlyingClient::Sentinel));
    }
    eventually("they share the one that listens", || {
        knowing.clients().unwrap().len() == 1
    });
    assert!(host.manager.unload_script(&host.script).is_clean());
    eventually("nobody listens", || knowing.clients().unwrap().is_empty());
    eventually("nobody is connected", || {
        let clients = server.clients().unwrap();
        clients
            .iter()
            .all(|client| client.name.starts_with("sentinel-"))
    });
}

#[test]
fn if_no_sentinel_names_a_master_the_error_tells_what_each_said() {
    let (server, host) = (TestServer::start(), Host::new());
    let [down, knowing] = [knowing(&server), knowing(&server)];
    down.kill().unwrap();
    let url = url(&[&down, &knowing], "#nosuch");
    let url = url.replace(
        "redis-sentinel://",
        &format!("redis-sentinel://:{PASSWORD}@"),
    );
    for kind in [ClientType::Command, ClientType::PubSub] {
        let opened = host.manager.open_redis_client(&host.script, kind, &url);
        let error = opened.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connect);
        for part in [
            "the master nosuch".to_owned(),
            format!("127.0.0.1:{}: Connection refused", down.port()),
            format!("127.0.0.1:{} knows no master nosuch", knowing.port()),
        ] {
            assert!(error.message().contains(&part), "{part}: {error}");
        }
        assert!(!everything(&error).contains(PASSWORD), "{error:?}");
    }
    eventually("nobody is connected", || {
        knowing.clients().unwrap().is_empty()
    });
}

#[test]
fn sentinels_have_a_login_of_their_own() {
    let server = TestServer::builder().password(PASSWORD).start_or_panic();
    let sentinel = TestSentinel::builder().monitor("main", server.port(), 1);
    let sentinel = sentinel
        .password("another")
        .line(format!("sentinel auth-pass main {PASSWORD}"));
    let sentinel = sentinel.start_or_panic(server.binary());
    let host = Host::new();
    let url = url(&[&sentinel], "#main").replace("://", &format!("://:{PASSWORD}@"));
    let options = |password: &str| {
        let login = Arc::new(Credentials::new(password));
        options(Protocol::Auto).sentinel_credentials(login)
    };
    let client: RedisCommandClient = open(&host, &url, options("another"));
    let () = client.commands().set("k", "v").unwrap();
    for (options, what) in [
        (ClientOptions::default(), "NOAUTH"),
        (options("wrong").build().unwrap(), "WRONGPASS"),
    ] {
        let opened = host
            .manager
            .open_with::<RedisCommandClient>(&host.script, &url, options);
        let error = opened.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Authentication, "{error}");
        assert!(error.message().contains(what), "{error}");
        assert!(!everything(&error).contains(PASSWORD), "{error:?}");
    }
}

#[test]
fn a_sentinel_that_names_a_replica_is_passed_over_next_time() {
    let (server, host) = (TestServer::start(), Host::new());
    let replica = TestServer::builder();
    let replica = replica.args(["--replicaof", "127.0.0.1", &server.port().to_string()]);
    let replica = replica.start_or_panic();
    // A real one would soon find out what it monitors.
    let stale = StaleSentinel::naming(replica.port());
    let knowing = knowing(&server);
    let url = format!(
        "redis-sentinel://127.0.0.1:{},127.0.0.1:{}#main",
        stale.port(),
        knowing.port()
    );
    let opened = host.manager.open::<RedisCommandClient>(&host.script, &url);
    let error = opened.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
    let said = format!(
        "127.0.0.1:{} (master main) is no master: it is a replica",
        replica.port()
    );
    assert!(error.message().contains(&said), "{error}");
    let client: RedisCommandClient = open(&host, &url, options(Protocol::Auto).lazy_connect(true));
    let () = client.commands().set("k", "v").unwrap();
    assert_eq!(server.run(&["GET", "k"]).text(), "v");
}

#[test]
fn a_killed_primary_is_replaced_for_commands_sessions_and_subscribers() {
    let (trio, host) = (SentinelTrio::start(), Host::new());
    let client: RedisCommandClient = open(&host, trio.url(), options(Protocol::Auto));
    let pubsub: RedisPubSubClient = open(&host, trio.url(), options(Protocol::Auto));
    let (listener, heard) = crate::listening::hearing();
    pubsub.register_listener("c", listener).unwrap();
    let mut session = client.session().unwrap();
    let () = session.set("k", "v").unwrap();
    let old = trio.primary();
    old.kill().unwrap();
    // The first call may still go to the one that was killed.
    eventually("calls succeed", || {
        client.commands().set::<_, _, ()>("k", "w").is_ok()
    });
    let new = trio.primary();
    assert_ne!(new.port(), old.port());
    assert_eq!(new.run(&["GET", "k"]).text(), "w");
    assert!(
        session.get::<_, String>("k").is_err(),
        "it was the old one's"
    );
    drop(session);
    assert_eq!(
        client.session().unwrap().get::<_, String>("k").unwrap(),
        "w"
    );
    eventually("the subscription is back", || {
        new.run(&["PUBLISH", "c", "m"]).as_int() == Some(1)
    });
    assert_eq!(crate::listening::next_text(&heard), "m");
    assert!(host.manager.unload_script(&host.script).is_clean());
    eventually("nobody listens", || {
        let mut sentinels = trio.sentinels().iter();
        sentinels.all(|sentinel| sentinel.clients().unwrap().is_empty())
    });
}

/// Answers whatever it is asked with one address.
pub(crate) struct StaleSentinel(std::net::SocketAddr);

impl StaleSentinel {
    pub(crate) fn naming(port: u16) -> Self {
        use std::io::{Read, Write};
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                std::thread::spawn(move || {
                    let port = port.to_string();
                    let answer = format!("*2\r\n$9\r\n127.0.0.1\r\n${}\r\n{port}\r\n", port.len());
                    while stream.read(&mut [0; 1024]).is_ok_and(|count| count > 0) {
                        if stream.write_all(answer.as_bytes()).is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Self(address)
    }

    pub(crate) fn port(&self) -> u16 {
        self.0.port()
    }
}
