//! The scripts that come with the host.

use std::process::{Command, Stdio};
use std::time::Duration;

use redis_manager_support::TestServer;
use rhai_host::RhaiEngine;
use script_host::Stage;
use wait_timeout::ChildExt;

const FILES: [(&str, &str); 3] = [
    ("general.rhai", include_str!("../../scripts/general.rhai")),
    ("command.rhai", include_str!("../../scripts/command.rhai")),
    ("pubsub.rhai", include_str!("../../scripts/pubsub.rhai")),
];

#[test]
fn each_does_what_it_is_there_for_and_exits() {
    let server = TestServer::builder().password("s3cret").start_or_panic();
    let mut stage = Stage::new(RhaiEngine, &server.url_with_password(), &FILES);
    stage.run();

    let address = format!("the underlying client is for 127.0.0.1:{}", server.port());
    assert_eq!(stage.printed("general"), [&address, "ping: PONG"]);
    assert_eq!(
        stage.printed("command"),
        [
            "Helloredis!",
            "the counter is at 42",
            "WRONGTYPE in line 14: Operation against a key holding the wrong kind of value",
            "later: Helloredis!",
        ]
    );
    let mut heard = stage.printed("pubsub");
    // What comes first is the server's to say.
    heard[..2].sort();
    assert_eq!(
        heard,
        [
            "clients that received it: 1",
            "received a message on channel 'test_channel': This is a test message!",
            "registered: false",
        ]
    );
    let told = stage.told();
    for name in ["general", "command", "pubsub"] {
        for line in [format!("loaded {name}"), format!("exited {name}")] {
            assert!(told.contains(&line), "{line} in {told:?}");
        }
    }
    // Two lines for each script, and the nine that they print: no failure.
    assert_eq!(told.len(), 15, "{told:?}");
    stage.run_until("no connection", |_| server.clients().unwrap().is_empty());
}

#[test]
fn the_program_starts_a_server_runs_them_and_stops_by_itself() {
    let mut program = Command::new(env!("CARGO_BIN_EXE_rhai-host"))
        .env_remove("REDIS_URL")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let ended = program.wait_timeout(Duration::from_secs(120)).unwrap();
    if ended.is_none() {
        program.kill().unwrap();
    }
    let output = String::from_utf8(program.wait_with_output().unwrap().stdout).unwrap();
    assert!(ended.is_some_and(|status| status.success()), "{output}");
    for line in [
        "[general] ping: PONG",
        "[command] Helloredis!",
        "[pubsub] clients that received it: 1",
    ] {
        assert!(output.lines().any(|it| it == line), "{line} in {output}");
    }
}
