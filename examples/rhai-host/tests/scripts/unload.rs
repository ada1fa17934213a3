//! Nothing is left of a script that was unloaded.

use redis_manager_support::TestServer;

use crate::fixture::{stage_on, with_prologue};

/// Clients of every kind, listeners, and calls that never end. One of the listeners has captured itself.
const BUSY: &str = r#"open(ClientType.BASIC);
    let client = open(ClientType.PUB_SUB);
    let listener = ();
    let hear = |channel, message| print(listener);
    listener = client.registerListener(hear, "channel");
    client.registerAsyncListener(hear, "channel:async").registration().get();
    asynchronous().blpop("list", 0).thenAccept(hear);
    commands().set("key", "x");
"#;

#[test]
fn of_a_script_whose_file_is_removed() {
    let server = TestServer::start();
    let mut stage = stage_on(&server, "");
    stage.run_until_told("loaded a");
    stage.remove("a.rhai");
    stage.run_until_told("file removed a");
    let tasks_before = stage.host.manager().resources().alive_tasks();

    stage.write("b.rhai", &with_prologue(BUSY));
    stage.run_until_told("loaded b");
    let script = stage.host.manager().script("b").unwrap();
    let mailbox = stage.host.mailbox("b").unwrap().clone();
    assert_eq!(stage.host.manager().redis_clients(&script).len(), 4);
    assert!(mailbox.tasks() >= 4, "{}", mailbox.tasks());
    stage.run_until("a blocked client", |_| {
        let clients = server.clients().unwrap();
        clients.iter().any(|client| client.cmd == "blpop")
    });

    stage.remove("b.rhai");
    stage.run_until_told("file removed b");
    assert_eq!((mailbox.tasks(), mailbox.unfinished_calls()), (0, 0));
    assert!(stage.host.manager().redis_clients(&script).is_empty());
    stage.run_until("no connection", |_| server.clients().unwrap().is_empty());
    stage.run_until("no task", |host| {
        host.manager().resources().alive_tasks() <= tasks_before
    });
    assert!(stage.printed("b").is_empty());
}

#[test]
fn of_a_script_that_fails() {
    let server = TestServer::start();
    let code = format!(
        "{BUSY}client.publishAsync(\"nobody\", \"x\").thenAccept(|receivers| {{\n\
             throw \"enough\"\n\
         }});"
    );
    let mut stage = stage_on(&server, &code);
    stage.run();
    let told = stage.told();
    assert!(told.contains(&"a.rhai:11: enough".to_owned()), "{told:?}");
    assert!(told.contains(&"failed a".to_owned()), "{told:?}");
    assert!(stage.host.manager().scripts().is_empty());
    stage.run_until("no connection", |_| server.clients().unwrap().is_empty());
}
