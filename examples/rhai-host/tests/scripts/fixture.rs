//! Scripts on stage.

use std::sync::atomic::{AtomicUsize, Ordering};

use redis_manager_support::TestServer;
use rhai_host::RhaiEngine;
use script_host::Stage;

/// What the scripts of most tests begin with, in one line, so that theirs is the second.
const PROLOGUE: &str = "\
    fn open(kind) { redis.openRedisClient(kind, REDIS_HOST, REDIS_PORT) } \
    fn commands() { open(ClientType.COMMAND).getCommands() } \
    fn asynchronous() { open(ClientType.COMMAND).getAsyncCommands() }\n";

/// `code` after the first line, which offers `open`, `commands` and `asynchronous`, with a name of the test's own for
/// each `NAME` in it.
pub(crate) fn with_prologue(code: &str) -> String {
    format!("{PROLOGUE}{}", code.replace("NAME", &unique()))
}

/// A host of the one script `a.rhai`, on `server`.
#[track_caller]
pub(crate) fn stage_on(server: &TestServer, code: &str) -> Stage<RhaiEngine> {
    let code = with_prologue(code);
    Stage::new(RhaiEngine, &server.url(), &[("a.rhai", &code)])
}

/// The same, on the server that tests share.
#[track_caller]
pub(crate) fn stage(code: &str) -> Stage<RhaiEngine> {
    stage_on(TestServer::shared(), code)
}

/// A key or a channel that no other test uses.
pub(crate) fn unique() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    format!("rhai-host:{}", NEXT.fetch_add(1, Ordering::Relaxed))
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

/// How the script fails, which it must.
#[track_caller]
pub(crate) fn failure_of(code: &str) -> String {
    let mut stage = stage(code);
    stage.run();
    let told = stage.told();
    let mut failures = told.iter().filter(|line| line.starts_with("a.rhai"));
    let (Some(failure), None) = (failures.next(), failures.next()) else {
        panic!("one failure in {told:?}")
    };
    // Nothing runs after it.
    assert!(stage.host.manager().scripts().is_empty());
    failure.clone()
}
