//! A script with a key prefix reaches its own keys by their short names, and no others.

use std::collections::BTreeSet;

use redis_manager::prelude::*;
use redis_manager::redis::streams::StreamReadReply;
use redis_manager::redis::{AsyncCommands, Commands, Value, cmd, pipe};
use redis_manager::{OpenRedisClient, Protocol};
use redis_manager_support::TestServer;

use crate::fixture::{Host, PROTOCOLS, unique};

/// A host whose script has a prefix of its own.
pub(crate) fn prefixed() -> (Host, String) {
    let prefix = format!("{}:", unique("prefix"));
    let options = ScriptOptions::default().with_key_prefix(prefix.parse().unwrap());
    (allowed(options), prefix)
}

/// A host whose script is allowed `options`.
pub(crate) fn allowed(options: ScriptOptions) -> Host {
    let mut host = Host::new();
    let script = host.manager.load_script_with(unique("script"), options);
    host.script = script.unwrap();
    host
}

/// What the server has under `key`, whoever's it is.
pub(crate) fn on_server(key: &str) -> String {
    TestServer::shared().run(&["GET", key]).text()
}

#[track_caller]
pub(crate) fn assert_refused<T>(outcome: Result<T, impl Into<Error>>, why: &str) {
    let error: Error = outcome.err().expect("it is refused").into();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
    assert!(error.message().contains(why), "{error}");
}

fn try_open<C>(host: &Host, protocol: Protocol) -> Result<C, Error>
where
    C: OpenRedisClient + Into<AnyClient>,
{
    let options = ClientOptions::builder().protocol(protocol).build()?;
    host.manager.open_with(&host.script, host.url(), options)
}

#[test]
fn keys_have_the_prefix_on_the_server_and_not_in_the_script() {
    for protocol in PROTOCOLS {
        let (host, prefix) = prefixed();
        let client: RedisCommandClient = host.open(protocol);
        let mut commands = client.commands();
        commands.set::<_, _, ()>("balance", 100).unwrap();
        assert_eq!(on_server(&format!("{prefix}balance")), "100");
        assert_eq!(commands.incr::<_, _, i64>("balance", 5).unwrap(), 105);
        commands.mset::<_, _, ()>(&[("a", 1), ("b", 2)]).unwrap();
        let both: Vec<i64> = commands.mget(&["a", "b"]).unwrap();
        assert_eq!(both, [1, 2]);
        assert_eq!(on_server(&format!("{prefix}b")), "2");
        let keys: BTreeSet<String> = commands.keys("*").unwrap();
        assert_eq!(
            keys,
            BTreeSet::from(["a", "b", "balance"].map(str::to_owned))
        );
        let scanned: BTreeSet<String> = commands.scan().unwrap().map(Result::unwrap).collect();
        assert_eq!(scanned, keys);
        let some = commands.scan_match::<_, String>("b*").unwrap();
        assert_eq!(some.count(), 2);
        let reply = client.connection().request(cmd("GET").arg("a")).unwrap();
        assert_eq!(reply, Value::BulkString(b"1".to_vec()));
        let drawn: Option<String> = cmd("RANDOMKEY").query(&mut commands).unwrap();
        assert!(drawn.is_none_or(|key| keys.contains(&key)));
    }
}

#[test]
fn an_asynchronous_iteration_keeps_its_cursor() {
    let (host, _) = prefixed();
    let client: RedisCommandClient = host.open(Protocol::Resp3);
    let mut commands = client.async_commands();
    pollster::block_on(async {
        let mut filling = pipe();
        for number in 0..500 {
            filling.set(format!("key:{number}"), number).ignore();
        }
        filling.exec_async(&mut commands).await.unwrap();
        let mut seen = BTreeSet::new();
        let mut keys = commands.scan_match::<_, String>("key:*").await.unwrap();
        while let Some(key) = keys.next_item().await {
            seen.insert(key.unwrap());
        }
        assert_eq!(seen.len(), 500);
        assert!(seen.contains("key:499"));
    });
}

#[test]
fn another_scripts_keys_cannot_be_reached_by_any_name() {
    let (one, prefix) = prefixed();
    let (other, _) = prefixed();
    let one: RedisCommandClient = one.open(Protocol::Resp3);
    let other: RedisCommandClient = other.open(Protocol::Resp3);
    one.commands().set::<_, _, ()>("secret", "s3cret").unwrap();
    for name in ["secret", &format!("{prefix}secret"), "../secret", "*"] {
        let found: Option<String> = other.commands().get(name).unwrap();
        assert_eq!(found, None);
    }
    assert!(
        other
            .commands()
            .keys::<_, Vec<String>>("*")
            .unwrap()
            .is_empty()
    );
    for line in [
        "FLUSHALL",
        "DBSIZE",
        "EVAL x 0",
        "CONFIG GET *",
        "CLIENT LIST",
        "NOSUCH a",
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        let refused = cmd(words[0]).arg(&words[1..]).exec(&mut other.commands());
        let refused: Error = refused.unwrap_err().into();
        assert_eq!(refused.kind(), ErrorKind::Refused, "{line}");
        assert_eq!(refused.delivery(), Some(Delivery::NotSent));
        assert_eq!(refused.command(), Some(words[0]));
        assert!(refused.client_id().is_some());
    }
    assert_eq!(on_server(&format!("{prefix}secret")), "s3cret");
}

#[test]
fn pipelines_and_transactions_are_mapped_command_by_command() {
    for protocol in PROTOCOLS {
        let (host, prefix) = prefixed();
        let client: RedisCommandClient = host.open(protocol);
        for atomic in [false, true] {
            let mut pipeline = pipe();
            if atomic {
                pipeline.atomic();
            }
            pipeline
                .set("k", 7)
                .ignore()
                .get("k")
                .cmd("KEYS")
                .arg("*")
                .cmd("PING");
            let (value, keys, pong): (i64, Vec<String>, String) =
                pipeline.query(&mut client.commands()).unwrap();
            assert_eq!(
                (value, keys, pong.as_str()),
                (7, vec!["k".to_owned()], "PONG")
            );
            assert_eq!(on_server(&format!("{prefix}k")), "7");
        }
        let mut refused = pipe();
        refused.set("never", 1).cmd("FLUSHALL");
        let error: Error = refused.exec(&mut client.commands()).unwrap_err().into();
        assert_eq!(
            (error.kind(), error.command()),
            (ErrorKind::Refused, Some("FLUSHALL"))
        );
        assert!(!client.commands().exists::<_, bool>("never").unwrap());

        let mut session = client.session().unwrap();
        let (value,): (i64,) = session
            .transaction("k", |tx| {
                let value: i64 = tx.get("k")?;
                tx.queue().set("k", value * 2).ignore().get("k");
                Ok(())
            })
            .unwrap();
        assert_eq!(value, 14);
        assert_eq!(on_server(&format!("{prefix}k")), "14");
    }
}

#[test]
fn a_transaction_made_by_hand_gives_its_replies_without_the_prefix() {
    for protocol in PROTOCOLS {
        let (host, _) = prefixed();
        let client: RedisCommandClient = host.open(protocol);
        let mut session = client.session().unwrap();
        cmd("RPUSH")
            .arg("list")
            .arg("x")
            .exec(&mut session)
            .unwrap();
        cmd("MULTI").exec(&mut session).unwrap();
        cmd("GET").arg("a").exec(&mut session).unwrap();
        // One that the server refuses is not queued, and one that we refuse is not even sent.
        assert!(cmd("GET").arg("a").arg("b").exec(&mut session).is_err());
        assert_refused(cmd("DBSIZE").exec(&mut session), "others");
        assert!(cmd("EXEC").query::<Value>(&mut session).is_err());

        cmd("MULTI").exec(&mut session).unwrap();
        cmd("SET").arg("a").arg(1).exec(&mut session).unwrap();
        assert_refused(cmd("DBSIZE").exec(&mut session), "others");
        cmd("KEYS").arg("*").exec(&mut session).unwrap();
        cmd("BLPOP").arg("list").arg(0).exec(&mut session).unwrap();
        let (done, keys, popped): (String, BTreeSet<String>, (String, String)) =
            cmd("EXEC").query(&mut session).unwrap();
        assert_eq!((done.as_str(), keys.len()), ("OK", 2));
        assert!(keys.contains("a") && keys.contains("list"));
        assert_eq!(popped, ("list".to_owned(), "x".to_owned()));

        let mut whole = pipe();
        whole.cmd("MULTI").cmd("KEYS").arg("*").cmd("EXEC");
        let replies: Vec<Value> = whole.query(&mut session).unwrap();
        let names = vec![Value::BulkString(b"a".to_vec())];
        assert_eq!(replies[2], Value::Array(vec![Value::Array(names)]));
    }
}

#[test]
fn what_is_popped_and_read_is_named_without_the_prefix() {
    for protocol in PROTOCOLS {
        let (host, prefix) = prefixed();
        let client: RedisCommandClient = host.open(protocol);
        let mut commands = client.commands();
        commands
            .rpush::<_, _, ()>("list", &["x", "y", "z"])
            .unwrap();
        let popped: (String, String) = commands.blpop(&["empty", "list"], 1.0).unwrap();
        assert_eq!(popped, ("list".to_owned(), "x".to_owned()));
        let popped: Option<(String, String)> = commands.blpop("empty", 0.01).unwrap();
        assert_eq!(popped, None);
        if TestServer::shared().is_tried_with("LMPOP") {
            let mut lmpop = cmd("LMPOP");
            lmpop.arg(2).arg("empty").arg("list").arg("LEFT");
            let popped: (String, Vec<String>) = lmpop.query(&mut commands).unwrap();
            assert_eq!(popped, ("list".to_owned(), vec!["y".to_owned()]));
        }
        commands.zadd::<_, _, _, ()>("zset", "m", 1).unwrap();
        let popped: (String, String, f64) = commands.bzpopmin("zset", 1.0).unwrap();
        assert_eq!(popped, ("zset".to_owned(), "m".to_owned(), 1.0));

        commands
            .xadd::<_, _, _, _, ()>("s1", "*", &[("f", "v")])
            .unwrap();
        let mut xread = cmd("XREAD");
        xread.arg(&["BLOCK", "1000", "STREAMS", "s1", "s2", "0", "0"]);
        let read: StreamReadReply = xread.query(&mut commands).unwrap();
        assert_eq!(streams(&read), [("s1", 1)]);
        commands
            .xgroup_create::<_, _, _, ()>("s1", "group", 0)
            .unwrap();
        let mut read = cmd("XREADGROUP");
        read.arg(&["GROUP", "group", "me", "STREAMS", "s1", ">"]);
        let read: StreamReadReply = read.query(&mut commands).unwrap();
        assert_eq!(streams(&read), [("s1", 1)]);
        let exists = TestServer::shared().run(&["EXISTS", &format!("{prefix}s1")]);
        assert_eq!(exists.as_int(), Some(1));
    }
}

/// Of which streams entries came, and how many.
fn streams(read: &StreamReadReply) -> Vec<(&str, usize)> {
    let streams = read.keys.iter();
    streams
        .map(|stream| (stream.key.as_str(), stream.ids.len()))
        .collect()
}

#[test]
fn sorting_finds_its_weights_under_the_prefix() {
    let (host, prefix) = prefixed();
    let client: RedisCommandClient = host.open(Protocol::Resp3);
    let mut commands = client.commands();
    commands.rpush::<_, _, ()>("ids", &[1, 2]).unwrap();
    commands
        .mset::<_, _, ()>(&[("weight_1", "2"), ("weight_2", "1")])
        .unwrap();
    commands.hset::<_, _, _, ()>("name_1", "f", "one").unwrap();
    commands.hset::<_, _, _, ()>("name_2", "f", "two").unwrap();
    let mut sort = cmd("SORT");
    sort.arg("ids")
        .arg("BY")
        .arg("weight_*")
        .arg("GET")
        .arg("#")
        .arg("GET")
        .arg("name_*->f");
    let sorted: Vec<String> = sort.query(&mut commands).unwrap();
    assert_eq!(sorted, ["2", "two", "1", "one"]);
    sort.arg("STORE").arg("sorted");
    assert_eq!(sort.query::<i64>(&mut commands).unwrap(), 4);
    let stored = TestServer::shared().run(&["LLEN", &format!("{prefix}sorted")]);
    assert_eq!(stored.as_int(), Some(4));
}

#[test]
fn what_would_go_around_the_prefix_is_not_handed_out() {
    let (host, _) = prefixed();
    let refused = try_open::<RedisBasicClient>(&host, Protocol::Resp3);
    assert_refused(refused, "go around");
    let client: RedisCommandClient = host.open(Protocol::Resp3);
    assert!(matches!(client.redis_client(), UnderlyingClient::Withheld));
    assert!(client.redis_client().into_single().is_none());
    assert!(format!("{:?}", client.redis_client()).contains("Withheld"));
}

#[test]
fn a_server_that_does_not_say_what_commands_it_has_is_an_error_of_the_opening() {
    let server = TestServer::start();
    let mute = [
        "ACL", "SETUSER", "mute", "on", ">pass", "~*", "&*", "+@all", "-command",
    ];
    assert_eq!(server.run(&mute).text(), "OK");
    let url = format!("redis://mute:pass@{}:{}", server.host(), server.port());
    let (host, _) = prefixed();
    let opened = host
        .manager
        .open::<RedisCommandClient>(&host.script, url.as_str());
    let error = opened.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Server, "{error}");
    assert!(error.message().contains("COMMAND"), "{error}");
    let lazy = ClientOptions::builder().lazy_connect(true).build().unwrap();
    let lazy = host
        .manager
        .open_with::<RedisCommandClient>(&host.script, url.as_str(), lazy);
    let lazy = lazy.unwrap();
    let error: Error = lazy.commands().get::<_, Value>("a").unwrap_err().into();
    assert_eq!(
        (error.kind(), error.delivery()),
        (ErrorKind::Server, Some(Delivery::NotSent))
    );
    // The user was allowed it meanwhile.
    assert_eq!(
        server.run(&["ACL", "SETUSER", "mute", "+command"]).text(),
        "OK"
    );
    assert_eq!(lazy.commands().get::<_, Option<String>>("a").unwrap(), None);
    let session: Option<String> = lazy.session().unwrap().get("a").unwrap();
    assert_eq!(session, None);
}

#[test]
fn however_many_scripts_open_clients_the_server_is_asked_once() {
    let server = TestServer::start();
    let host = Host::new();
    let clients: Vec<RedisCommandClient> = (0..20)
        .map(|number| {
            let prefix: KeyPrefix = format!("script-{number}:").parse().unwrap();
            let options = ScriptOptions::default().with_key_prefix(prefix);
            let script = host
                .manager
                .load_script_with(unique("script"), options)
                .unwrap();
            host.manager.open(&script, server.url().as_str()).unwrap()
        })
        .collect();
    for client in &clients {
        client.commands().set::<_, _, ()>("k", 1).unwrap();
        drop(client.session().unwrap());
    }
    let statistics = server.run(&["INFO", "commandstats"]).text();
    let asked = statistics
        .lines()
        .find(|line| line.starts_with("cmdstat_command:"));
    assert!(
        asked.is_some_and(|line| line.contains("calls=1,")),
        "{asked:?}"
    );
    assert_eq!(server.run(&["DBSIZE"]).as_int(), Some(20));
}

#[test]
fn a_lazy_client_asks_when_it_is_first_used() {
    let (host, prefix) = prefixed();
    let lazy = ClientOptions::builder().lazy_connect(true).build().unwrap();
    let client: RedisCommandClient = host.open_with(lazy);
    let mut first = client.async_commands();
    pollster::block_on(first.set::<_, _, ()>("a", 1)).unwrap();
    assert_eq!(on_server(&format!("{prefix}a")), "1");
}
