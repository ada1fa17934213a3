//! Opening through the manager: every kind of target, with and without options, blocking and
//! asynchronous, typed and by a value.

use redis_manager::prelude::*;
use redis_manager::redis::ProtocolVersion;
use redis_manager::{IntoRedisUri, OpenRedisClient, Protocol};
use redis_manager_support::TestServer;

use crate::fixture::Host;

const TYPES: [ClientType; 3] = [ClientType::Basic, ClientType::Command, ClientType::PubSub];

fn options() -> ClientOptions {
    let options = ClientOptions::builder().command_timeout(Duration::from_millis(4_321));
    options.build().unwrap()
}

/// It is open, for this script, and reaches the server.
#[track_caller]
fn expect_works(client: &AnyClient, host: &Host, kind: ClientType, options: &ClientOptions) {
    assert_eq!(client.client_type(), kind);
    assert_eq!(client.script(), &host.script);
    assert_eq!(client.client_options(), options);
    let listed = host.manager.redis_clients_of_type(&host.script, kind);
    let ids: Vec<_> = listed.iter().map(|client| client.client_id()).collect();
    assert_eq!(ids, [client.client_id()]);
    match client {
        AnyClient::Basic(basic) => assert_eq!(basic.ping().unwrap(), "PONG"),
        AnyClient::Command(command) => {
            let pong: String = redis_manager::redis::cmd("PING")
                .query(&mut command.commands())
                .unwrap();
            assert_eq!(pong, "PONG");
        }
        AnyClient::PubSub(pubsub) => assert_eq!(pubsub.publish("nobody", "x").unwrap(), 0),
    }
    client.close();
}

/// `target` in the eight ways of opening one kind of client by its type or by a value.
#[track_caller]
fn open_typed<C: OpenRedisClient + Into<AnyClient>>(target: impl IntoRedisUri + Clone) {
    let host = Host::new();
    let (manager, script, with) = (&host.manager, &host.script, options());
    let defaults = ClientOptions::default();
    let kind = C::CLIENT_TYPE;

    let client: C = manager.open(script, target.clone()).unwrap();
    expect_works(&client.into(), &host, kind, &defaults);
    let client: C = manager
        .open_with(script, target.clone(), with.clone())
        .unwrap();
    expect_works(&client.into(), &host, kind, &with);
    let client = manager.open_async::<C>(script, target.clone());
    expect_works(
        &pollster::block_on(client).unwrap().into(),
        &host,
        kind,
        &defaults,
    );
    let client = manager.open_with_async::<C>(script, target.clone(), with.clone());
    expect_works(
        &pollster::block_on(client).unwrap().into(),
        &host,
        kind,
        &with,
    );

    let client = manager.open_redis_client(script, kind, target.clone());
    expect_works(&client.unwrap(), &host, kind, &defaults);
    let client = manager.open_redis_client_with(script, kind, target.clone(), with.clone());
    expect_works(&client.unwrap(), &host, kind, &with);
    let client = manager.open_redis_client_async(script, kind, target.clone());
    expect_works(&pollster::block_on(client).unwrap(), &host, kind, &defaults);
    let client = manager.open_redis_client_with_async(script, kind, target, with.clone());
    expect_works(&pollster::block_on(client).unwrap(), &host, kind, &with);
}

#[track_caller]
fn open_all(target: impl IntoRedisUri + Clone) {
    open_typed::<RedisBasicClient>(target.clone());
    open_typed::<RedisCommandClient>(target.clone());
    open_typed::<RedisPubSubClient>(target);
}

fn port() -> u16 {
    TestServer::shared().port()
}

#[test]
fn open_redis_client_by_host_and_port_and_async() {
    open_all(("127.0.0.1", port()));
    open_all(("localhost".to_owned(), port()));
}

#[test]
fn open_redis_client_by_host_port_and_password_and_async() {
    let server = TestServer::builder().password("pa:ss @ü").start_or_panic();
    open_all(("127.0.0.1", server.port(), "pa:ss @ü"));
    open_all(("127.0.0.1", server.port(), Some("pa:ss @ü")));
}

#[test]
fn open_redis_client_by_host_port_and_no_password_and_async() {
    open_all(("127.0.0.1", port(), ""));
    open_all(("127.0.0.1", port(), None));
}

#[test]
fn open_redis_client_by_uri_text_and_async() {
    let url = TestServer::shared().url();
    open_all(url.as_str());
    open_all(url);
}

#[test]
fn open_redis_client_by_redis_uri_and_async() {
    let uri: RedisUri = TestServer::shared().url().parse().unwrap();
    open_all(&uri);
    open_all(uri);
    let host = Host::new();
    let built = host.manager.new_redis_uri().host("127.0.0.1").port(port());
    open_all(built.build().unwrap());
}

#[test]
fn new_client_options_begins_with_the_defaults() {
    let host = Host::new();
    let options = host.manager.new_client_options().build().unwrap();
    assert_eq!(options, ClientOptions::default());
    let client: RedisCommandClient = host.manager.open(&host.script, host.url()).unwrap();
    assert_eq!(client.client_options(), &options);
    assert_eq!(client.connection().client_options(), &options);
    assert_eq!(client.connection().protocol(), Some(ProtocolVersion::RESP3));
}

#[test]
fn the_uris_database_client_name_and_protocol_are_those_of_every_connection() {
    for (protocol, number) in [("2", 2), ("3", 3)] {
        let host = Host::new();
        let url = format!(
            "{}/4?clientName={}&protocol={protocol}",
            TestServer::shared().url(),
            host.name
        );
        // What the URI says, not the option.
        let options = ClientOptions::builder().protocol(Protocol::Auto);
        let options = options.build().unwrap();
        for kind in [ClientType::Command, ClientType::PubSub] {
            let (manager, script) = (&host.manager, &host.script);
            let open = manager.open_redis_client_with(script, kind, &url, options.clone());
            let client = open.unwrap();
            if let Some(pubsub) = client.as_pub_sub() {
                pubsub.register_listener("c", |_| Ok(())).unwrap();
            }
            let seen = host.connections();
            assert!(!seen.is_empty());
            for seen in seen {
                let told = TestServer::shared().told_protocol(number);
                assert_eq!(seen.resp, told, "{}", seen.raw);
                // A RESP2 subscriber has no use for a database.
                if seen.field("sub") == Some("0") {
                    assert_eq!(seen.db, 4, "{}", seen.raw);
                }
            }
            client.close();
            host.expect_connections(0);
        }
    }
}

#[test]
fn the_uris_timeout_is_the_deadline_of_each_call() {
    let server = TestServer::start();
    let host = Host::new();
    let url = format!("{}?timeout=150ms", server.url());
    let (manager, script) = (&host.manager, &host.script);
    let command: RedisCommandClient = manager.open_with(script, &url, options()).unwrap();
    let pubsub: RedisPubSubClient = manager.open_with(script, &url, options()).unwrap();
    server.pause().unwrap();
    let call = command.commands().get::<_, String>("k").unwrap_err();
    let publish = pubsub.publish("c", "m").unwrap_err();
    server.resume().unwrap();
    for error in [Error::from(call), publish] {
        assert_eq!(error.kind(), ErrorKind::Timeout);
        assert!(error.message().contains("150ms"), "{error}");
    }
}

#[test]
fn the_library_tells_the_server_its_name() {
    let server = TestServer::shared();
    let knows_names = server.clients().is_ok_and(|_| {
        let info = server.run(&["CLIENT", "LIST"]).text();
        info.contains("lib-name=")
    });
    if !knows_names {
        return; // Before Redis 7.2.
    }
    let host = Host::new();
    let _: RedisCommandClient = host.open(Protocol::Resp3);
    assert_eq!(host.connections()[0].lib_name, "redis-manager");
}

#[test]
fn redis_clients_and_redis_clients_of_type_list_by_script_in_the_order_of_opening() {
    let host = Host::new();
    let (manager, script) = (&host.manager, &host.script);
    let other = manager.load_script("other").unwrap();
    let mut opened = Vec::new();
    for kind in TYPES.into_iter().chain(TYPES) {
        opened.push(manager.open_redis_client(script, kind, host.url()).unwrap());
        manager.open_redis_client(&other, kind, host.url()).unwrap();
    }
    let ids = |clients: &[AnyClient]| -> Vec<_> {
        clients.iter().map(|client| client.client_id()).collect()
    };
    assert_eq!(ids(&manager.redis_clients(script)), ids(&opened));
    for kind in TYPES {
        let mut expected = opened.clone();
        expected.retain(|client| client.client_type() == kind);
        let listed = manager.redis_clients_of_type(script, kind);
        assert_eq!(ids(&listed), ids(&expected));
    }
    opened.remove(0).close();
    assert_eq!(ids(&manager.redis_clients(script)), ids(&opened));
    assert_eq!(manager.redis_clients(&other).len(), 6);
}

#[test]
fn any_client_says_what_it_is_and_gives_it_out() {
    let host = Host::new();
    let basic: RedisBasicClient = host.open(Protocol::Auto);
    let command: RedisCommandClient = host.open(Protocol::Auto);
    let pubsub: RedisPubSubClient = host.open(Protocol::Auto);
    let any = [
        AnyClient::from(basic.clone()),
        AnyClient::from(command.clone()),
        AnyClient::from(pubsub.clone()),
    ];
    let out: Vec<_> = any
        .iter()
        .map(|any| {
            let basic = any.as_basic().map(|client| client.client_id());
            let command = any.as_command().map(|client| client.client_id());
            let pubsub = any.as_pub_sub().map(|client| client.client_id());
            (basic, command, pubsub)
        })
        .collect();
    assert_eq!(
        out,
        [
            (Some(basic.client_id()), None, None),
            (None, Some(command.client_id()), None),
            (None, None, Some(pubsub.client_id())),
        ]
    );
    let kinds = any.each_ref().map(|client| client.client_type());
    assert_eq!(kinds, TYPES);
}
