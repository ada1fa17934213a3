//! Opening, asking and closing clients.

use redis_manager_support::TestServer;

use crate::fixture::{printed_by, stage_on, unique};

#[test]
fn a_client_opens_by_address_or_uri_with_options_or_without() {
    let name = unique("name");
    let lines = printed_by(&format!(
        "local options = redis.newClientOptions():commandTimeout('3s'):lazyConnect(false):build()\n\
         local builder = redis.newRedisURI():withHost(REDIS_HOST):withPort(REDIS_PORT)\n\
         builder:withDatabase(3)\n\
         builder:withClientName('{name}')\n\
         for _, client in ipairs {{\n\
             redis.openRedisClient(ClientType.COMMAND, REDIS_HOST, tostring(REDIS_PORT), nil, options),\n\
             redis.openRedisClient(ClientType.COMMAND, REDIS_URI),\n\
             redis.openRedisClient(ClientType.COMMAND, REDIS_URI, options),\n\
             redis.openRedisClient(ClientType.COMMAND, builder:build(), nil),\n\
         }} do\n\
             local uri = client:getRedisURI()\n\
             print(client:getClientOptions().commandTimeout, uri:getDatabase(),\n\
                 uri:getHost() == REDIS_HOST and uri:getPort() == REDIS_PORT,\n\
                 client:getCommands():clientGetname(), client:getClientType(),\n\
                 client:getConnection():isOpen())\n\
         end\n\
         exit()"
    ));
    assert_eq!(
        lines,
        [
            "3s\t0\ttrue\tnil\tCOMMAND\ttrue",
            "10s\t0\ttrue\tnil\tCOMMAND\ttrue",
            "3s\t0\ttrue\tnil\tCOMMAND\ttrue",
            &format!("10s\t3\ttrue\t{name}\tCOMMAND\ttrue"),
        ]
    );
}

#[test]
fn no_password_is_shown() {
    let lines = printed_by(
        "print(redis.newRedisURI():withHost('host'):withAuthentication('user', 'hunter2'):build())\n\
         print(pcall(redis.openRedisClient, ClientType.BASIC, 'redis://:hunter2@host:port'))\n\
         exit()",
    );
    assert!(lines[0].contains("user"), "{}", lines[0]);
    assert!(lines[1].starts_with("false"), "{}", lines[1]);
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
        "local first, second = open(ClientType.COMMAND), open(ClientType.PUB_SUB)\n\
         redis.closeRedisClient(first)\n\
         print(first:getState(), pcall(function() first:getCommands():ping() end))\n\
         redis.closeRedisClientAsync(second):thenAccept(function()\n\
             print(second:getState())\n\
         end)",
    );
    stage.run_until_told("a: closed");
    let lines = stage.printed("a");
    assert!(
        lines[0].starts_with("closed\tfalse\ta.lua:4: PING: "),
        "{lines:?}"
    );
    // The script is there still.
    assert!(stage.host.mailbox("a").is_some());
    stage.run_until("no connection", |_| server.clients().unwrap().is_empty());
}
