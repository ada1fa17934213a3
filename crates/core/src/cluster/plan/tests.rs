use std::collections::BTreeMap;

use proptest::prelude::*;
use redis::Value;

use super::*;
use crate::ErrorKind;
use crate::namespace::test_table::table;

const COMMANDS: &str = "
    get +readonly 1:0/1
    set +write 1:0/1
    mget +readonly 1:-1/1
    mset +write 1:-1/2
    msetnx +write 1:-1/2
    del +write 1:-1/1
    unlink +write 1:-1/1
    exists +readonly 1:-1/1
    touch +readonly 1:-1/1
    rename +write 1:0/1 2:0/1
    eval 2#
    xread +readonly =STREAMS:-1/1
    ssubscribe ~1:-1/1
    spublish ~1:0/1
    ping
    publish
    info
    randomkey +readonly
    dbsize +readonly
    keys +readonly
    flushall +write
    scan +readonly
    script > script|load ; script|exists ; script|kill ; script|debug
    config > config|get ; config|set
    cluster > cluster|slots ; cluster|countkeysinslot ; cluster|getkeysinslot
    client > client|id
";

fn cmd(line: &str) -> Cmd {
    let mut cmd = Cmd::new();
    cmd.arg(line.split(' ').collect::<Vec<_>>());
    cmd
}

fn line(cmd: &Cmd) -> String {
    let words = cmd.args_iter().map(bytes).map(String::from_utf8_lossy);
    words.collect::<Vec<_>>().join(" ")
}

fn plan(line: &str) -> Result<Plan> {
    Plan::of(&cmd(line), &table(COMMANDS))
}

#[test]
fn a_command_whose_keys_have_one_slot_goes_there() {
    for (line, key, may_read) in [
        ("GET a", "a", true),
        ("get a", "a", true),
        ("SET a b", "a", false),
        ("MGET {a}1 {a}2", "a", true),
        ("MSET {a}1 b {a}2 c", "a", false),
        ("DEL {a}1", "a", false),
        ("RENAME {a}1 {a}2", "a", false),
        ("EVAL s 2 {a}1 {a}2 b", "a", false),
        ("XREAD STREAMS {a}1 {a}2 0 0", "a", true),
        ("SPUBLISH a b", "a", false),
        ("SSUBSCRIBE {a}1 {a}2", "a", false),
    ] {
        match plan(line).unwrap() {
            Plan::Slot { slot, reads } => {
                assert_eq!(
                    (slot, reads),
                    (Slot::of(key.as_bytes()), may_read),
                    "{line}"
                );
            }
            other => panic!("{line}: {other:?}"),
        }
    }
}

#[test]
fn a_command_without_keys_goes_where_it_has_an_effect() {
    for line in [
        "PING",
        "GET",
        "NOSUCH a",
        "PUBLISH a b",
        "INFO",
        "RANDOMKEY",
        "CLIENT ID",
        "CLUSTER SLOTS",
        "CONFIG GET a",
        "SCRIPT DEBUG NO",
        "SCRIPT",
        "SCAN x",
        "EVAL s 0 a",
    ] {
        let planned = plan(line).unwrap();
        assert!(matches!(planned, Plan::AnyNode), "{line}: {planned:?}");
    }
    for (line, expected) in [
        ("DBSIZE", Merge::Sum),
        ("keys a*", Merge::Concatenated),
        ("FLUSHALL ASYNC", Merge::First),
        ("SCRIPT LOAD x", Merge::First),
        ("script exists x", Merge::Everywhere),
        ("SCRIPT KILL", Merge::AnySuccess),
        ("CONFIG SET a b", Merge::First),
    ] {
        match plan(line).unwrap() {
            Plan::AllMasters(merge) => assert_eq!(merge, expected, "{line}"),
            other => panic!("{line}: {other:?}"),
        }
    }
    assert!(matches!(plan("SCAN 0").unwrap(), Plan::Scan(_)));
    let empty = Plan::of(&Cmd::new(), &table(COMMANDS)).unwrap();
    assert!(matches!(empty, Plan::AnyNode));
}

#[test]
fn keys_of_several_slots_are_split_where_each_is_for_itself() {
    let placed = Merge::Placed(vec![vec![0, 2], vec![1]]);
    for (line_, parts, expected, may_read) in [
        (
            "MGET {a}1 b {a}2",
            ["MGET {a}1 {a}2", "MGET b"],
            placed,
            true,
        ),
        (
            "MSET {a}1 1 b 2 {a}1 3",
            ["MSET {a}1 1 {a}1 3", "MSET b 2"],
            Merge::First,
            false,
        ),
        ("DEL a b a", ["DEL a a", "DEL b"], Merge::Sum, false),
        ("unlink a b", ["unlink a", "unlink b"], Merge::Sum, false),
        ("EXISTS b a b", ["EXISTS b b", "EXISTS a"], Merge::Sum, true),
        ("TOUCH a b", ["TOUCH a", "TOUCH b"], Merge::Sum, true),
    ] {
        match plan(line_).unwrap() {
            Plan::Split {
                parts: found,
                merge,
                reads,
            } => {
                let lines: Vec<String> = found.iter().map(|part| line(&part.cmd)).collect();
                assert_eq!(lines, parts, "{line_}");
                assert_eq!((merge, reads), (expected, may_read), "{line_}");
                for part in &found {
                    let key = argument(&part.cmd, 1).unwrap();
                    assert_eq!(part.slot, Slot::of(key));
                }
            }
            other => panic!("{line_}: {other:?}"),
        }
    }
}

#[test]
fn what_cannot_be_split_is_refused_as_redis_would() {
    for (line, name) in [
        ("RENAME a b", "RENAME"),
        ("msetnx a 1 b 2", "MSETNX"),
        ("EVAL s 2 a b", "EVAL"),
        ("XREAD STREAMS a b 0 0", "XREAD"),
        ("SSUBSCRIBE a b", "SSUBSCRIBE"),
    ] {
        let error = plan(line).unwrap_err();
        assert_eq!(error.command(), Some(name), "{line}");
        assert_eq!(error.kind(), ErrorKind::Server);
        assert_eq!(error.delivery(), Some(Delivery::NotSent));
        assert_eq!(error.code(), Some("CROSSSLOT"));
        assert_eq!(
            error.answer(),
            Some("Keys in request don't hash to the same slot")
        );
        let theirs = RedisError::from(error);
        assert!(theirs.to_string().contains("hash tag"), "{theirs}");
        let cross_slot = redis::ServerErrorKind::CrossSlot;
        assert_eq!(theirs.kind(), redis::ErrorKind::Server(cross_slot));
    }
}

#[test]
fn what_is_asked_of_a_slot_goes_to_its_node_and_to_any_if_there_is_no_such_slot() {
    for line in [
        "CLUSTER COUNTKEYSINSLOT 15495",
        "cluster getkeysinslot 15495 3",
    ] {
        match plan(line).unwrap() {
            Plan::Slot { slot, reads } => {
                assert_eq!((slot.number(), reads), (15_495, false), "{line}");
            }
            other => panic!("{line}: {other:?}"),
        }
    }
    for line in [
        "CLUSTER COUNTKEYSINSLOT",
        "CLUSTER COUNTKEYSINSLOT 16384",
        "CLUSTER GETKEYSINSLOT x 3",
    ] {
        let planned = plan(line).unwrap();
        assert!(matches!(planned, Plan::AnyNode), "{line}: {planned:?}");
    }
}

#[test]
fn an_mset_without_its_last_value_is_for_a_server_to_refuse_and_none_of_it_runs() {
    match plan("MSET a 1 b 2 {a}").unwrap() {
        Plan::Split { parts, merge, .. } => {
            let [part] = parts.as_slice() else {
                panic!("{parts:?}");
            };
            assert_eq!(line(&part.cmd), "MSET {a}");
            assert_eq!((part.slot, merge), (Slot::of(b"a"), Merge::First));
        }
        other => panic!("{other:?}"),
    }
    let together = plan("MSET {a}1 1 {a}2").unwrap();
    assert!(matches!(together, Plan::Slot { .. }), "{together:?}");
}

#[test]
fn a_part_is_answered_as_the_whole_would_be() {
    let mut del = cmd("DEL a b");
    del.set_no_response(true);
    let Plan::Split { parts, .. } = Plan::of(&del, &table(COMMANDS)).unwrap() else {
        panic!("not split");
    };
    assert!(parts.iter().all(|part| part.cmd.is_no_response()));
}

/// A server for the commands that are split.
#[derive(Clone, Debug, Default, PartialEq)]
struct Model(BTreeMap<Vec<u8>, Vec<u8>>);

impl Model {
    fn run(&mut self, cmd: &Cmd) -> Value {
        let words: Vec<&[u8]> = cmd.args_iter().map(bytes).collect();
        let keys = &words[1..];
        match words[0] {
            b"MSET" => {
                for pair in keys.chunks(2) {
                    self.0.insert(pair[0].to_vec(), pair[1].to_vec());
                }
                Value::Okay
            }
            b"MGET" => {
                let value = |key: &&[u8]| match self.0.get(*key) {
                    Some(value) => Value::BulkString(value.clone()),
                    None => Value::Nil,
                };
                Value::Array(keys.iter().map(value).collect())
            }
            b"DEL" => {
                let removed = keys.iter().filter(|key| self.0.remove(**key).is_some());
                Value::Int(removed.count() as i64)
            }
            b"EXISTS" => {
                let there = keys.iter().filter(|key| self.0.contains_key(**key));
                Value::Int(there.count() as i64)
            }
            other => panic!("{}", other.escape_ascii()),
        }
    }
}

fn call() -> impl Strategy<Value = Cmd> {
    let key = prop_oneof!["[a-d]", "\\{[ab]\\}[c-f]", "[a-z]{0,3}"];
    let keys = prop::collection::vec(key, 1..12);
    (0..4_usize, keys).prop_map(|(which, keys)| {
        let mut cmd = redis::cmd(["MSET", "MGET", "DEL", "EXISTS"][which]);
        for (index, key) in keys.iter().enumerate() {
            cmd.arg(key);
            if which == 0 {
                cmd.arg(index);
            }
        }
        cmd
    })
}

proptest! {
    #[test]
    fn parts_do_what_the_whole_would(calls in prop::collection::vec(call(), 1..12)) {
        let table = table(COMMANDS);
        let (mut one, mut cluster) = (Model::default(), Model::default());
        for cmd in &calls {
            let reply = match Plan::of(cmd, &table).unwrap() {
                Plan::Slot { .. } => cluster.run(cmd),
                Plan::Split { parts, merge, .. } => {
                    prop_assert!(parts.len() > 1);
                    for part in &parts {
                        let own = Plan::of(&part.cmd, &table).unwrap();
                        let is_own = matches!(own, Plan::Slot { slot, .. } if slot == part.slot);
                        prop_assert!(is_own, "{own:?}");
                    }
                    // The nodes answer in any order, and their replies are put in that of the parts.
                    let mut replies: Vec<_> = parts.iter().rev().map(|part| cluster.run(&part.cmd)).collect();
                    replies.reverse();
                    merge.apply(replies).unwrap()
                }
                other => panic!("{other:?}"),
            };
            prop_assert_eq!(reply, one.run(cmd));
        }
        prop_assert_eq!(cluster, one);
    }
}
