//! Scripts on stage.

use std::sync::atomic::{AtomicUsize, Ordering};

use lua_host::LuaEngine;
use redis_manager_support::TestServer;
use script_host::Stage;

/// What the scripts of most tests begin with, in one line, so that theirs is the second.
const PROLOGUE: &str = "\
    local function open(type) return redis.openRedisClient(type, REDIS_HOST, REDIS_PORT) end \
    local function commands() return open(ClientType.COMMAND):getCommands() end \
    local function async() return open(ClientType.COMMAND):getAsyncCommands() end\n";

/// `code` after the first line, which offers `open`, `commands` and `async`.
pub(crate) fn with_prologue(code: &str) -> String {
    format!("{PROLOGUE}{code}")
}

/// A host of the one script `a.lua`, on `server`.
#[track_caller]
pub(crate) fn stage_on(server: &TestServer, code: &str) -> Stage<LuaEngine> {
    Stage::new(LuaEngine, &server.url(), &[("a.lua", &with_prologue(code))])
}

/// The same, on the server that tests share.
#[track_caller]
pub(crate) fn stage(code: &str) -> Stage<LuaEngine> {
    stage_on(TestServer::shared(), code)
}

/// A key or a channel that no other test uses.
pub(crate) fn unique(what: &str) -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    format!("lua-host:{what}:{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// What the script prints before it exits, which it must.
#[track_caller]
pub(crate) fn printed_by(code: &str) -> Vec<String> {
    let mut stage = stage(code);
    stage.run();
    let told = stage.told();
    assert_eq!(
        told.last().map(String::as_str),
        Some("exited a"),
        "{told:?}"
    );
    stage.printed("a")
}
