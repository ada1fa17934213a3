//! Who is trusted over TLS, who is not, and what happens when certificates are renewed.

use redis_manager::prelude::*;
use redis_manager::redis::AsyncConnectionConfig;
use redis_manager::{AnyClient, ClientOptionsBuilder, ManagerConfig, Pem, TlsOptions};
use redis_manager_support::{TestServer, Validity};

use crate::fixture::{Host, PATIENCE, eventually};
use crate::mistakes::everything;
use crate::tls_fixture::{Certificates, HOSTS, Secure, url};

/// What an opening of `url` met; a BASIC client connects by its ping.
fn opening(kind: ClientType, url: &str, options: &ClientOptions) -> Result<(), Error> {
    let host = Host::new();
    let client = host
        .manager
        .open_redis_client_with(&host.script, kind, url, options.clone())?;
    match client {
        AnyClient::Basic(client) => client.ping().map(drop),
        AnyClient::Command(client) => client.session().map(drop),
        AnyClient::PubSub(client) => client.publish("c", "m").map(drop),
    }
}

/// What the raw client of `redis` met.
fn raw(url: &str, options: &ClientOptions) -> Result<(), Error> {
    let host = Host::new();
    let client: RedisBasicClient = host.manager.open_with(&host.script, url, options.clone())?;
    let pool = client.pool()?;
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let got = runtime.block_on(async {
        let pooled = pool.get().await.map(drop);
        let raw = client.redis_client().into_single().unwrap();
        let patient = AsyncConnectionConfig::new().set_connection_timeout(Some(PATIENCE));
        let single = raw.get_multiplexed_async_connection_with_config(&patient);
        let single = single.await.map(drop);
        assert_eq!(pooled.is_ok(), single.is_ok());
        single
    });
    Ok(got?)
}

fn built(options: ClientOptionsBuilder) -> ClientOptions {
    options
        .connect_timeout(Duration::from_secs(5))
        .build()
        .unwrap()
}

#[test]
fn verify_peer_says_how_much_of_the_certificate_counts() {
    let good = Certificates::new(&HOSTS, Validity::Current);
    let others = [
        (
            Certificates::new(&["elsewhere.example"], Validity::Current),
            "is for another host",
            [false, true, true],
        ),
        (
            Certificates::new(&HOSTS, Validity::Expired),
            "has expired",
            [false, false, true],
        ),
        (
            Certificates::new(&HOSTS, Validity::Future),
            "is not valid yet",
            [false, false, true],
        ),
    ];
    let mut cases = vec![(&good, good.trusting(), "", [true, true, true])];
    for (certificates, cause, expected) in &others {
        cases.push((certificates, certificates.trusting(), cause, *expected));
    }
    let stranger = others[0].0.trusting();
    cases.push((
        &good,
        stranger,
        "comes from no authority that is trusted",
        [false, false, true],
    ));
    cases.push((
        &good,
        TlsOptions::default(),
        "comes from no authority that is trusted",
        [false, false, true],
    ));
    for (certificates, tls, cause, expected) in cases {
        let Some(server) = TestServer::builder()
            .tls(certificates.server())
            .start_with_tls()
        else {
            return;
        };
        let options = built(ClientOptions::builder().tls(tls));
        for host in HOSTS {
            for (verify, is_trusted) in ["FULL", "CA", "NONE"].into_iter().zip(expected) {
                let url = format!("{}?verifyPeer={verify}", url(&server, host));
                let theirs = raw(&url, &options);
                assert_eq!(theirs.is_ok(), is_trusted, "{url} {cause}: {theirs:?}");
                for kind in [ClientType::Basic, ClientType::Command, ClientType::PubSub] {
                    match opening(kind, &url, &options) {
                        Ok(()) => assert!(is_trusted, "{url} {cause}"),
                        Err(error) => {
                            assert!(!is_trusted, "{url}: {error}");
                            assert_eq!(error.kind(), ErrorKind::Connect);
                            assert!(error.message().contains(cause), "{error}");
                            let address = format!("{host}:{}", server.tls_port().unwrap());
                            assert!(error.message().contains(&address), "{error}");
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn a_server_that_wants_a_certificate_gets_it_or_says_that_it_misses_one() {
    let certificates = Certificates::new(&HOSTS, Validity::Current);
    let strangers = Certificates::new(&HOSTS, Validity::Current);
    for protocols in ["TLSv1.2", "TLSv1.3"] {
        let mut tls = certificates.server();
        tls.wants_certificates = true;
        let Some(server) = TestServer::builder()
            .tls(tls)
            .args(["--tls-protocols", protocols])
            .start_with_tls()
        else {
            return;
        };
        let url = url(&server, "localhost");
        let text = |name| Pem::text(certificates.read(name));
        let as_text = TlsOptions::default()
            .with_ca(text("ca.pem"))
            .with_client_certificate(text("client.pem"), text("client.key"));
        for tls in [certificates.mutual(), as_text] {
            let options = built(ClientOptions::builder().tls(tls));
            for kind in [ClientType::Basic, ClientType::Command, ClientType::PubSub] {
                opening(kind, &url, &options).unwrap();
            }
            raw(&url, &options).unwrap();
        }
        let none = certificates.trusting();
        let strange = certificates
            .trusting()
            .with_client_certificate(strangers.file("client.pem"), strangers.file("client.key"));
        for (tls, is_told) in [
            (none, "wants a client certificate"),
            (strange, "client certificate"),
        ] {
            let options = built(ClientOptions::builder().tls(tls));
            for kind in [ClientType::Basic, ClientType::Command, ClientType::PubSub] {
                let error = opening(kind, &url, &options).unwrap_err();
                let (kind, message) = (error.kind(), error.message());
                assert!(message.contains(is_told), "{protocols}: {error}");
                let without = message.contains("perhaps it wants a client certificate");
                let expected = match without {
                    true => ErrorKind::Connect,
                    false => ErrorKind::Authentication,
                };
                assert_eq!(kind, expected, "{protocols}: {error}");
            }
            raw(&url, &options).unwrap_err();
        }
    }
}

#[test]
fn certificates_that_are_renewed_on_disk_are_used_from_the_next_connection_on() {
    let certificates = Certificates::new(&HOSTS, Validity::Current);
    let mut tls = certificates.server();
    tls.wants_certificates = true;
    let Some(server) = TestServer::builder().tls(tls).start_with_tls() else {
        return;
    };
    let host = Host::new();
    let options = ClientOptions::builder()
        .tls(certificates.mutual())
        .reconnect_delay(Duration::from_millis(50));
    let client: RedisCommandClient = host
        .manager
        .open_with(&host.script, url(&server, "localhost"), built(options))
        .unwrap();
    let (sender, heard) = std::sync::mpsc::channel();
    let options = ClientOptions::builder().tls(certificates.mutual());
    let pubsub: RedisPubSubClient = host
        .manager
        .open_with(&host.script, url(&server, "localhost"), built(options))
        .unwrap();
    pubsub
        .register_listener("c", move |message: &Message| {
            Ok(sender.send(message.payload().to_vec())?)
        })
        .unwrap();
    for _ in 0..3 {
        certificates.renew(&HOSTS, Validity::Current);
        // What is open stays open.
        let () = client.commands().set("k", "v").unwrap();
        server.restart().unwrap();
        eventually("it is served again", || {
            client.commands().set::<_, _, ()>("k", "v").is_ok()
        });
        let mut session = client.session().unwrap();
        assert_eq!(session.get::<_, String>("k").unwrap(), "v");
        eventually("its subscription is back", || {
            server.run(&["PUBLISH", "c", "m"]).as_int() == Some(1)
        });
        assert_eq!(heard.recv_timeout(crate::fixture::PATIENCE).unwrap(), b"m");
    }
}

#[test]
fn they_are_used_while_connections_that_were_made_with_the_old_ones_stay_open() {
    let certificates = Certificates::new(&HOSTS, Validity::Current);
    let start = || {
        let mut tls = certificates.server();
        tls.wants_certificates = true;
        TestServer::builder().tls(tls).start_with_tls()
    };
    let Some(before) = start() else {
        return;
    };
    let host = Host::new();
    let open_at = |server: &TestServer| -> Result<RedisCommandClient, Error> {
        let options = built(ClientOptions::builder().tls(certificates.mutual()));
        let (manager, script) = (&host.manager, &host.script);
        manager.open_with(script, url(server, "localhost"), options)
    };
    let old = open_at(&before).unwrap();
    certificates.renew(&HOSTS, Validity::Current);
    let after = start().unwrap();
    let new = open_at(&after).unwrap();
    for client in [old, new] {
        let () = client.commands().set("k", "v").unwrap();
    }
    // That one has what was there when it was started.
    let refused = open_at(&before).unwrap_err();
    assert!(refused.message().contains("no authority"), "{refused}");
}

#[test]
fn a_configuration_names_the_files_and_the_environment_may_hold_the_key() {
    let certificates = Certificates::new(&HOSTS, Validity::Current);
    let mut tls = certificates.server();
    tls.wants_certificates = true;
    let Some(server) = TestServer::builder().tls(tls).start_with_tls() else {
        return;
    };
    let path = |name| certificates.path(name).display().to_string();
    let text = format!(
        "[servers.main]
         uri = '{}'
         [servers.main.options.tls]
         ca = '{}'
         certificate = '{}'
         key = '{}'",
        url(&server, "localhost"),
        path("ca.pem"),
        path("client.pem"),
        path("nosuch.key")
    );
    let key = certificates.read("client.key");
    let secret = key.lines().nth(1).unwrap().to_owned();
    let config: ManagerConfig = toml::from_str(&text).unwrap();
    let variables = [("R_SERVERS_MAIN_OPTIONS_TLS_KEY", key)];
    let config = config.with_variables("R", variables).unwrap();
    assert!(!format!("{config:?} {config:#?}").contains(&secret));
    let manager = RedisManager::from_config(config).unwrap();
    let script = manager.load_script("economy").unwrap();
    for kind in [ClientType::Basic, ClientType::Command, ClientType::PubSub] {
        let client = manager.open_redis_client(&script, kind, named("main"));
        assert!(!format!("{client:?}").contains(&secret));
        let client = client.unwrap();
        if let AnyClient::Basic(client) = client {
            assert_eq!(client.ping().unwrap(), "PONG");
        }
    }
}

#[test]
fn a_file_that_is_bad_for_a_while_is_told_and_tried_again() {
    let Some(secure) = Secure::start() else {
        return;
    };
    let host = Host::new();
    let options = secure.options().reconnect_delay(Duration::from_millis(50));
    let client: RedisCommandClient = host
        .manager
        .open_with(&host.script, secure.url(), built(options))
        .unwrap();
    let good = secure.certificates.read("ca.pem");
    secure.certificates.write("ca.pem", "half a certif");
    secure.server.restart().unwrap_err();
    secure.certificates.write("ca.pem", &good);
    let server = &secure.server;
    server.restart().unwrap();
    eventually("it is served again", || {
        client.commands().set::<_, _, ()>("k", "v").is_ok()
    });
    secure.certificates.write("ca.pem", "half a certif");
    server.run(&["CLIENT", "KILL", "TYPE", "normal"]);
    eventually("the cause is told", || match client.state() {
        ClientState::Disconnected { cause } => {
            cause.kind() == ErrorKind::InvalidOptions && cause.message().contains("ca.pem")
        }
        _ => false,
    });
    secure.certificates.write("ca.pem", &good);
    eventually("it is served again", || {
        client.commands().set::<_, _, ()>("k", "v").is_ok()
    });
}

#[test]
fn a_file_that_cannot_be_used_fails_the_opening_and_is_named() {
    let Some(secure) = Secure::start() else {
        return;
    };
    let certificates = &secure.certificates;
    let strangers = Certificates::new(&HOSTS, Validity::Current);
    certificates.write("empty.pem", "");
    let trusting = || certificates.trusting();
    let shown = |certificate: Pem, key: Pem| trusting().with_client_certificate(certificate, key);
    let (client, key) = (
        || certificates.file("client.pem"),
        || certificates.file("client.key"),
    );
    for (tls, parts) in [
        (
            TlsOptions::default().with_ca(certificates.file("nosuch.pem")),
            ["nosuch.pem", "cannot be read: No such file"],
        ),
        (
            TlsOptions::default().with_ca(certificates.file("empty.pem")),
            ["empty.pem", "holds no certificate"],
        ),
        (
            shown(certificates.file("nosuch.pem"), key()),
            ["nosuch.pem", "cannot be read"],
        ),
        (
            shown(client(), certificates.file("client.pem")),
            ["client.pem", "holds no private key"],
        ),
        (shown(key(), key()), ["client.key", "holds no certificate"]),
        (
            shown(client(), strangers.file("client.key")),
            ["client.key", "do not belong together"],
        ),
    ] {
        for lazy in [false, true] {
            let options = ClientOptions::builder().tls(tls.clone()).lazy_connect(lazy);
            let options = built(options);
            for kind in [ClientType::Basic, ClientType::Command, ClientType::PubSub] {
                let error = opening(kind, &secure.url(), &options).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::InvalidOptions, "{error}");
                for part in parts {
                    assert!(error.message().contains(part), "{error}");
                }
            }
        }
    }
}

#[test]
fn no_key_is_told_by_anything() {
    let Some(secure) = Secure::start() else {
        return;
    };
    let certificates = &secure.certificates;
    let key = certificates.read("client.key");
    let line = key.lines().nth(1).unwrap();
    // One that is good, one that is cut off, and one of somebody else.
    let other = Certificates::new(&HOSTS, Validity::Current).read("client.key");
    let half = key.get(..key.len() / 2).unwrap();
    for text in [key.as_str(), half, &other] {
        let secret = text.lines().nth(1).unwrap();
        let certificate = Pem::text(certificates.read("client.pem"));
        let tls = certificates
            .trusting()
            .with_client_certificate(certificate, Pem::text(text));
        let options = built(ClientOptions::builder().tls(tls));
        let mut told = format!("{options:?} {options:#?}");
        told.push_str(&serde_json::to_string(&options).unwrap_err().to_string());
        let host = Host::new();
        let open = host.manager.open_with(&host.script, secure.url(), options);
        match open {
            Ok(client) => {
                let client: RedisBasicClient = client;
                told.push_str(&format!("{client:?} {:?}", client.client_options()));
                told.push_str(&format!("{:?}", client.redis_client()));
                let raw = client.redis_client().into_single().unwrap();
                told.push_str(&format!("{raw:?} {:?}", client.pool()));
            }
            Err(error) => told.push_str(&everything(&error)),
        }
        assert!(!told.contains(secret) && !told.contains(line), "{told}");
    }
}
