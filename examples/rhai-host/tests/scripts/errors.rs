//! Errors say where they come from.

use crate::fixture::{failure_of, printed_by};

#[test]
fn a_mistake_in_a_file_has_its_line() {
    for (code, failure) in [
        ("let x =\n= 1;", "a.rhai:3: "),
        ("print(", "a.rhai:2: "),
        ("\nx.y = 1", "a.rhai:3: Variable not found: x"),
        ("\n\nthrow \"gone\"", "a.rhai:4: gone"),
        ("throw #{ message: \"mine\" }", "a.rhai:2: mine"),
        ("throw", "a.rhai:2: "),
        (
            "import \"nothing\" as n;",
            "a.rhai:2: Module not found: nothing",
        ),
        ("fn f() {\nthrow \"inside\"\n}\n\nf()", "a.rhai:3: inside"),
        (
            "let f = || {\nthrow \"inside\"\n};\n\nf.call()",
            "a.rhai:3: inside",
        ),
        (
            "try {\n1 / 0\n} catch (e) {\nthrow e\n}",
            "a.rhai:5: Division by zero",
        ),
    ] {
        let found = failure_of(code);
        assert!(found.starts_with(failure), "{code:?}: {found:?}");
    }
}

#[test]
fn a_call_that_fails_has_the_line_where_it_was_made() {
    for (code, line) in [
        (
            "let c = commands();\nc.set(\"NAME\", \"x\");\nc.incr(\"NAME\")",
            4,
        ),
        // The line of the call, not of where its outcome is met.
        (
            "let c = asynchronous();\nc.set(\"NAME\", \"x\");\nc.incr(\"NAME\");\n\nlet x;",
            4,
        ),
        (
            "let c = asynchronous();\nc.set(\"NAME\", \"x\");\nc.incr(\"NAME\").thenAccept(|x| x).thenAccept(|x| x);",
            4,
        ),
        (
            "commands().set(\"NAME\", \"x\");\nasynchronous()\n.incr(\"NAME\")\n.get()",
            5,
        ),
        (
            "let c = commands();\nc.set(\"NAME\", \"x\");\nfn f(c) {\nc.incr(\"NAME\")\n}\nf(c)",
            5,
        ),
    ] {
        assert_eq!(
            failure_of(code),
            format!("a.rhai:{line}: INCR: value is not an integer or out of range"),
            "{code}"
        );
    }
}

#[test]
fn a_callback_that_fails_has_its_own_line() {
    for (code, failure) in [
        (
            "let client = open(ClientType.PUB_SUB);\n\
             client.registerListener(|channel, message| {\n\
             throw \"heard \" + message\n\
             }, \"NAME\");\n\
             client.publish(\"NAME\", \"it\");",
            "a.rhai:4: heard it",
        ),
        (
            "asynchronous().ping().thenAccept(|reply| {\nlet x = reply - 1;\n});",
            "a.rhai:3: Function not found: - (",
        ),
        (
            "asynchronous().nonsense().exceptionally(|failure| {\nthrow failure\n});",
            "a.rhai:2: NONSENSE: unknown command",
        ),
        // Which has no line of its own: it has another number of parameters.
        (
            "asynchronous().ping()\n.thenAccept(|one, more| print(one));",
            "a.rhai:3: Function not found: ",
        ),
    ] {
        let found = failure_of(code);
        assert!(found.starts_with(failure), "{code}: {found:?}");
    }
}

#[test]
fn a_script_that_catches_an_error_can_tell_what_it_is() {
    let lines = printed_by(
        r#"let c = commands();
c.set("NAME", "x");
fn attempt(f) {
    try { f.call() } catch (e) {
        print([e.kind, e.code, e.command, e.delivery, e.file, e.line, e.position]);
        print(e.message);
        print("" + e);
    }
}
attempt(|| c.rpush("NAME", "x"));
attempt(|| c.get(()));
attempt(|| c.subscribe("x"));
attempt(|| redis.openRedisClient(ClientType.BASIC, "redis://host:port"));
attempt(|| redis.newClientOptions().commandTime("1s").build());
attempt(|| redis.newRedisURI().withPort("six"));
exit();"#,
    );
    let wrong_type = "Operation against a key holding the wrong kind of value";
    assert_eq!(
        lines[..3],
        [
            r#"["Server", "WRONGTYPE", "RPUSH", "Replied", "a.rhai", 11, 14]"#,
            wrong_type,
            &format!("a.rhai:11: RPUSH: {wrong_type}"),
        ]
    );
    let summaries: Vec<_> = lines.iter().step_by(3).skip(1).collect();
    assert_eq!(
        summaries,
        [
            r#"["InvalidArgument", (), "GET", "NotSent", "a.rhai", 12, 14]"#,
            r#"["Refused", (), "SUBSCRIBE", "NotSent", "a.rhai", 13, 14]"#,
            r#"["InvalidUri", (), (), (), "a.rhai", 14, 18]"#,
            r#"["InvalidOptions", (), (), (), "a.rhai", 15, 55]"#,
            r#"["InvalidArgument", (), (), (), "a.rhai", 16, 32]"#,
        ]
    );
    assert!(lines[13].contains("command_timeout"), "{}", lines[13]);
    assert_eq!(
        lines[16],
        "withPort: argument 1 must be a whole number from 0 to 65535"
    );
}
