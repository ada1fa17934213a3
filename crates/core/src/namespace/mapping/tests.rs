use redis::Value;

use super::*;
use crate::namespace::test_table::{REDIS_6_2, REDIS_7, table};

fn cmd(line: &str) -> Cmd {
    let mut cmd = Cmd::new();
    cmd.arg(line.split(' ').collect::<Vec<_>>());
    cmd
}

fn try_map(table: &CommandTable, cmd: &Cmd) -> Result<Cmd> {
    let name = argument(cmd, 0).and_then(CommandName::new).unwrap();
    let prefix = "p:".parse().unwrap();
    let mapped = table.map(&prefix, name, cmd)?;
    Ok(mapped.form.into_cmd(&prefix, cmd))
}

fn line(cmd: &Cmd) -> String {
    let arguments: Vec<_> = cmd
        .args_iter()
        .map(|it| String::from_utf8_lossy(bytes(it)))
        .collect();
    arguments.join(" ")
}

#[track_caller]
fn maps(table: &CommandTable, from: &str, to: &str) {
    assert_eq!(line(&try_map(table, &cmd(from)).unwrap()), to);
}

#[track_caller]
fn refuses(table: &CommandTable, from: &str, why: &str) {
    let error = try_map(table, &cmd(from)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{from}");
    assert_eq!(error.delivery(), Some(Delivery::NotSent));
    assert!(error.message().contains(why), "{from}: {error}");
    assert!(error.command().is_some());
}

#[test]
fn every_key_gets_the_prefix_wherever_the_server_says_it_is() {
    let table = table(REDIS_7);
    for (from, to) in [
        ("GET a", "GET p:a"),
        ("get a", "get p:a"),
        ("GET a b", "GET p:a b"),
        ("DEL a b a", "DEL p:a p:b p:a"),
        ("MSET a 1 b 2", "MSET p:a 1 p:b 2"),
        ("BLPOP a b 0", "BLPOP p:a p:b 0"),
        ("LCS a b LEN", "LCS p:a p:b LEN"),
        ("BITOP AND d a b", "BITOP AND p:d p:a p:b"),
        ("ZUNION 2 a b WEIGHTS 1 2", "ZUNION 2 p:a p:b WEIGHTS 1 2"),
        ("ZUNIONSTORE d 1 a", "ZUNIONSTORE p:d 1 p:a"),
        ("BLMPOP 0 2 a b LEFT", "BLMPOP 0 2 p:a p:b LEFT"),
        ("MEMORY USAGE a SAMPLES 1", "MEMORY USAGE p:a SAMPLES 1"),
        ("object encoding a", "object encoding p:a"),
        ("PUBLISH c m", "PUBLISH p:c m"),
        ("SPUBLISH c m", "SPUBLISH p:c m"),
    ] {
        maps(&table, from, to);
    }
}

#[test]
fn what_leaves_others_alone_is_sent_as_it_is() {
    let table = table(REDIS_7);
    for line in [
        "PING",
        "PING hello",
        "CLIENT ID",
        "RANDOMKEY",
        "COMMAND",
        "COMMAND COUNT",
    ] {
        let mapped = table
            .map(&"p:".parse().unwrap(), name(line), &cmd(line))
            .unwrap();
        assert!(matches!(mapped.form, Form::Same), "{line}");
    }
}

fn name(line: &str) -> CommandName {
    CommandName::new(line.split(' ').next().unwrap().as_bytes()).unwrap()
}

#[test]
fn what_is_not_certain_is_refused() {
    let table = table(REDIS_7);
    for (line, why) in [
        ("NOSUCH a", "names no such"),
        ("GET", "no key"),
        ("BLPOP a", "no key"),
        ("ZUNION 0 a", "number of keys"),
        ("ZUNION 3 a b", "number of keys"),
        ("ZUNION -1 a", "number of keys"),
        ("ZUNION x a", "number of keys"),
        ("ZUNION", "number of keys"),
        ("ZUNIONSTORE d 2 a", "number of keys"),
        ("VAGUE a b", "for certain"),
        ("LATER a KEYS b", "for certain"),
        ("FIVE a b c d e", "for certain"),
        ("MIXED a b", "for certain"),
        ("MIGRATE h 1 a 0 1", "for certain"),
        ("EVAL x 1 a", "Lua"),
        ("FUNCTION LOAD x", "Lua"),
        ("FUNCTION", "Lua"),
        ("JSON.GET a", "module"),
        ("VADD a", "module"),
        ("PFDEBUG ENCODING a", "administers"),
        ("FLUSHALL", "leave the keys of others alone"),
        ("DBSIZE", "leave the keys of others alone"),
        ("CONFIG SET a b", "leave the keys of others alone"),
        ("CONFIG", "subcommand"),
        ("CLIENT LIST", "leave the keys of others alone"),
        ("CLIENT NOSUCH", "names no such"),
        ("COMMAND NEW", "leave the keys of others alone"),
        ("MEMORY STATS", "leave the keys of others alone"),
        ("OBJECT HELP", "leave the keys of others alone"),
        ("OBJECT ENCODING", "no key"),
        ("PUBSUB NUMPAT", "leave the keys of others alone"),
        ("SUBSCRIBE c", "listeners"),
        ("SSUBSCRIBE c", "listeners"),
        ("KEYS", "no key"),
        ("SCAN", "no cursor"),
    ] {
        refuses(&table, line, why);
    }
}

#[test]
fn options_are_read_as_the_server_reads_them() {
    let table = table(REDIS_7);
    for (from, to) in [
        ("XREAD STREAMS a b 0 0", "XREAD STREAMS p:a p:b 0 0"),
        (
            "xread count 1 block 0 streams a $",
            "xread count 1 block 0 streams p:a $",
        ),
        ("XREAD STREAMS STREAMS 0", "XREAD STREAMS p:STREAMS 0"),
        (
            "XREADGROUP GROUP STREAMS STREAMS NOACK STREAMS a >",
            "XREADGROUP GROUP STREAMS STREAMS NOACK STREAMS p:a >",
        ),
        (
            "XREADGROUP GROUP g c CLAIM 1 STREAMS a >",
            "XREADGROUP GROUP g c CLAIM 1 STREAMS p:a >",
        ),
        ("SORT a", "SORT p:a"),
        (
            "SORT a BY w_*->f GET # GET v_* LIMIT 0 1 STORE d STORE e ALPHA desc",
            "SORT p:a BY p:w_*->f GET # GET p:v_* LIMIT 0 1 STORE p:d STORE p:e ALPHA desc",
        ),
        ("SORT a BY nosort GET GET", "SORT p:a BY p:nosort GET p:GET"),
        ("SORT a STORE STORE", "SORT p:a STORE p:STORE"),
        ("SORT_RO a GET x*", "SORT_RO p:a GET p:x*"),
        (
            "GEORADIUS a 1 2 3 m STORE d STOREDIST e COUNT 1 ANY",
            "GEORADIUS p:a 1 2 3 m STORE p:d STOREDIST p:e COUNT 1 ANY",
        ),
        (
            "GEORADIUS a STORE STORE STORE STORE",
            "GEORADIUS p:a STORE STORE STORE STORE",
        ),
        (
            "GEORADIUSBYMEMBER a STORE 3 m store d asc",
            "GEORADIUSBYMEMBER p:a STORE 3 m store p:d asc",
        ),
        ("KEYS *", "KEYS p:*"),
        ("SCAN 0", "SCAN 0 MATCH p:*"),
        ("SCAN 0 COUNT 5", "SCAN 0 COUNT 5 MATCH p:*"),
        ("SCAN 0 MATCH a* match b*", "SCAN 0 MATCH p:a* match p:b*"),
        ("SCAN 0 TYPE MATCH", "SCAN 0 TYPE MATCH MATCH p:*"),
        ("PUBSUB CHANNELS", "PUBSUB CHANNELS p:*"),
        ("PUBSUB CHANNELS n*", "PUBSUB CHANNELS p:n*"),
        ("PUBSUB NUMSUB a b", "PUBSUB NUMSUB p:a p:b"),
        ("PUBSUB SHARDNUMSUB", "PUBSUB SHARDNUMSUB"),
    ] {
        maps(&table, from, to);
    }
    for line in [
        "XREAD STREAMS a",
        "XREAD STREAMS",
        "XREAD COUNT 1",
        "XREAD COUNT",
        "XREAD GROUP g c STREAMS a 0",
        "XREAD NEW STREAMS a 0",
        "XREADGROUP GROUP g STREAMS",
        "SORT",
        "SORT a STORE",
        "SORT a NEW",
        "SORT a GET\0x b",
        "SORT_RO a STORE b",
        "GEORADIUS a 1 2 3 m STORE",
        "GEORADIUS a 1 2 3 m STOREX b",
        "SCAN 0 MATCH",
        "SCAN 0 NEW",
        "SCAN 0 MATCH\0x a",
    ] {
        assert!(try_map(&table, &cmd(line)).is_err(), "{line:?}");
    }
}

#[test]
fn a_server_before_7_0_says_less_and_less_is_allowed() {
    let table = table(REDIS_6_2);
    for (from, to) in [
        ("GET a", "GET p:a"),
        ("DEL a b", "DEL p:a p:b"),
        ("BLPOP a b 0", "BLPOP p:a p:b 0"),
        ("BITOP AND d a", "BITOP AND p:d p:a"),
        ("XGROUP CREATE a g 0", "XGROUP CREATE p:a g 0"),
        ("OBJECT ENCODING a", "OBJECT ENCODING p:a"),
        ("ZUNION 2 a b", "ZUNION 2 p:a p:b"),
        ("ZUNIONSTORE d 1 a", "ZUNIONSTORE p:d 1 p:a"),
        ("XREAD STREAMS a 0", "XREAD STREAMS p:a 0"),
        ("SORT a STORE b", "SORT p:a STORE p:b"),
        (
            "GEORADIUS a 1 2 3 m STORE b",
            "GEORADIUS p:a 1 2 3 m STORE p:b",
        ),
        ("MEMORY USAGE a", "MEMORY USAGE p:a"),
        ("CLIENT ID", "CLIENT ID"),
        ("COMMAND", "COMMAND"),
        ("COMMAND INFO get", "COMMAND INFO get"),
        ("PUBSUB CHANNELS", "PUBSUB CHANNELS p:*"),
        ("SCAN 0", "SCAN 0 MATCH p:*"),
    ] {
        maps(&table, from, to);
    }
    for line in [
        "STRALGO LCS KEYS a b",
        "EVAL x 0",
        "MIGRATE h 1 a 0 1",
        "FLUSHALL",
        "CLIENT LIST",
        "CLIENT",
        "MEMORY STATS",
        "DEBUG OBJECT a",
        "FT.SEARCH a b",
        "OBJECT HELP",
    ] {
        assert!(try_map(&table, &cmd(line)).is_err(), "{line}");
    }
}

#[test]
fn a_cursor_and_other_settings_survive() {
    let table = table(REDIS_7);
    let mut scan = redis::cmd("SCAN");
    scan.cursor_arg(42)
        .arg("MATCH")
        .arg("a*")
        .set_no_response(true);
    let mapped = try_map(&table, &scan).unwrap();
    assert_eq!(line(&mapped), "SCAN 42 MATCH p:a*");
    assert!(mapped.is_no_response());
    let mut ping = redis::cmd("PING");
    ping.cursor_arg(7);
    assert_eq!(line(&try_map(&table, &ping).unwrap()), "PING 7");
    let mapped = try_map(&table, cmd("GET a").set_no_response(true)).unwrap();
    assert!(mapped.is_no_response());
}

#[test]
fn a_reply_without_commands_is_no_table() {
    for reply in [
        Value::Nil,
        Value::Array(vec![]),
        Value::Okay,
        Value::Array(vec![Value::Nil]),
    ] {
        let error = CommandTable::read(&reply).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
    }
}
