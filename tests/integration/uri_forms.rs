//! Every form of a URI of one server against the real thing.

use redis_manager::prelude::*;
use redis_manager::{TlsOptions, VerifyPeer};
use redis_manager_support::{TestServer, Validity};

use crate::fixture::Host;
use crate::tls_fixture::Certificates;
use crate::uri_form::{Form, Place, add_worker};

/// One server for what needs no password, and one where the default user and others have some.
fn open_server() -> TestServer {
    TestServer::builder().unix_socket().start_or_panic()
}

/// All that must be percent-encoded, and some that need not be.
const ODD: &str = "p@ss:w/o?r#d %&=+ü";
const ODD_ENCODED: &str = "p%40ss%3Aw%2Fo%3Fr%23d%20%25%26%3D%2B%C3%BC";

fn guarded_server() -> TestServer {
    let server = TestServer::builder().password(ODD).unix_socket();
    let server = server.start_or_panic();
    for (user, password) in [
        ("worker", ">s3cret".to_owned()),
        ("ödd@user", format!(">{ODD}")),
        ("at", ">p@ss".to_owned()),
        ("nopass", "nopass".to_owned()),
    ] {
        server.run(&["ACL", "SETUSER", user, "on", "~*", "+@all", "allchannels"]);
        server.run(&["ACL", "SETUSER", user, &password]);
    }
    server
}

#[test]
fn every_scheme_without_tls_leads_to_the_port_and_the_database() {
    let server = open_server();
    let (place, at) = (Place::tcp(&server), format!("127.0.0.1:{}", server.port()));
    for scheme in ["redis", "valkey", "Redis", "VALKEY"] {
        for (rest, database) in [
            ("", 0),
            ("/", 0),
            ("?", 0),
            ("/3", 3),
            ("/3?", 3),
            ("?db=4", 4),
            ("?database=5", 5),
            ("?DataBase=6", 6),
            ("/3?db=7", 7),
            ("/?db=8", 8),
        ] {
            let form = Form::new(format!("{scheme}://{at}{rest}"));
            place.is_reached_by(&form.database(database));
        }
    }
    for credentials in ["@", ":@"] {
        place.is_reached_by(&Form::new(format!("redis://{credentials}{at}")));
    }
    place.is_reached_by(&Form::new(format!("redis://localhost:{}", server.port())));
}

#[test]
fn credentials_arrive_as_they_were_before_they_were_encoded() {
    let server = guarded_server();
    let place = Place::tcp(&server);
    for (credentials, user) in [
        (ODD_ENCODED.to_owned(), "default"),
        (format!(":{ODD_ENCODED}"), "default"),
        (format!("default:{ODD_ENCODED}"), "default"),
        ("worker:s3cret".to_owned(), "worker"),
        ("worker:s3%63ret".to_owned(), "worker"),
        (format!("%C3%B6dd%40user:{ODD_ENCODED}"), "ödd@user"),
        // Not all of them have to be.
        (
            "ödd@user:p@ss%3Aw%2Fo%3Fr%23d%20%25&=+ü".to_owned(),
            "ödd@user",
        ),
        ("at:p@ss".to_owned(), "at"),
        ("nopass:".to_owned(), "nopass"),
    ] {
        let at = server.port();
        let form = Form::new(format!("redis://{credentials}@127.0.0.1:{at}/2"));
        place.is_reached_by(&form.user(user).database(2));
    }
}

#[test]
fn each_key_of_the_query_arrives() {
    let server = open_server();
    let place = Place::tcp(&server);
    let form = |query: &str| Form::new(format!("{}?{query}", server.url()));
    for form in [
        form("clientName=parrot").name("parrot"),
        form("CLIENTNAME=a%2Fb%26c").name("a/b&c"),
        form("libraryName=ours").library("ours", env!("CARGO_PKG_VERSION")),
        form("libraryVersion=9.8.7").library("redis-manager", "9.8.7"),
        form("libraryname=ours&libraryversion=1").library("ours", "1"),
        form("protocol=2").protocol(2),
        form("protocol=resp2").protocol(2),
        form("protocol=3"),
        form("Protocol=AUTO"),
        form("timeout=7s&clientName=all&db=9&libraryName=l&libraryVersion=2&protocol=2&")
            .name("all")
            .database(9)
            .library("l", "2")
            .protocol(2),
    ] {
        place.is_reached_by(&form);
    }
}

#[test]
fn the_timeout_in_each_unit_is_the_deadline_of_calls() {
    let server = open_server();
    let host = Host::new();
    let open = |timeout: &str| -> RedisCommandClient {
        let url = format!("{}?timeout={timeout}", server.url());
        host.manager.open(&host.script, url).unwrap()
    };
    let hasty = ["100", "100ms", "100000us", "100000000ns"].map(open);
    let patient = ["2s", "1m", "1h", "1d", "1D"].map(open);
    server.pause().unwrap();
    for client in hasty {
        let error = Error::from(client.commands().get::<_, String>("k").unwrap_err());
        assert_eq!(error.kind(), ErrorKind::Timeout, "{}", client.redis_uri());
        assert!(error.message().contains("100ms"), "{error}");
    }
    std::thread::scope(|scope| {
        let calls = patient
            .map(|client| scope.spawn(move || client.commands().get::<_, Option<String>>("k")));
        server.resume().unwrap();
        for call in calls {
            assert_eq!(call.join().unwrap(), Ok(None));
        }
    });
}

#[cfg(unix)]
#[test]
fn every_scheme_of_a_socket_leads_to_it() {
    let (open, guarded) = (open_server(), guarded_server());
    for scheme in [
        "redis-socket",
        "redis+socket",
        "unix",
        "redis+unix",
        "valkey+unix",
        "UNIX",
    ] {
        for (server, credentials, user) in [
            (&open, "", "default"),
            (&guarded, &format!("{ODD_ENCODED}@"), "default"),
            (&guarded, "worker:s3cret@", "worker"),
        ] {
            let path = server.socket_path().unwrap();
            let path = path.display();
            let place = Place {
                address: format!("{path}:0"),
                ..Place::tcp(server)
            };
            let form = Form::new(format!("{scheme}://{credentials}{path}")).user(user);
            place.is_reached_by(&form);
            let query = "?db=2&clientName=sock&protocol=2";
            let form = Form::new(format!("{scheme}://{credentials}{path}{query}"));
            let form = form.user(user).database(2).name("sock").protocol(2);
            place.is_reached_by(&form);
        }
    }
}

#[test]
fn an_ipv6_address_in_brackets_is_reached_however_it_is_written() {
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        open_server().not_tried("is on a machine without IPv6");
        return;
    }
    let both = ["--bind", "127.0.0.1", "::1"];
    let server = TestServer::builder().args(both).start_or_panic();
    let port = server.port();
    let place = Place {
        address: format!("[::1]:{port}"),
        ..Place::tcp(&server)
    };
    for form in [
        Form::new(format!("redis://[::1]:{port}")),
        Form::new(format!("redis://[0:0:0:0:0:0:0:1]:{port}/1")).database(1),
        Form::new(format!("valkey://@[0::1]:{port}?clientName=six")).name("six"),
    ] {
        place.is_reached_by(&form);
    }
}

#[test]
fn every_scheme_with_tls_checks_its_peer_as_it_says() {
    // For a name by which it is not reached here.
    let elsewhere = Certificates::new(&["cache.example.com"], Validity::Current);
    let here = Certificates::new(&["localhost"], Validity::Current);
    for (certificates, cases) in [
        (
            &here,
            [
                ("localhost", "", VerifyPeer::Full),
                ("localhost", "?verifyPeer=FULL", VerifyPeer::Full),
                ("localhost", "?VerifyPeer=none", VerifyPeer::None),
            ],
        ),
        (
            &elsewhere,
            [
                ("127.0.0.1", "?verifyPeer=CA", VerifyPeer::Ca),
                ("127.0.0.1", "?verifyPeer=Ca", VerifyPeer::Ca),
                ("127.0.0.1", "?verifyPeer=NONE", VerifyPeer::None),
            ],
        ),
    ] {
        let server = TestServer::builder().tls(certificates.server());
        let Some(server) = server.start_with_tls() else {
            return;
        };
        add_worker(&server);
        let port = server.tls_port().unwrap();
        for scheme in ["rediss", "redis+ssl", "redis+tls", "valkeys", "REDISS"] {
            for (host, query, verify) in cases {
                let trusted = match verify {
                    VerifyPeer::None => TlsOptions::default(),
                    _ => certificates.trusting(),
                };
                let options = ClientOptions::builder().tls(trusted).build();
                let place = Place {
                    address: format!("127.0.0.1:{port}"),
                    options: options.unwrap(),
                    ..Place::tcp(&server)
                };
                let form = Form::new(format!("{scheme}://worker:s3cret@{host}:{port}/1{query}"));
                place.is_reached_by(&form.user("worker").database(1));
            }
        }
    }
}
