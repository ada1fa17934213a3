//! Values of Lua and of Redis.

use redis_manager_support::TestServer;

use crate::fixture::{printed_by, unique};

#[test]
fn strings_are_bytes_both_ways() {
    let (key, channel) = (unique("key"), unique("channel"));
    let lines = printed_by(&format!(
        "local all = {{}}\n\
         for byte = 0, 255 do all[#all + 1] = string.char(byte) end\n\
         all = table.concat(all)\n\
         commands():set('{key}', all)\n\
         print(commands():get('{key}') == all)\n\
         print(async():get('{key}'):get() == all)\n\
         local client = open(ClientType.PUB_SUB)\n\
         client:registerListener(function(channel, message)\n\
             print(channel == '{channel}' .. all, message == all)\n\
             exit()\n\
         end, '{channel}' .. all)\n\
         client:publishAsync('{channel}' .. all, all)"
    ));
    assert_eq!(lines, ["true", "true", "true\ttrue"]);
    let server = TestServer::shared();
    let all: Vec<u8> = (0..=255).collect();
    server.run(&[b"SET", format!("{key}:same").as_bytes(), &all[..]]);
    let lines = printed_by(&format!(
        "print(commands():get('{key}') == commands():get('{key}:same'))\nexit()"
    ));
    assert_eq!(lines, ["true"]);
}

#[test]
fn tables_are_arguments_and_replies() {
    let key = unique("key");
    let lines = printed_by(&format!(
        "local c = commands()\n\
         c:rpush('{key}:list', {{'a', 2, 0.5}}, true)\n\
         print(table.concat(c:lrange('{key}:list', 0, -1), ' '))\n\
         c:hset('{key}:hash', {{name = 'alice'}})\n\
         print(c:hgetall('{key}:hash').name)\n\
         local values = c:mget('{key}:no', '{key}:no')\n\
         print(#values, values[1], values[2])\n\
         print(c:get('{key}:no'))\n\
         print(math.type(c:llen('{key}:list')))\n\
         local endless = {{}}\n\
         endless[1] = endless\n\
         print(pcall(function() c:rpush('{key}:list', endless) end))\n\
         print(pcall(function() c:rpush('{key}:list', print) end))\n\
         exit()"
    ));
    assert_eq!(
        lines[..5],
        ["a 2 0.5 1", "alice", "2\tfalse\tfalse", "nil", "integer"]
    );
    for refused in &lines[5..] {
        assert!(refused.starts_with("false\ta.lua:1"), "{refused}");
    }
    assert_eq!(lines.len(), 7);
}
