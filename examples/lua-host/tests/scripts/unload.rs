//! Nothing is left of a script that was unloaded.

use redis_manager_support::TestServer;

use crate::fixture::{stage_on, unique};

/// Clients of every kind, listeners, and calls that never end.
fn busy(channel: &str) -> String {
    format!(
        "open(ClientType.BASIC)\n\
         local client = open(ClientType.PUB_SUB)\n\
         client:registerListener(print, '{channel}')\n\
         client:registerAsyncListener(print, '{channel}:async'):registration():get()\n\
         async():blpop('{channel}:list', 0):thenAccept(print)\n\
         commands():set('{channel}', 'x')\n"
    )
}

#[test]
fn of_a_script_whose_file_is_removed() {
    let (server, channel) = (TestServer::start(), unique("channel"));
    let mut stage = stage_on(&server, "");
    stage.run_until_told("loaded a");
    stage.remove("a.lua");
    stage.run_until_told("file removed a");
    let tasks_before = stage.host.manager().resources().alive_tasks();

    stage.write("b.lua", &crate::fixture::with_prologue(&busy(&channel)));
    stage.run_until_told("loaded b");
    let script = stage.host.manager().script("b").unwrap();
    let mailbox = stage.host.mailbox("b").unwrap().clone();
    assert_eq!(stage.host.manager().redis_clients(&script).len(), 4);
    assert!(mailbox.tasks() >= 4, "{}", mailbox.tasks());
    stage.run_until("a blocked client", |_| {
        let clients = server.clients().unwrap();
        clients.iter().any(|client| client.cmd == "blpop")
    });

    stage.remove("b.lua");
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
    let (server, channel) = (TestServer::start(), unique("channel"));
    let code = format!(
        "{}client:publishAsync('{channel}:async', 'x'):thenAccept(function()\n\
             error('enough')\n\
         end)",
        busy(&channel)
    );
    let mut stage = stage_on(&server, &code);
    stage.run();
    let told = stage.told();
    assert!(told.contains(&"a.lua:9: enough".to_owned()), "{told:?}");
    assert!(told.contains(&"failed a".to_owned()), "{told:?}");
    assert!(stage.host.manager().scripts().is_empty());
    stage.run_until("no connection", |_| server.clients().unwrap().is_empty());
}
