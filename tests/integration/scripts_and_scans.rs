//! Lua scripts and cursors, which `redis` builds on several commands each.

use std::collections::BTreeSet;

use futures_util::StreamExt;
use redis_manager::prelude::*;
use redis_manager::redis::{self, AsyncIter, ScanOptions, ServerErrorKind};

use crate::fixture::{Host, PROTOCOLS, unique};

/// More than the server hands out at a time.
const MANY: usize = 1_200;

/// A script that no other test has loaded.
fn fresh_script() -> redis::Script {
    redis::Script::new(&format!(
        "return {{KEYS[1], ARGV[1] + 1, '{}'}}",
        unique("script")
    ))
}

fn is_loaded(client: &RedisCommandClient, script: &redis::Script) -> bool {
    let loaded: Vec<bool> = redis::cmd("SCRIPT")
        .arg("EXISTS")
        .arg(script.get_hash())
        .query(&mut client.commands())
        .unwrap();
    loaded[0]
}

#[test]
fn commands_run_a_lua_script_that_the_server_does_not_know_and_again_when_it_does() {
    for protocol in PROTOCOLS {
        let host = Host::new();
        let client: RedisCommandClient = host.open(protocol);
        let script = fresh_script();
        let mut commands = client.commands();
        let unknown = redis::cmd("EVALSHA")
            .arg(script.get_hash())
            .arg(0)
            .exec(&mut commands)
            .unwrap_err();
        let no_script = redis::ErrorKind::Server(ServerErrorKind::NoScript);
        assert_eq!(unknown.kind(), no_script);
        assert!(!is_loaded(&client, &script));
        for _ in 0..2 {
            let (key, raised): (String, i64) = {
                let reply: (String, i64, String) =
                    script.key("k").arg(41).invoke(&mut commands).unwrap();
                (reply.0, reply.1)
            };
            assert_eq!((key.as_str(), raised), ("k", 42));
            assert!(is_loaded(&client, &script));
        }
    }
}

#[test]
fn async_commands_run_a_lua_script_that_the_server_does_not_know_and_again_when_it_does() {
    for protocol in PROTOCOLS {
        let host = Host::new();
        let client: RedisCommandClient = host.open(protocol);
        let script = fresh_script();
        pollster::block_on(async {
            let mut commands = client.async_commands();
            for _ in 0..2 {
                let reply: (String, i64, String) = script
                    .key("k")
                    .arg(1)
                    .invoke_async(&mut commands)
                    .await
                    .unwrap();
                assert_eq!((reply.0.as_str(), reply.1), ("k", 2));
            }
        });
        assert!(is_loaded(&client, &script));
    }
}

#[test]
fn a_lua_script_is_loaded_by_hand_and_its_own_error_is_the_servers() {
    let host = Host::new();
    let client: RedisCommandClient = host.open(PROTOCOLS[1]);
    let script = fresh_script();
    assert_eq!(
        script.load(&mut client.commands()).unwrap(),
        script.get_hash()
    );
    let failing = redis::Script::new("return redis.error_reply('MYCODE deliberate')");
    let error = failing.invoke::<()>(&mut client.commands()).unwrap_err();
    assert_eq!(error.code(), Some("MYCODE"));
    assert_eq!(error.detail(), Some("deliberate"));
}

fn members() -> BTreeSet<String> {
    (0..MANY).map(|number| format!("m{number}")).collect()
}

/// Keys, a hash, a set and a sorted set of [`MANY`] members each.
fn fill(client: &RedisCommandClient, prefix: &str) {
    let mut pipeline = redis::pipe();
    for member in members() {
        pipeline.set(format!("{prefix}:{member}"), 1).ignore();
        pipeline.hset(format!("{prefix}-h"), &member, 1).ignore();
        pipeline.sadd(format!("{prefix}-s"), &member).ignore();
        pipeline.zadd(format!("{prefix}-z"), &member, 2).ignore();
    }
    pipeline.exec(&mut client.commands()).unwrap();
}

fn keys(prefix: &str) -> BTreeSet<String> {
    let named = |member| format!("{prefix}:{member}");
    members().into_iter().map(named).collect()
}

fn all<T>(items: impl Iterator<Item = redis::RedisResult<T>>) -> Vec<T> {
    items.map(Result::unwrap).collect()
}

#[test]
fn commands_iterate_with_scan_hscan_sscan_and_zscan_over_more_than_a_page() {
    for protocol in PROTOCOLS {
        let host = Host::new();
        expect_iterations(&host.open(protocol));
    }
}

/// Goes over all that it has filled in, in each way.
#[track_caller]
pub(crate) fn expect_iterations(client: &RedisCommandClient) {
    let prefix = unique("scan");
    fill(client, &prefix);
    let mut commands = client.commands();

    let found: Vec<String> = all(commands.scan_match(format!("{prefix}:*")).unwrap());
    assert_eq!(BTreeSet::from_iter(found), keys(&prefix));

    let found: Vec<String> = all(commands.scan_options(of_strings(&prefix)).unwrap());
    assert_eq!(BTreeSet::from_iter(found), keys(&prefix));

    let found: Vec<(String, i64)> = all(commands.hscan(format!("{prefix}-h")).unwrap());
    assert!(found.iter().all(|(_, value)| *value == 1));
    let fields = found.into_iter().map(|(field, _)| field);
    assert_eq!(BTreeSet::from_iter(fields), members());

    let found: Vec<String> = all(commands.sscan(format!("{prefix}-s")).unwrap());
    assert_eq!(BTreeSet::from_iter(found), members());

    let found: Vec<(String, f64)> = all(commands.zscan(format!("{prefix}-z")).unwrap());
    assert!(found.iter().all(|(_, score)| *score == 2.0));
    let names = found.into_iter().map(|(name, _)| name);
    assert_eq!(BTreeSet::from_iter(names), members());
}

/// Of all that was filled in with `prefix`.
fn of_strings(prefix: &str) -> ScanOptions {
    let options = ScanOptions::default().with_pattern(format!("{prefix}*"));
    options.with_count(7).with_type("string")
}

async fn all_async<T: redis::FromRedisValue + Unpin + Send>(mut items: AsyncIter<'_, T>) -> Vec<T> {
    let mut found = Vec::new();
    while let Some(item) = items.next().await {
        found.push(item.unwrap());
    }
    found
}

#[test]
fn async_commands_iterate_with_scan_hscan_sscan_and_zscan_over_more_than_a_page() {
    for protocol in PROTOCOLS {
        let host = Host::new();
        pollster::block_on(expect_iterations_async(&host.open(protocol)));
    }
}

/// As [`expect_iterations`].
pub(crate) async fn expect_iterations_async(client: &RedisCommandClient) {
    let prefix = unique("scan");
    fill(client, &prefix);
    let mut commands = client.async_commands();
    let pattern = format!("{prefix}:*");
    let found: Vec<String> = all_async(commands.scan_match(pattern).await.unwrap()).await;
    assert_eq!(BTreeSet::from_iter(found), keys(&prefix));

    let scan = commands.scan_options(of_strings(&prefix)).await.unwrap();
    let found: Vec<String> = all_async(scan).await;
    assert_eq!(BTreeSet::from_iter(found), keys(&prefix));

    let scan = commands.hscan(format!("{prefix}-h")).await.unwrap();
    let found: Vec<(String, i64)> = all_async(scan).await;
    let fields = found.into_iter().map(|(field, _)| field);
    assert_eq!(BTreeSet::from_iter(fields), members());

    let scan = commands.sscan(format!("{prefix}-s")).await.unwrap();
    let found: Vec<String> = all_async(scan).await;
    assert_eq!(BTreeSet::from_iter(found), members());

    let scan = commands.zscan(format!("{prefix}-z")).await.unwrap();
    let found: Vec<(String, f64)> = all_async(scan).await;
    let names = found.into_iter().map(|(name, _)| name);
    assert_eq!(BTreeSet::from_iter(names), members());
}
