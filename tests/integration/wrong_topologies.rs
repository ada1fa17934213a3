//! A sentinel, a server or a node of a cluster where the URI has another of them: the error says by which scheme the right URI
//! would begin.

use redis_manager::prelude::*;
use redis_manager::redis::{RedisError, Value, cmd, pipe};
use redis_manager::{ScriptCommand, ScriptOptions};
use redis_manager_support::{TestCluster, TestSentinel, TestServer};

use crate::fixture::{Host, PROTOCOLS};
use crate::mistakes::{PASSWORD, everything};
use crate::reconnect::{open, options};
use crate::sentinel::{knowing, url};

const CONNECTED: [ClientType; 2] = [ClientType::Command, ClientType::PubSub];
/// What is said of a sentinel by whoever asks one for data.
const SENTINEL: &str = "begins with redis-sentinel://";

/// Opens clients at `url`, which fail, and say all `parts`, each once.
#[track_caller]
fn expect(url: &str, parts: &[&str]) {
    for protocol in PROTOCOLS {
        for kind in CONNECTED {
            let host = Host::new();
            let options = options(protocol).build().unwrap();
            let opened = host
                .manager
                .open_redis_client_with(&host.script, kind, url, options);
            let error = opened.unwrap_err();
            for part in parts {
                let times = error.message().matches(part).count();
                assert_eq!(times, 1, "{part}: {error}");
            }
        }
    }
}

#[track_caller]
fn expect_sentinel(error: impl Into<Error>) {
    let error = error.into();
    let hints = error.message().matches(SENTINEL).count();
    assert_eq!(hints, 1, "{error}");
    assert_eq!(error.kind(), ErrorKind::Server, "{error}");
    assert_eq!(error.delivery(), Some(Delivery::Replied), "{error}");
}

fn direct(sentinel: &TestSentinel) -> String {
    format!("redis://127.0.0.1:{}", sentinel.port())
}

#[test]
fn a_sentinel_can_be_spoken_to_and_has_no_data() {
    let server = TestServer::shared();
    let sentinel = knowing(server);
    for protocol in PROTOCOLS {
        let host = Host::new();
        let client: RedisCommandClient = open(&host, direct(&sentinel), options(protocol));
        let mut commands = client.commands();
        let known: Vec<String> = cmd("SENTINEL")
            .arg("GET-MASTER-ADDR-BY-NAME")
            .arg("main")
            .query(&mut commands)
            .unwrap();
        assert_eq!(known, ["127.0.0.1".to_owned(), server.port().to_string()]);
        let asynchronous = pollster::block_on(async {
            let mut session = client.session_async().await.unwrap();
            let one = client.async_commands().get::<_, Value>("k").await;
            [one, session.set("k", "v").await]
        });
        let mut session = client.session().unwrap();
        let outcomes = [
            commands.get::<_, Value>("k"),
            commands.hset("k", "f", 1),
            commands.blpop("k", 1.0),
            cmd("SET").arg("k").arg(1).query(&mut commands),
            session.del("k"),
        ];
        for outcome in outcomes.into_iter().chain(asynchronous) {
            let error: RedisError = outcome.unwrap_err();
            assert!(error.to_string().contains(SENTINEL), "{error}");
            assert_eq!(error.code(), Some("ERR"));
            expect_sentinel(error);
        }
        expect_sentinel(session.transaction::<Value>("k", |_| Ok(())).unwrap_err());
        let mut pipeline = pipe();
        let plain = pipeline.get("k").query::<Value>(&mut commands);
        expect_sentinel(plain.unwrap_err());
        let atomic = pipeline.atomic().query::<Value>(&mut commands);
        expect_sentinel(atomic.unwrap_err());
        // What no server has either says nothing of that.
        let mistyped = cmd("GTE").arg("k").exec(&mut commands).unwrap_err();
        assert!(!Error::from(mistyped).message().contains("sentinel"));
        let pubsub: RedisPubSubClient = open(&host, direct(&sentinel), options(protocol));
        pubsub.register_listener("+sdown", |_| Ok(())).unwrap();
        expect_sentinel(pubsub.publish("news", "m").unwrap_err());
    }
}

#[test]
fn who_publishes_by_a_sentinel_is_told_so_by_every_way() {
    let sentinel = knowing(TestServer::shared());
    for protocol in PROTOCOLS {
        let host = Host::new();
        let client: RedisCommandClient = open(&host, direct(&sentinel), options(protocol));
        let mut commands = client.commands();
        let typed: RedisError = commands.publish::<_, _, i64>("news", "m").unwrap_err();
        assert!(typed.to_string().contains(SENTINEL), "{typed}");
        expect_sentinel(typed);
        let by_name = ScriptCommand::new("publish", ["news", "m"]).unwrap();
        expect_sentinel(by_name.call(&client).unwrap_err());
        let mut session = client.session().unwrap();
        expect_sentinel(session.publish::<_, _, i64>("news", "m").unwrap_err());
        let mut pipeline = pipe();
        let piped = pipeline.publish("news", "m").query::<Value>(&mut commands);
        expect_sentinel(piped.unwrap_err());
        let pubsub: RedisPubSubClient = open(&host, direct(&sentinel), options(protocol));
        let published = pollster::block_on(pubsub.publish_async("news", "m"));
        expect_sentinel(published.unwrap_err());
        let connection = pubsub.connection();
        let raw = connection.request(cmd("PUBLISH").arg("news").arg("m"));
        expect_sentinel(
            raw.and_then(|reply| Ok(reply.extract_error()?))
                .unwrap_err(),
        );
    }
}

#[test]
fn servers_that_are_given_a_sentinels_login_are_told_to_be_no_sentinels() {
    let hint =
        "the URI of one server begins with redis://, that of a cluster with redis-cluster://";
    let open_one = TestServer::start();
    let guarded = TestServer::builder().password(PASSWORD).start_or_panic();
    for server in [&open_one, &guarded] {
        for protocol in PROTOCOLS {
            let host = Host::new();
            let login = std::sync::Arc::new(Credentials::new(PASSWORD));
            let options = options(protocol)
                .sentinel_credentials(login)
                .build()
                .unwrap();
            let address = format!("127.0.0.1:{}", server.port());
            let url = format!("redis-sentinel://{address}#main");
            for kind in CONNECTED {
                let opened =
                    host.manager
                        .open_redis_client_with(&host.script, kind, &url, options.clone());
                let error = opened.unwrap_err();
                for part in [hint, &address] {
                    assert_eq!(error.message().matches(part).count(), 1, "{error}");
                }
                assert!(!error.message().contains("withheld"), "{error}");
                assert!(!everything(&error).contains(PASSWORD), "{error:?}");
            }
        }
    }
}

#[test]
fn a_database_of_a_sentinel_cannot_be_opened() {
    let sentinel = knowing(TestServer::shared());
    let url = format!("{}/3", direct(&sentinel));
    let address = format!("127.0.0.1:{}", sentinel.port());
    expect(&url, &[&address, SENTINEL]);
}

#[test]
fn a_script_with_a_key_prefix_is_told_of_the_sentinel_too() {
    let (sentinel, host) = (knowing(TestServer::shared()), Host::new());
    let prefixed = ScriptOptions::default().with_key_prefix("shop:".parse().unwrap());
    let script = host.manager.load_script_with("shop", prefixed).unwrap();
    let client: RedisCommandClient = host.manager.open(&script, direct(&sentinel)).unwrap();
    let error = client.commands().get::<_, Value>("k").unwrap_err();
    let error = Error::from(error);
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(error.message().contains(SENTINEL), "{error}");
}

#[test]
fn a_sentinel_is_no_node_of_a_cluster() {
    let sentinel = knowing(TestServer::shared());
    let address = format!("127.0.0.1:{}", sentinel.port());
    let url = format!("redis-cluster://{address}");
    let hint = format!("{address} is no node of a cluster");
    expect(&url, &[&hint, SENTINEL]);
}

#[test]
fn a_server_is_no_node_of_a_cluster() {
    let address = format!("127.0.0.1:{}", TestServer::shared().port());
    let hint = "the URI of one server begins with redis://";
    expect(&format!("redis-cluster://{address}"), &[&address, hint]);
}

#[test]
fn a_client_that_connects_late_is_told_the_same_by_its_first_call() {
    let sentinel = knowing(TestServer::shared());
    let hint = "the URI of one server begins with redis://";
    for protocol in PROTOCOLS {
        for (port, hint) in [
            (TestServer::shared().port(), hint),
            (sentinel.port(), SENTINEL),
        ] {
            let (host, url) = (Host::new(), format!("redis-cluster://127.0.0.1:{port}"));
            let late = options(protocol).lazy_connect(true);
            let late = late.command_timeout(Duration::from_secs(1));
            let client: RedisCommandClient = open(&host, url, late);
            let error = Error::from(client.commands().get::<_, Value>("k").unwrap_err());
            assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
            assert_eq!(error.delivery(), Some(Delivery::NotSent), "{error}");
            assert!(error.message().contains(hint), "{error}");
        }
    }
}

#[test]
fn a_server_and_a_node_of_a_cluster_are_no_sentinels() {
    let server = TestServer::shared();
    let node = TestCluster::shared().masters()[0];
    let [server, node] = [server, node].map(|it| format!("127.0.0.1:{}", it.port()));
    let hint =
        "the URI of one server begins with redis://, that of a cluster with redis-cluster://";
    for nodes in [server.clone(), node.clone(), format!("{server},{node}")] {
        let url = format!("redis-sentinel://{nodes}#main");
        let mut parts = vec![hint];
        parts.extend(nodes.split(','));
        expect(&url, &parts);
    }
    // One that is a sentinel is enough.
    let sentinel = knowing(TestServer::shared());
    let url = url(&[&sentinel], "#main").replace("://", &format!("://{server},"));
    let _: RedisCommandClient = open(&Host::new(), url, options(PROTOCOLS[0]));
}
