//! Openings that cannot succeed: each says what is wrong and where, in time, without the password, and
//! leaves nothing behind.

use std::error::Error as StdError;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Instant;

use redis_manager::Protocol;
use redis_manager::prelude::*;
use redis_manager_support::TestServer;

use crate::fixture::{Host, PATIENCE, PROTOCOLS, eventually};

pub(crate) const PASSWORD: &str = "s3cret-pa55";
const TYPES: [ClientType; 3] = [ClientType::Basic, ClientType::Command, ClientType::PubSub];

fn options(protocol: Protocol) -> ClientOptions {
    ClientOptions::builder()
        .protocol(protocol)
        .connect_timeout(Duration::from_secs(5))
        .build()
        .unwrap()
}

/// What an error tells by any of its ways.
pub(crate) fn everything(error: &Error) -> String {
    let mut told = format!("{error} {error:?} {error:#?}");
    let mut source = error.source();
    while let Some(cause) = source {
        told.push_str(&format!(" {cause} {cause:?}"));
        source = cause.source();
    }
    told
}

/// Opens `url` in all ways that connect, and lets a BASIC client connect; each must fail as expected.
#[track_caller]
fn expect_failure(url: &str, address: &str, kind: ErrorKind, cause: &str) {
    for protocol in PROTOCOLS {
        expect_failure_with(url, address, kind, cause, &options(protocol));
    }
}

#[track_caller]
fn expect_failure_with(
    url: &str,
    address: &str,
    kind: ErrorKind,
    cause: &str,
    options: &ClientOptions,
) {
    let host = Host::new();
    let (manager, script) = (&host.manager, &host.script);
    let mut errors = Vec::new();
    let began = Instant::now();
    for kind in [ClientType::Command, ClientType::PubSub] {
        let open = manager.open_redis_client_with(script, kind, url, options.clone());
        errors.push(open.unwrap_err());
        let open = manager.open_redis_client_with_async(script, kind, url, options.clone());
        errors.push(pollster::block_on(open).unwrap_err());
    }
    assert!(manager.redis_clients(script).is_empty());
    let basic: RedisBasicClient = manager.open_with(script, url, options.clone()).unwrap();
    errors.push(basic.ping().unwrap_err());
    errors.push(pollster::block_on(basic.ping_async()).unwrap_err());
    assert!(began.elapsed() < 6 * options.connect_timeout() + PATIENCE);
    basic.close();
    for error in errors {
        assert_eq!(error.kind(), kind, "{url}: {error:?}");
        assert!(error.message().contains(address), "{url}: {error}");
        assert!(error.message().contains(cause), "{url}: {error}");
        assert!(!everything(&error).contains(PASSWORD), "{url}: {error:?}");
    }
    assert!(manager.redis_clients(script).is_empty());
}

#[track_caller]
fn expect_nobody_at(server: &TestServer) {
    eventually("nothing is left at the server", || {
        server.clients().unwrap().is_empty()
    });
}

fn address(server: &TestServer) -> String {
    format!("127.0.0.1:{}", server.port())
}

#[test]
fn a_wrong_a_missing_and_a_strangers_password_are_told_as_such() {
    let server = TestServer::builder().password("right").start_or_panic();
    let address = address(&server);
    for (credentials, cause) in [
        (format!(":{PASSWORD}@"), "refused to log in"),
        (format!("{PASSWORD}@"), "refused to log in"),
        (String::new(), "NOAUTH"),
        (format!("nobody:{PASSWORD}@"), "refused to log in"),
    ] {
        let url = format!("redis://{credentials}{address}");
        expect_failure(&url, &address, ErrorKind::Authentication, cause);
    }
    expect_nobody_at(&server);
}

#[test]
fn whoever_gives_no_password_is_told_where_one_stands() {
    let server = TestServer::builder().password("right").start_or_panic();
    let url = format!("redis://{}", address(&server));
    for part in ["no password is given", "(redis://user:password@…)"] {
        expect_failure(&url, &address(&server), ErrorKind::Authentication, part);
    }
    for part in ["`password_file`", "`password_env`"] {
        expect_failure(&url, &address(&server), ErrorKind::Authentication, part);
    }
    // A wrong one is given.
    let host = Host::new();
    let url = format!("redis://:{PASSWORD}@{}", address(&server));
    let opened = host.manager.open::<RedisCommandClient>(&host.script, url);
    let error = opened.unwrap_err();
    assert!(!error.message().contains("no password is given"), "{error}");
}

#[test]
fn the_causes_of_an_error_are_not_ours_once_more() {
    let down = TestServer::start();
    down.kill().unwrap();
    let guarded = TestServer::builder().password("right").start_or_panic();
    for (server, cause) in [(&down, "refused"), (&guarded, "NOAUTH")] {
        for protocol in PROTOCOLS {
            let host = Host::new();
            let url = format!("redis://{}", address(server));
            let opened =
                host.manager
                    .open_with::<RedisCommandClient>(&host.script, &url, options(protocol));
            let late = options(protocol).to_builder().lazy_connect(true);
            let late = late.command_timeout(Duration::from_millis(300));
            let client: RedisCommandClient = host
                .manager
                .open_with(&host.script, &url, late.build().unwrap())
                .unwrap();
            let called = client.commands().get::<_, String>("k").unwrap_err();
            let session = client.session();
            let errors = [
                opened.unwrap_err(),
                Error::from(called),
                session.unwrap_err(),
            ];
            for error in errors {
                assert!(error.message().contains(cause), "{error}");
                let causes = std::iter::successors(error.source(), |it| StdError::source(*it));
                let ours = causes.filter(|it| it.is::<Error>()).count();
                assert_eq!(ours, 0, "{error:#?}");
            }
        }
    }
}

#[test]
fn a_call_that_is_given_up_says_whom_it_waited_for() {
    let server = TestServer::start();
    let silent = port(drain);
    for protocol in PROTOCOLS {
        let host = Host::new();
        let hasty = |lazily| {
            let options = options(protocol).to_builder().lazy_connect(lazily);
            options
                .command_timeout(Duration::from_millis(300))
                .build()
                .unwrap()
        };
        let open = |url: String, lazily| -> RedisPubSubClient {
            host.manager
                .open_with(&host.script, url, hasty(lazily))
                .unwrap()
        };
        let client = open(server.url(), false);
        let commands: RedisCommandClient = host
            .manager
            .open_with(&host.script, server.url(), hasty(false))
            .unwrap();
        let mut session = commands.session().unwrap();
        server.run(&["CLIENT", "PAUSE", "5000", "WRITE"]);
        let error = client.publish("news", "m").unwrap_err();
        let said = format!("no reply from {} within 300ms", address(&server));
        assert_eq!(error.message(), said);
        let set = session.set::<_, _, ()>("k", "v").unwrap_err();
        assert_eq!(Error::from(set).message(), said);
        assert_eq!(error.delivery(), Some(Delivery::Unknown));
        server.run(&["CLIENT", "UNPAUSE"]);
        let client = open(format!("redis://:{PASSWORD}@{silent}"), true);
        let error = client.publish("news", "m").unwrap_err();
        let said = format!("no connection to {silent}; not sent within 300ms");
        assert_eq!(error.message(), said);
        assert_eq!(error.delivery(), Some(Delivery::NotSent));
    }
}

#[test]
fn a_call_that_a_closing_client_never_sent_does_not_speak_of_a_reply() {
    let silent = port(drain);
    for protocol in PROTOCOLS {
        let host = Host::new();
        let lazy = options(protocol).to_builder().lazy_connect(true);
        let lazy = lazy.shutdown_timeout(Duration::from_millis(50));
        let url = format!("redis://{silent}");
        let client: RedisPubSubClient = host
            .manager
            .open_with(&host.script, url, lazy.build().unwrap())
            .unwrap();
        let error = std::thread::scope(|threads| {
            let call = threads.spawn(|| client.publish("news", "m").unwrap_err());
            eventually("it waits", || client.snapshot().requests.count > 0);
            client.close();
            call.join().unwrap()
        });
        assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
        assert_eq!(error.delivery(), Some(Delivery::NotSent), "{error}");
        assert!(!error.message().contains("reply"), "{error}");
    }
}

#[test]
fn a_user_who_may_not_ping_can_open() {
    let server = TestServer::start();
    let rights = [
        "ACL", "SETUSER", "mute", "on", ">pw", "~*", "&*", "+@all", "-ping",
    ];
    server.run(&rights);
    for protocol in PROTOCOLS {
        let host = Host::new();
        let url = format!("redis://mute:pw@{}", address(&server));
        for kind in TYPES {
            let open =
                host.manager
                    .open_redis_client_with(&host.script, kind, &url, options(protocol));
            open.unwrap();
        }
        host.manager.shutdown().unwrap();
        expect_nobody_at(&server);
    }
}

#[test]
fn a_server_that_is_not_there_is_told_with_its_address() {
    let server = TestServer::start();
    server.kill().unwrap();
    let address = address(&server);
    let url = format!("redis://:{PASSWORD}@{address}");
    expect_failure(&url, &address, ErrorKind::Connect, "refused");
}

#[test]
fn a_host_that_has_no_address_is_told_by_its_name() {
    let url = format!("redis://:{PASSWORD}@host.invalid:6380");
    expect_failure(&url, "host.invalid:6380", ErrorKind::Connect, "cannot");
}

#[cfg(unix)]
#[test]
fn a_unix_socket_that_is_not_there_is_told_with_its_path() {
    let url = "redis-socket:///nonexistent/redis.sock";
    expect_failure(url, "/nonexistent/redis.sock", ErrorKind::Connect, "cannot");
}

#[test]
fn a_database_that_the_server_does_not_have_is_told() {
    let server = TestServer::start();
    let address = address(&server);
    let url = format!("redis://{address}/4711");
    expect_failure(&url, &address, ErrorKind::Server, "out of range");
    expect_nobody_at(&server);
}

/// A port whose connections `answer` deals with; it lives as long as the test process.
pub(crate) fn port(answer: impl Fn(TcpStream) + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let answer = std::sync::Arc::new(answer);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = std::sync::Arc::clone(&answer);
            std::thread::spawn(move || answer(stream));
        }
    });
    address
}

/// Until the other side hangs up.
fn drain(mut stream: TcpStream) {
    let mut rest = [0; 1024];
    while stream.read(&mut rest).is_ok_and(|read| read > 0) {}
}

#[test]
fn a_port_that_speaks_http_is_told_to_speak_no_redis() {
    let address = port(|mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
        drain(stream);
    });
    let url = format!("redis://:{PASSWORD}@{address}");
    expect_failure(&url, &address, ErrorKind::Protocol, "does not speak Redis");
    let url = format!("redis://{address}");
    expect_failure(&url, &address, ErrorKind::Protocol, "does not speak Redis");
}

#[test]
fn a_port_that_sends_back_what_it_gets_does_not_bring_out_the_password() {
    let address = port(|mut stream| {
        let mut back = stream.try_clone().unwrap();
        let _ = std::io::copy(&mut stream, &mut back);
    });
    for protocol in PROTOCOLS {
        let host = Host::new();
        for url in [
            format!("redis://{address}"),
            format!("redis://:{PASSWORD}@{address}"),
            format!("redis://:{PASSWORD}@{address}/1?clientName=x"),
            format!("redis://someone:{PASSWORD}@{address}"),
        ] {
            for kind in [ClientType::Command, ClientType::PubSub] {
                let (manager, options) = (&host.manager, options(protocol));
                let open = manager.open_redis_client_with(&host.script, kind, &url, options);
                let error = open.unwrap_err();
                // What redis takes its own AUTH for, sent back.
                let kinds = [ErrorKind::Protocol, ErrorKind::Server];
                assert!(kinds.contains(&error.kind()), "{url}: {error:?}");
                assert!(error.message().contains(&address), "{error}");
                assert!(!everything(&error).contains(PASSWORD), "{error:?}");
            }
        }
    }
}

#[test]
fn a_port_that_answers_nothing_is_given_up_at_the_connect_timeout() {
    let address = port(drain);
    let url = format!("redis://:{PASSWORD}@{address}");
    for protocol in PROTOCOLS {
        let options = options(protocol).to_builder();
        let options = options.connect_timeout(Duration::from_millis(150)).build();
        expect_failure_with(
            &url,
            &address,
            ErrorKind::Timeout,
            "150ms",
            &options.unwrap(),
        );
    }
}

#[test]
fn a_port_that_closes_at_once_is_told_to_have_hung_up() {
    let address = port(drop);
    let url = format!("redis://:{PASSWORD}@{address}");
    expect_failure(&url, &address, ErrorKind::Connect, "closed the connection");
}

#[test]
fn a_server_with_too_many_clients_is_told_as_such() {
    // The admin connection is the one that it allows.
    let server = TestServer::builder()
        .args(["--maxclients", "1"])
        .start_or_panic();
    let address = address(&server);
    let host = Host::new();
    for protocol in PROTOCOLS {
        for kind in [ClientType::Command, ClientType::PubSub] {
            let open = host.manager.open_redis_client_with(
                &host.script,
                kind,
                server.url(),
                options(protocol),
            );
            let error = open.unwrap_err();
            // The server writes its refusal and hangs up, which may be noticed first.
            let kinds = [ErrorKind::Server, ErrorKind::Protocol];
            assert!(kinds.contains(&error.kind()), "{error:?}");
            assert!(error.message().contains(&address), "{error}");
        }
    }
    assert!(host.manager.redis_clients(&host.script).is_empty());
    expect_nobody_at(&server);
}

#[test]
fn resp3_of_a_server_without_hello_is_unsupported_and_auto_falls_back() {
    for password in [None, Some(PASSWORD)] {
        let mut server = TestServer::builder().args(["--rename-command", "HELLO", ""]);
        if let Some(password) = password {
            server = server.password(password);
        }
        let server = server.start_or_panic();
        let url = server.url_with_password();
        let host = Host::new();
        for kind in [ClientType::Command, ClientType::PubSub] {
            let resp3 = options(Protocol::Resp3);
            let open = host
                .manager
                .open_redis_client_with(&host.script, kind, &url, resp3);
            let error = open.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{error:?}");
            assert!(error.message().contains("RESP3"), "{error}");
            assert!(error.message().contains(&address(&server)), "{error}");
            assert!(!everything(&error).contains(PASSWORD), "{error:?}");
            expect_nobody_at(&server);
        }
        let client: RedisCommandClient = host.manager.open(&host.script, &url).unwrap();
        let spoken = client.connection().protocol();
        assert_eq!(spoken, Some(redis_manager::redis::ProtocolVersion::RESP2));
        let () = client.commands().set("k", "v").unwrap();
        let mut session = client.session().unwrap();
        assert_eq!(session.get::<_, String>("k").unwrap(), "v");
        let pubsub: RedisPubSubClient = host.manager.open(&host.script, &url).unwrap();
        let listener = pubsub.register_listener("c", |_| Ok(())).unwrap();
        assert_eq!(pubsub.publish("c", "m").unwrap(), 1);
        listener.unregister().unwrap();
        assert_eq!(
            server
                .clients()
                .unwrap()
                .iter()
                .filter(|seen| seen.resp == Some(3))
                .count(),
            0
        );
    }
}

#[test]
fn a_server_without_auth_does_not_bring_out_the_password() {
    let server = TestServer::builder()
        .args(["--rename-command", "AUTH", ""])
        .args(["--rename-command", "HELLO", ""])
        .start_or_panic();
    let long = PASSWORD.repeat(20);
    for password in [PASSWORD, &long] {
        for protocol in [Protocol::Resp2, Protocol::Resp3, Protocol::Auto] {
            let host = Host::new();
            let url = format!("redis://:{password}@{}", address(&server));
            for kind in [ClientType::Command, ClientType::PubSub] {
                let open = host.manager.open_redis_client_with(
                    &host.script,
                    kind,
                    &url,
                    options(protocol),
                );
                let error = open.unwrap_err();
                let told = everything(&error);
                assert!(!told.contains(PASSWORD), "{told}");
            }
        }
    }
    expect_nobody_at(&server);
}
