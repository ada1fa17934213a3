//! The table of commands against those that a server has.

use std::collections::BTreeMap;

use redis_manager::prelude::*;
use redis_manager::redis::{Cmd, Value, cmd, from_redis_value};
use redis_manager::{Protocol, RedisCommands};
use redis_manager_core::route::{Route, route};
use redis_manager_support::TestServer;

use crate::fixture::Host;

fn commands() -> (Host, RedisCommands) {
    let host = Host::new();
    let client: RedisCommandClient = host.open(Protocol::Resp3);
    let commands = client.commands();
    (host, commands)
}

fn words(line: &str) -> Cmd {
    let mut cmd = Cmd::new();
    cmd.arg(line.split(' ').collect::<Vec<_>>());
    cmd
}

/// A call of the command that blocks, if it does at all.
fn blocking_call(name: &str) -> Cmd {
    words(&match name {
        "xread" => "xread BLOCK 0 STREAMS key $".to_owned(),
        "xreadgroup" => "xreadgroup GROUP group consumer BLOCK 0 STREAMS key >".to_owned(),
        _ => format!("{name} key 0"),
    })
}

#[test]
fn no_command_that_blocks_on_this_server_runs_on_the_shared_connection() {
    let (_host, mut commands) = commands();
    let all: Vec<Vec<Value>> = cmd("COMMAND").query(&mut commands).unwrap();
    let mut blocking = Vec::new();
    for mut entry in all {
        let flags: Vec<String> = from_redis_value(entry.swap_remove(2)).unwrap();
        if flags.iter().any(|flag| flag == "blocking") {
            blocking.push(from_redis_value::<String>(entry.swap_remove(0)).unwrap());
        }
    }
    if blocking.is_empty() {
        TestServer::shared().not_tried("does not tell which commands block");
        return;
    }
    assert!(blocking.iter().any(|name| name == "blpop"), "{blocking:?}");
    for name in blocking {
        let route = route(&blocking_call(&name));
        assert_ne!(route.ok(), Some(Route::Shared), "{name}");
    }
}

/// All commands of the groups that speak of the connection, and whether the shared one carries them.
const OF_THE_CONNECTION: [(&str, bool); 44] = [
    ("auth", false),
    ("client", true),
    ("client caching", false),
    ("client capa", false),
    ("client getname", true),
    ("client getredir", true),
    ("client help", true),
    ("client id", true),
    ("client import-source", false),
    ("client info", true),
    ("client kill", true),
    ("client list", true),
    ("client no-evict", false),
    ("client no-touch", false),
    ("client pause", true),
    ("client reply", false),
    ("client setinfo", false),
    ("client setname", false),
    ("client tracking", false),
    ("client trackinginfo", true),
    ("client unblock", true),
    ("client unpause", true),
    ("discard", false),
    ("echo", true),
    ("exec", false),
    ("hello", false),
    ("multi", false),
    ("ping", true),
    ("psubscribe", false),
    ("publish", true),
    ("pubsub", true),
    ("punsubscribe", false),
    ("quit", false),
    ("reset", false),
    ("select", false),
    ("spublish", true),
    ("ssubscribe", false),
    ("subscribe", false),
    ("sunsubscribe", false),
    ("unsubscribe", false),
    ("unwatch", false),
    ("watch", false),
    ("readonly", false),
    ("readwrite", false),
];

#[test]
fn every_command_of_this_server_that_speaks_of_the_connection_is_decided_on() {
    if !TestServer::shared().is_tried_with("COMMAND|DOCS") {
        return;
    }
    let (_host, mut commands) = commands();
    let mut of_the_connection = Vec::new();
    let docs: BTreeMap<String, BTreeMap<String, Value>> =
        cmd("COMMAND").arg("DOCS").query(&mut commands).unwrap();
    for (name, mut doc) in docs {
        let group: String = from_redis_value(doc.remove("group").unwrap()).unwrap();
        if !["connection", "transactions", "pubsub"].contains(&group.as_str()) {
            continue;
        }
        // Those of PUBSUB only ask.
        let subcommands = doc.remove("subcommands").filter(|_| name != "pubsub");
        if let Some(subcommands) = subcommands {
            let subcommands: BTreeMap<String, Value> = from_redis_value(subcommands).unwrap();
            of_the_connection.extend(subcommands.into_keys().map(|name| name.replace('|', " ")));
        }
        of_the_connection.push(name);
    }
    assert!(of_the_connection.len() > 30, "{of_the_connection:?}");
    for name in of_the_connection {
        let known = OF_THE_CONNECTION.iter().find(|(known, _)| *known == name);
        let (_, is_shared) = known.unwrap_or_else(|| panic!("{name} is new: may it be shared?"));
        assert_eq!(route(&words(&name)).is_ok(), *is_shared, "{name}");
    }
}
