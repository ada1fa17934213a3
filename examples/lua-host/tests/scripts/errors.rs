//! Errors say where they come from.

use crate::fixture::{printed_by, stage, unique};

/// Runs a script that fails, and says how.
#[track_caller]
fn failure_of(code: &str) -> String {
    let mut stage = stage(code);
    stage.run();
    let told = stage.told();
    let mut failures = told.iter().filter(|line| line.starts_with("a.lua"));
    let (Some(failure), None) = (failures.next(), failures.next()) else {
        panic!("one failure in {told:?}")
    };
    assert!(stage.host.manager().scripts().is_empty());
    failure.clone()
}

#[test]
fn a_mistake_in_a_file_has_its_line() {
    for (code, failure) in [
        ("local x =\n= 1", "a.lua:3: unexpected symbol near '='"),
        ("print(", "a.lua:2: unexpected symbol near <eof>"),
        (
            "\nx.y = 1",
            "a.lua:3: attempt to index a nil value (global 'x')",
        ),
        ("\n\nerror('gone')", "a.lua:4: gone"),
        ("error('a.lua:x: gone', 0)", "a.lua:2: a.lua:x: gone"),
        (
            "error(setmetatable({}, {__tostring = function() return 'mine' end}))",
            "a.lua:2: mine",
        ),
        ("require('nothing')", "a.lua:2: module 'nothing' not found:"),
        (
            "coroutine.wrap(function()\nerror('inside')\nend)()",
            "a.lua:3: inside",
        ),
    ] {
        let found = failure_of(code);
        assert!(found.starts_with(failure), "{code:?}: {found:?}");
    }
}

#[test]
fn a_call_that_fails_has_the_line_where_it_was_made() {
    let key = unique("key");
    let refused = "INCR: value is not an integer or out of range";
    for (code, line) in [
        (
            format!("local c = commands()\nc:set('{key}', 'x')\nc:incr('{key}')"),
            4,
        ),
        // The line of the call, not of where its outcome is met.
        (
            format!("local c = async()\nc:set('{key}', 'x')\nc:incr('{key}')\n\nlocal x"),
            4,
        ),
        (
            format!(
                "local c = async()\nc:set('{key}', 'x')\nc:incr('{key}'):thenAccept(print):thenAccept(print)"
            ),
            4,
        ),
        (
            format!("commands():set('{key}', 'x')\nasync():incr('{key}')\n:get()"),
            4,
        ),
        (
            format!(
                "local c = commands()\nc:set('{key}', 'x')\nlocal function f()\nc:incr('{key}')\nend\nf()"
            ),
            5,
        ),
    ] {
        assert_eq!(
            failure_of(&code),
            format!("a.lua:{line}: {refused}"),
            "{code}"
        );
    }
}

#[test]
fn a_callback_that_fails_has_its_own_line() {
    let channel = unique("channel");
    for (code, failure) in [
        (
            format!(
                "local client = open(ClientType.PUB_SUB)\n\
                 client:registerListener(function(channel, message)\n\
                 error('heard ' .. message)\n\
                 end, '{channel}')\n\
                 client:publish('{channel}', 'it')"
            ),
            "a.lua:4: heard it",
        ),
        (
            "async():ping():thenAccept(function(reply)\nlocal x = reply + 1\nend)".to_owned(),
            "a.lua:3: attempt to add a 'string' with a 'number'",
        ),
        (
            "async():nonsense():exceptionally(function(failure)\nerror(failure)\nend)".to_owned(),
            "a.lua:2: NONSENSE: unknown command",
        ),
    ] {
        let found = failure_of(&code);
        assert!(found.starts_with(failure), "{code}: {found:?}");
    }
}

#[test]
fn a_script_that_catches_an_error_can_tell_what_it_is() {
    let key = unique("key");
    let lines = printed_by(&format!(
        "local c = commands()\n\
         c:set('{key}', 'x')\n\
         local function try(f)\n\
             local ok, e = pcall(f)\n\
             print(ok, e.kind, e.code, e.command, e.delivery, e.file, e.line)\n\
             print(e.message)\n\
             print(e)\n\
         end\n\
         try(function() c:rpush('{key}', 'x') end)\n\
         try(function() c:get(nil) end)\n\
         try(function() c.get('{key}') end)\n\
         try(function() c:subscribe('x') end)\n\
         try(function() redis.openRedisClient('SOMETHING') end)\n\
         try(function() redis.openRedisClient(ClientType.BASIC, 'redis://host:port') end)\n\
         try(function() redis.newClientOptions():commandTime('1s'):build() end)\n\
         exit()"
    ));
    let wrong_type = "Operation against a key holding the wrong kind of value";
    assert_eq!(
        lines[..3],
        [
            "false\tServer\tWRONGTYPE\tRPUSH\tReplied\ta.lua\t10",
            wrong_type,
            &format!("a.lua:10: RPUSH: {wrong_type}"),
        ]
    );
    let summaries: Vec<_> = lines.iter().step_by(3).skip(1).collect();
    assert_eq!(
        summaries,
        [
            "false\tInvalidArgument\tnil\tGET\tNotSent\ta.lua\t11",
            "false\tInvalidArgument\tnil\tnil\tnil\ta.lua\t12",
            "false\tRefused\tnil\tSUBSCRIBE\tNotSent\ta.lua\t13",
            "false\tInvalidArgument\tnil\tnil\tnil\ta.lua\t14",
            "false\tInvalidUri\tnil\tnil\tnil\ta.lua\t15",
            "false\tInvalidOptions\tnil\tnil\tnil\ta.lua\t16",
        ]
    );
    assert!(lines[19].contains("command_timeout"), "{}", lines[19]);
}
