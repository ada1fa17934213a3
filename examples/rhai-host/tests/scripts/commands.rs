//! Every command, as a method.

use crate::fixture::{failure_of, printed_by};

#[test]
fn a_command_is_a_method_wherever_it_is_called() {
    let lines = printed_by(
        r#"const c = commands();
        fn in_function(c) { c.append("NAME", "b") }
        let in_closure = |key| c.append(key, "c");
        c.set("NAME", "a");
        in_function(c);
        in_closure.call("NAME");
        print(c.get("NAME"));
        print(c.objectRefcount("NAME"));
        print(c.type("NAME"));
        print(c.hset("NAME:h", "f1", 1, "f2", 2, "f3", 3, "f4", 4, "f5", 5));
        print(c.hset("NAME:h", ["g1", 1, "g2", 2]) + c.hlen("NAME:h"));
        exit();"#,
    );
    assert_eq!(lines, ["abc", "1", "string", "5", "9"]);
}

#[test]
fn names_that_are_none_in_rhai_are_dispatched() {
    let lines = printed_by(
        r#"let client = open(ClientType.COMMAND);
        client.getCommands().dispatch("SET", ["NAME", 7]);
        print(client.getAsyncCommands().dispatch("client getname", []).get());
        print(eval(`client.getCommands().dispatch("get", ["NAME"])`));
        print(client.getCommands().dispatch("eval", ["return {ARGV[1], KEYS[1]}", 1, "k", "v"]));
        try { client.getCommands().dispatch("JSON.GET", ["NAME"]) } catch (e) { print(e.command) }
        exit();"#,
    );
    assert_eq!(lines, ["", "7", r#"["v", "k"]"#, "JSON.GET"]);
}

#[test]
fn on_anything_else_a_command_is_no_method() {
    let failure = failure_of("let client = open(ClientType.COMMAND);\nclient.hset(1, 2)");
    assert!(
        failure.starts_with("a.rhai:3: Function not found: hset (RedisCommandClient, i64, i64)"),
        "{failure}"
    );
}
