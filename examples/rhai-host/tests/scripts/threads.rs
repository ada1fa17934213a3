//! Where functions of scripts run.

use std::cell::RefCell;
use std::fs;
use std::rc::Rc;
use std::thread;

use redis_manager_support::TestServer;
use rhai_host::RhaiEngine;
use script_host::{Host, HostEvent};

use crate::fixture::with_prologue;

#[test]
fn all_functions_of_a_script_run_on_the_hosts_thread() {
    let folder = tempfile::tempdir().unwrap();
    let code = with_prologue(
        r#"print("body");
        let client = open(ClientType.PUB_SUB);
        client.registerAsyncListener(|channel, message| { print("listener"); exit(); }, "NAME");
        asynchronous().ping().thenAccept(|pong| print("value"));
        asynchronous().nonsense().exceptionally(|failure| {
            print("error");
            client.publishAsync("NAME", "");
        });"#,
    );
    fs::write(folder.path().join("a.rhai"), code).unwrap();
    let seen = Rc::new(RefCell::new(Vec::new()));
    let note = Rc::clone(&seen);
    let server = TestServer::shared().url().parse().unwrap();
    let host = Host::new(RhaiEngine, folder.path(), server, move |event| {
        if let HostEvent::Printed(_, line) = event {
            note.borrow_mut()
                .push((line.clone(), thread::current().id()));
        }
    });
    host.unwrap().run();
    let here = thread::current().id();
    let seen = seen.take();
    assert!(seen.iter().all(|(_, thread)| *thread == here), "{seen:?}");
    let mut lines: Vec<_> = seen.into_iter().map(|(line, _)| line).collect();
    lines.sort();
    assert_eq!(lines, ["body", "error", "listener", "value"]);
}
