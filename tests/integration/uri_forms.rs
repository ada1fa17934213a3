//! Every form of a URI against the real thing: what it says is what the server sees of each connection.

use redis_manager::prelude::*;
use redis_manager::redis::{self, ConnectionLike};
use redis_manager::{TlsOptions, VerifyPeer};
use redis_manager_support::{ClientInfo, TestCluster, TestSentinel, TestServer, Validity};

use crate::fixture::{Host, eventually};
use crate::listening::{hearing, next_text};
use crate::sentinel::knowing;
use crate::tls_fixture::Certificates;

/// A URI, and what the server is to see of who opens it.
pub(crate) struct Form {
    uri: String,
    user: &'static str,
    database: u32,
    name: &'static str,
    library: (&'static str, &'static str),
    protocol: u8,
}

impl Form {
    /// One that says nothing beyond where to go.
    pub(crate) fn new(uri: impl Into<String>) -> Self {
        Self {
            uri: uri.into(),
            user: "default",
            database: 0,
            name: "",
            library: ("redis-manager", env!("CARGO_PKG_VERSION")),
            protocol: 3,
        }
    }

    pub(crate) fn user(self, user: &'static str) -> Self {
        Self { user, ..self }
    }

    pub(crate) fn database(self, database: u32) -> Self {
        Self { database, ..self }
    }

    pub(crate) fn name(self, name: &'static str) -> Self {
        Self { name, ..self }
    }

    pub(crate) fn library(self, name: &'static str, version: &'static str) -> Self {
        let library = (name, version);
        Self { library, ..self }
    }

    pub(crate) fn protocol(self, protocol: u8) -> Self {
        Self { protocol, ..self }
    }
}

/// Where forms lead.
pub(crate) struct Place<'a> {
    /// Whom one reaches there in the end; of a cluster all.
    pub(crate) servers: &'a [TestServer],
    /// The server's side of a connection there, as `CLIENT LIST` has it; Valkey 9.1 brackets the path of a socket.
    pub(crate) address: String,
    pub(crate) options: ClientOptions,
}

impl<'a> Place<'a> {
    pub(crate) fn tcp(server: &'a TestServer) -> Self {
        Self {
            servers: std::slice::from_ref(server),
            address: format!("127.0.0.1:{}", server.port()),
            options: ClientOptions::default(),
        }
    }

    /// Opens every kind of client by `form`, uses it, and looks at what the server sees.
    pub(crate) fn is_reached_by(&self, form: &Form) {
        let uri = form.uri.as_str();
        let host = Host::new();
        let open = (&host.manager, &host.script);
        let options = || self.options.clone();
        let command: RedisCommandClient = open.0.open_with(open.1, uri, options()).expect(uri);
        assert_eq!(whoami(&mut command.commands()), form.user, "{uri}");
        let mut session = command.session().expect(uri);
        assert_eq!(whoami(&mut session), form.user, "{uri}");

        let pubsub: RedisPubSubClient = open.0.open_with(open.1, uri, options()).expect(uri);
        let (function, heard) = hearing();
        pubsub.register_listener("forms", function).expect(uri);
        let receivers = pubsub.publish("forms", "hello").expect(uri);
        // In a cluster only those are counted that listen to the node which it was published by.
        assert!(receivers == 1 || self.servers.len() > 1, "{uri}");
        assert_eq!(next_text(&heard), "hello");

        let basic: RedisBasicClient = open.0.open_with(open.1, uri, options()).expect(uri);
        assert_eq!(basic.ping().expect(uri), "PONG");

        let seen = self.clients();
        let here = |seen: &&ClientInfo| {
            let laddr = seen.field("laddr").unwrap_or_default();
            laddr.contains(&self.address)
        };
        let seen: Vec<_> = seen.iter().filter(here).collect();
        let listens = |seen: &&&ClientInfo| seen.field("sub") == Some("1");
        assert_eq!(seen.iter().filter(listens).count(), 1, "{uri}: {seen:#?}");
        assert!(seen.len() >= 3, "{uri}: {seen:#?}");
        for seen in seen {
            self.expect_seen(form, seen);
        }
        drop(session);
        host.manager.shutdown().unwrap();
        eventually("all are gone", || self.clients().is_empty());
    }

    fn clients(&self) -> Vec<ClientInfo> {
        self.servers.iter().flat_map(clients).collect()
    }

    fn expect_seen(&self, form: &Form, seen: &ClientInfo) {
        let told = format!("{}: {}", form.uri, seen.raw);
        assert_eq!(
            (seen.user.as_str(), seen.name.as_str()),
            (form.user, form.name),
            "{told}"
        );
        let server = &self.servers[0];
        let protocol = server.told_protocol(form.protocol);
        assert_eq!(seen.resp, protocol, "{told}");
        // A RESP2 subscriber has no use for a database.
        if form.protocol == 3 || seen.field("sub") == Some("0") {
            assert_eq!(seen.db, form.database, "{told}");
        }
        match seen.field("lib-name") {
            Some(name) => {
                let version = seen.field("lib-ver").unwrap_or_default();
                assert_eq!((name, version), form.library, "{told}");
            }
            None => server.not_tried("does not tell the library's name"),
        }
    }
}

/// Whoever is connected and is neither a sentinel nor a replica.
pub(crate) fn clients(server: &TestServer) -> Vec<ClientInfo> {
    let is_client = |seen: &ClientInfo| {
        let flags = seen.field("flags").unwrap_or_default();
        !seen.name.starts_with("sentinel-") && !flags.contains(['S', 'M'])
    };
    let clients = server.clients().unwrap().into_iter();
    clients.filter(is_client).collect()
}

fn whoami(connection: &mut impl ConnectionLike) -> String {
    redis::cmd("ACL").arg("WHOAMI").query(connection).unwrap()
}

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

/// Lets `worker` log in on `server`.
fn add_worker(server: &TestServer) {
    let rule = ["on", ">s3cret", "~*", "+@all", "allchannels"];
    server.run(&[["ACL", "SETUSER", "worker"].as_slice(), &rule].concat());
}

#[test]
fn every_form_with_sentinels_leads_to_the_master_that_they_name() {
    let server = open_server();
    add_worker(&server);
    let place = Place::tcp(&server);
    let [one, other] = [knowing(&server), knowing(&server)];
    let ports = (one.port(), other.port());
    let (alone, both) = (
        format!("127.0.0.1:{}", ports.0),
        format!("127.0.0.1:{},localhost:{}", ports.0, ports.1),
    );
    for form in [
        Form::new(format!("redis-sentinel://{alone}#main")),
        Form::new(format!("redis-sentinel://{both}/3#main")).database(3),
        Form::new(format!("Redis-Sentinel://{alone}?sentinelMasterId=main")),
        Form::new(format!(
            "redis-sentinel://{both}?db=4&sentinelmasterid=main#main"
        ))
        .database(4),
        Form::new(format!(
            "redis-sentinel://worker:s3cret@{both}/1?clientName=s&protocol=2#main"
        ))
        .user("worker")
        .name("s")
        .database(1)
        .protocol(2),
    ] {
        place.is_reached_by(&form);
    }
}

#[test]
fn every_form_with_sentinels_and_tls_checks_all_of_them() {
    let certificates = Certificates::new(&["localhost"], Validity::Current);
    let server = TestServer::builder().tls(certificates.server());
    let Some(server) = server.start_with_tls() else {
        return;
    };
    add_worker(&server);
    let port = server.tls_port().unwrap();
    let sentinel = TestSentinel::builder().tls(certificates.server());
    let sentinel = sentinel.monitor("main", port, 1);
    let sentinel = sentinel.start_or_panic(server.binary());
    let at = sentinel.tls_port().unwrap();
    for (verify, trusted) in [
        ("CA", certificates.trusting()),
        ("none", TlsOptions::default()),
    ] {
        let options = ClientOptions::builder().tls(trusted).build();
        let place = Place {
            address: format!("127.0.0.1:{port}"),
            options: options.unwrap(),
            ..Place::tcp(&server)
        };
        let query = format!("verifyPeer={verify}&clientName=s");
        let uri = format!("rediss-sentinel://worker:s3cret@localhost:{at}/1?{query}#main");
        let form = Form::new(uri).user("worker").database(1).name("s");
        place.is_reached_by(&form);
    }
}

#[test]
fn every_form_with_a_cluster_leads_to_its_nodes() {
    let cluster = TestCluster::builder().replicas(0).start_or_panic();
    cluster.nodes().iter().for_each(add_worker);
    let place = Place {
        servers: cluster.nodes(),
        address: "127.0.0.1:".to_owned(),
        options: ClientOptions::default(),
    };
    let (all, one) = (cluster.addresses(), cluster.url_of(&cluster.nodes()[1]));
    for form in [
        Form::new(cluster.url()),
        Form::new(format!("{one}/")),
        Form::new(format!("Redis-Cluster://worker:s3cret@{all}")).user("worker"),
        Form::new(format!(
            "redis-cluster://worker:s3cret@{all}/?clientName=c&protocol=2"
        ))
        .user("worker")
        .name("c")
        .protocol(2),
    ] {
        place.is_reached_by(&form);
    }
}

#[test]
fn every_form_with_a_cluster_and_tls_checks_each_node() {
    let certificates = Certificates::new(&["127.0.0.1"], Validity::Current);
    let cluster = TestCluster::builder().replicas(0);
    let Some(cluster) = cluster.tls(certificates.server()).start_with_tls() else {
        return;
    };
    for (verify, trusted) in [
        ("FULL", certificates.trusting()),
        ("NONE", TlsOptions::default()),
    ] {
        let options = ClientOptions::builder().tls(trusted).build();
        let place = Place {
            servers: cluster.nodes(),
            address: "127.0.0.1:".to_owned(),
            options: options.unwrap(),
        };
        let form = Form::new(format!("{}?verifyPeer={verify}", cluster.url()));
        place.is_reached_by(&form);
    }
}
