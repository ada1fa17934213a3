//! Asynchronous calls of scripts.

use crate::fixture::{printed_by, stage};

#[test]
fn calls_reach_the_server_in_the_order_in_which_a_script_makes_them() {
    let lines = printed_by(
        r#"let client = open(ClientType.COMMAND);
        for number in 1..=100 { client.getAsyncCommands().set("NAME", number); }
        print(client.getCommands().get("NAME"));
        exit();"#,
    );
    assert_eq!(lines, ["100"]);
}

#[test]
fn functions_get_the_value_or_the_error_and_get_waits_for_either() {
    let lines = printed_by(
        r#"let c = asynchronous();
        let pong = c.ping();
        print([pong.get(), pong.isDone()]);
        try { c.nonsense().get() } catch (e) { print(e) }
        fn show(value) { print("value " + value) }
        pong.thenAccept(show)
            .exceptionally(|e| print("never"));
        c.nonsense().thenAccept(|value| print("never"))
            .exceptionally(|e| { print([e.kind, e.line]); exit(); });"#,
    );
    assert_eq!(lines[0], r#"["PONG", true]"#);
    assert!(lines[1].starts_with("a.rhai:5: NONSENSE: "), "{}", lines[1]);
    assert_eq!(lines[2..], ["value PONG", r#"["Server", 9]"#]);
}

#[test]
fn a_script_that_exits_is_left_until_its_calls_have_ended() {
    let mut stage = stage(
        r#"asynchronous().blpop("NAME", 0).thenAccept(|popped| print(popped[1]));
        asynchronous().rpush("NAME", "at last");
        exit();"#,
    );
    stage.run();
    assert_eq!(stage.told(), ["loaded a", "a: at last", "exited a"]);
}
