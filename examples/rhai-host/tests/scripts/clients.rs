//! Opening, asking and closing clients.

use redis_manager_support::TestServer;

use crate::fixture::{printed_by, stage_on};

#[test]
fn a_client_opens_by_address_or_uri_with_options_or_without() {
    let lines = printed_by(
        r#"let options = redis.newClientOptions().commandTimeout("3s").lazyConnect(false).build();
        let builder = redis.newRedisURI().withHost(REDIS_HOST).withPort(REDIS_PORT);
        builder.withDatabase(3);
        builder.withClientName("name");
        for client in [
            redis.openRedisClient(ClientType.COMMAND, REDIS_HOST, REDIS_PORT, (), options),
            redis.openRedisClient(ClientType.COMMAND, REDIS_HOST, REDIS_PORT, REDIS_PASSWORD),
            redis.openRedisClient(ClientType.COMMAND, REDIS_URI),
            redis.openRedisClient(ClientType.COMMAND, REDIS_URI, options),
            redis.openRedisClient(ClientType.COMMAND, builder.build(), ()),
        ] {
            let uri = client.getRedisURI();
            print([
                client.getClientOptions().commandTimeout, uri.getDatabase(),
                uri.getHost() == REDIS_HOST && uri.getPort() == REDIS_PORT,
                client.getCommands().clientGetname(), client.getClientType(),
                client.getConnection().isOpen(), client.getState(),
            ]);
        }
        exit();"#,
    );
    let open = |timeout, database, name| {
        format!(r#"["{timeout}", {database}, true, {name}, "COMMAND", true, "connected"]"#)
    };
    assert_eq!(
        lines,
        [
            open("3s", 0, "()"),
            open("10s", 0, "()"),
            open("10s", 0, "()"),
            open("3s", 0, "()"),
            open("10s", 3, "\"name\""),
        ]
    );
}

#[test]
fn what_is_no_way_to_open_a_client_is_refused_with_the_reason() {
    let lines = printed_by(
        r#"fn refused(how) { try { how.call() } catch (e) { print(`${e.kind}: ${e.message}`) } }
        refused(|| redis.openRedisClient("SOMETHING", "localhost"));
        refused(|| redis.openRedisClient(ClientType.BASIC, "localhost", 65536));
        refused(|| redis.openRedisClient(ClientType.BASIC, "localhost", 6379, 7));
        refused(|| redis.openRedisClient(ClientType.BASIC, "localhost", 6379, (), "fast"));
        refused(|| redis.openRedisClient(ClientType.BASIC, REDIS_URI, (), ()));
        refused(|| redis.closeRedisClient(redis));
        exit();"#,
    );
    let reasons = [
        "the first argument is ClientType.BASIC, COMMAND or PUB_SUB",
        "openRedisClient: argument 3 must be a whole number from 0 to 65535",
        "openRedisClient: argument 4 must be a string",
        "openRedisClient: options come from newClientOptions()…build()",
        "openRedisClient: too many arguments",
        "this is no client",
    ];
    assert_eq!(lines, reasons.map(|it| format!("InvalidArgument: {it}")));
}

#[test]
fn no_password_is_shown() {
    let lines = printed_by(
        r#"let uri = redis.newRedisURI().withHost("host").withAuthentication("user", "hunter2").build();
        print(uri);
        debug(uri);
        print([uri, #{ uri: uri }]);
        try {
            redis.openRedisClient(ClientType.BASIC, "redis://:hunter2@host:port");
        } catch (e) {
            print(e);
        }
        exit();"#,
    );
    assert!(lines[0].contains("user"), "{}", lines[0]);
    assert!(lines[3].starts_with("a.rhai:7: "), "{}", lines[3]);
    assert!(
        !lines.iter().any(|line| line.contains("hunter2")),
        "{lines:?}"
    );
}

#[test]
fn a_closed_client_is_gone_and_says_so() {
    let server = TestServer::start();
    let mut stage = stage_on(
        &server,
        r#"let first = open(ClientType.COMMAND);
        let second = open(ClientType.PUB_SUB);
        redis.closeRedisClient(first);
        print(first.getState());
        try { first.getCommands().ping() } catch (e) { print(e) }
        redis.closeRedisClientAsync(second).thenAccept(|nothing| print("then " + second.getState()));"#,
    );
    stage.run_until_told("a: then closed");
    let lines = stage.printed("a");
    assert_eq!(lines[0], "closed");
    assert!(lines[1].starts_with("a.rhai:6: PING: "), "{lines:?}");
    // The script is there still.
    assert!(stage.host.mailbox("a").is_some());
    stage.run_until("no connection", |_| server.clients().unwrap().is_empty());
}
