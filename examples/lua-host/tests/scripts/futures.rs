//! Asynchronous calls of scripts.

use crate::fixture::{printed_by, stage, unique};

#[test]
fn calls_reach_the_server_in_the_order_in_which_a_script_makes_them() {
    let key = unique("key");
    let lines = printed_by(&format!(
        "local client = open(ClientType.COMMAND)\n\
         for number = 1, 100 do client:getAsyncCommands():set('{key}', number) end\n\
         print(client:getCommands():get('{key}'))\n\
         exit()"
    ));
    assert_eq!(lines, ["100"]);
}

#[test]
fn functions_get_the_value_or_the_error_and_get_waits_for_either() {
    let lines = printed_by(
        "local c = async()\n\
         local pong = c:ping()\n\
         print(pong:get(), pong:isDone())\n\
         print(pcall(function() c:nonsense():get() end))\n\
         pong:thenAccept(function(value) print('value ' .. value) end)\n\
         :exceptionally(function() print('never') end)\n\
         c:nonsense():thenAccept(function() print('never') end)\n\
         :exceptionally(function(e) print(e.kind, e.line) exit() end)",
    );
    assert_eq!(lines[0], "PONG\ttrue");
    assert!(
        lines[1].starts_with("false\ta.lua:5: NONSENSE: "),
        "{}",
        lines[1]
    );
    assert_eq!(lines[2..], ["value PONG", "Server\t8"]);
}

#[test]
fn a_script_that_exits_hears_the_outcome_of_the_calls_that_it_made() {
    let list = unique("list");
    let mut stage = stage(&format!(
        "async():blpop('{list}', 0):thenAccept(function(popped) print(popped[2]) end)\n\
         async():rpush('{list}', 'at last')\n\
         exit()"
    ));
    stage.run();
    assert_eq!(stage.told(), ["loaded a", "a: at last", "exited a"]);
}
