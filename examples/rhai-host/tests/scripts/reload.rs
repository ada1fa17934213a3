//! Files that change while their script runs.

use redis_manager_support::TestServer;

use crate::fixture::{stage_on, with_prologue};

fn version(channel: &str, name: &str) -> String {
    with_prologue(&format!(
        "open(ClientType.PUB_SUB).registerListener(|channel, message| {{\n\
             print(\"{name} \" + message);\n\
         }}, \"{channel}\");"
    ))
}

#[test]
fn the_changed_script_takes_over_and_nothing_of_the_old_one_is_left() {
    let server = TestServer::start();
    let mut stage = stage_on(&server, "");
    stage.write("a.rhai", &version("channel", "old"));
    stage.run_until_told("loaded a");
    server.run(&["PUBLISH", "channel", "one"]);
    stage.run_until_told("a: old one");
    let before = server.clients().unwrap().len();

    stage.write("a.rhai", &version("channel", "new"));
    stage.run_until_told("replaced a");
    server.run(&["PUBLISH", "channel", "two"]);
    stage.run_until_told("a: new two");
    stage.run_until("as many connections as before", |_| {
        server.clients().unwrap().len() == before
    });
    assert_eq!(
        stage.told(),
        [
            "loaded a",
            "a: old one",
            "reloaded a",
            "replaced a",
            "a: new two"
        ]
    );
}

#[test]
fn a_broken_file_changes_nothing_but_what_is_told() {
    let server = TestServer::start();
    let mut stage = stage_on(&server, "");
    stage.write("a.rhai", &version("channel", "old"));
    stage.run_until_told("loaded a");
    let before = server.clients().unwrap();

    stage.write("a.rhai", "let x = 1;\nlet y = z;");
    stage.run_until_told("a.rhai:2: Variable not found: z");
    // One that fails only when it has opened and registered.
    let broken = format!("{}\nthrow \"broken\"", version("channel", "broken"));
    stage.write("a.rhai", &broken);
    stage.run_until_told("a.rhai:5: broken");

    stage.run_until("the same connections", |_| {
        let ids = |clients: &[redis_manager_support::ClientInfo]| {
            clients.iter().map(|it| it.id).collect::<Vec<_>>()
        };
        ids(&server.clients().unwrap()) == ids(&before)
    });
    server.run(&["PUBLISH", "channel", "still here"]);
    stage.run_until_told("a: old still here");
    assert_eq!(stage.printed("a"), ["old still here"]);
}

#[test]
fn a_thousand_reloads_under_traffic_lose_no_message_and_repeat_none() {
    let server = TestServer::start();
    let mut stage = stage_on(&server, "");
    let script = "\
        let generation = commands().incr(\"generation\");\n\
        let options = redis.newClientOptions().listenerQueueSize(1000000).build();\n\
        let client = redis.openRedisClient(ClientType.PUB_SUB, REDIS_HOST, REDIS_PORT, (), options);\n\
        client.registerListener(|channel, number| { print(`${generation} ${number}`); }, \"channel\");";
    stage.write("a.rhai", &with_prologue(script));
    stage.run_until_told("loaded a");
    stage.reload_under_traffic("a", "channel", 1_000);
}
