//! A form of a URI, and the place to which it leads: what it says is what the server sees of each connection.

use redis_manager::prelude::*;
use redis_manager::redis::{self, ConnectionLike};
use redis_manager_support::{ClientInfo, TestServer};

use crate::fixture::{Host, eventually};
use crate::listening::{hearing, next_text};

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

/// Lets `worker` log in on `server`.
pub(crate) fn add_worker(server: &TestServer) {
    let rule = ["on", ">s3cret", "~*", "+@all", "allchannels"];
    server.run(&[["ACL", "SETUSER", "worker"].as_slice(), &rule].concat());
}
