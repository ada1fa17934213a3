use super::*;
use crate::cluster::test_topology::{node, topology};
use crate::namespace::test_table::table;
use crate::route::bytes;

const COMMANDS: &str = "
    get +readonly 1:0/1
    set +write 1:0/1
    mget +readonly 1:-1/1
    rename +write 1:0/1 2:0/1
    ping
    dbsize
    scan
";

fn pipeline(lines: &[&str]) -> Pipeline {
    let mut pipeline = redis::pipe();
    for line in lines {
        let mut cmd = Cmd::new();
        cmd.arg(line.split(' ').collect::<Vec<_>>());
        pipeline.add_command(cmd);
    }
    pipeline
}

fn plan(pipeline: &Pipeline) -> Result<PipelinePlan<'_>> {
    PipelinePlan::of(pipeline, &table(COMMANDS), &topology(&[1, 2]))
}

fn line(cmd: &Cmd) -> String {
    let words = cmd.args_iter().map(bytes).map(String::from_utf8_lossy);
    words.collect::<Vec<_>>().join(" ")
}

fn at(key: &str, reads: bool) -> Target {
    let slot = Slot::of(key.as_bytes());
    Target::Slot { slot, reads }
}

fn bulk(text: &str) -> Value {
    Value::BulkString(text.as_bytes().to_vec())
}

#[test]
fn every_command_goes_its_way_and_every_reply_to_its_place() {
    let pipeline = pipeline(&["SET a 1", "MGET a b a", "PING", "DBSIZE", "SCAN 0", "GET b"]);
    let plan = plan(&pipeline).unwrap();
    let items: Vec<(Target, String)> = plan
        .items
        .iter()
        .map(|item| (item.target.clone(), line(&item.cmd)))
        .collect();
    let expected = [
        (at("a", false), "SET a 1"),
        (at("a", true), "MGET a a"),
        (at("b", true), "MGET b"),
        (Target::AnyNode, "PING"),
        (Target::Node(node(1)), "DBSIZE"),
        (Target::Node(node(2)), "DBSIZE"),
        (Target::Node(node(1)), "SCAN 0"),
        (at("b", true), "GET b"),
    ];
    assert_eq!(
        items,
        expected.map(|(target, line)| (target, line.to_owned()))
    );
    let replies = vec![
        Value::Okay,
        Value::Array(vec![Value::Int(1), Value::Int(3)]),
        Value::Array(vec![Value::Int(2)]),
        bulk("PONG"),
        Value::Int(4),
        Value::Int(5),
        Value::Array(vec![bulk("0"), Value::Array(vec![])]),
        Value::Nil,
    ];
    let assembled = plan.assemble(replies).unwrap();
    let Value::Array(scanned) = &assembled[4] else {
        panic!("{assembled:?}");
    };
    // There is another master.
    assert_ne!(scanned[0], bulk("0"));
    assert_eq!(
        assembled[..4],
        [
            Value::Okay,
            Value::Array(vec![Value::Int(1), Value::Int(2), Value::Int(3)]),
            bulk("PONG"),
            Value::Int(9),
        ]
    );
    assert_eq!((&assembled[5], assembled.len()), (&Value::Nil, 6));
}

#[test]
fn an_error_is_the_reply_to_its_command_alone() {
    let error = redis::parse_redis_value(b"-ERR no\r\n").unwrap();
    let pipeline = pipeline(&["MGET a b", "PING"]);
    let plan = plan(&pipeline).unwrap();
    let replies = vec![Value::Array(vec![Value::Nil]), error.clone(), bulk("PONG")];
    assert_eq!(plan.assemble(replies).unwrap(), [error, bulk("PONG")]);
}

#[test]
fn replies_that_are_not_as_many_are_none() {
    let commands = pipeline(&["MGET a b", "PING"]);
    for count in [0, 2, 4] {
        let replies = vec![Value::Array(vec![Value::Nil]); count];
        let error = plan(&commands).unwrap().assemble(replies).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol, "{count}");
    }
    let none = pipeline(&[]);
    assert_eq!(plan(&none).unwrap().assemble(vec![]).unwrap(), []);
}

#[test]
fn nothing_is_sent_of_a_pipeline_that_cannot_be_sent_as_a_whole() {
    let error = plan(&pipeline(&["SET a 1", "RENAME a b"])).unwrap_err();
    assert_eq!(
        (error.code(), error.command()),
        (Some("CROSSSLOT"), Some("RENAME"))
    );
    let sizes = pipeline(&["DBSIZE"]);
    let nowhere = PipelinePlan::of(&sizes, &table(COMMANDS), &topology(&[]));
    let error = nowhere.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Disconnected);
    assert_eq!(error.delivery(), Some(Delivery::NotSent));
}

#[test]
fn a_transaction_goes_to_the_one_slot_of_its_keys() {
    for (lines, expected) in [
        (vec![], Target::AnyNode),
        (vec!["PING"], Target::AnyNode),
        (vec!["GET a", "PING", "GET a"], at("a", true)),
        (vec!["PING", "GET a", "SET {a}1 b"], at("a", false)),
        (vec!["SET a b", "MGET {a}1 {a}2"], at("a", false)),
    ] {
        let target = Target::of_transaction(&pipeline(&lines), &table(COMMANDS)).unwrap();
        assert_eq!(target, expected, "{lines:?}");
    }
}

#[test]
fn a_transaction_over_several_nodes_is_refused() {
    for (lines, name) in [
        (vec!["GET a", "GET b"], "GET"),
        (vec!["PING", "MGET a b"], "MGET"),
        (vec!["RENAME a b"], "RENAME"),
    ] {
        let error = Target::of_transaction(&pipeline(&lines), &table(COMMANDS)).unwrap_err();
        assert_eq!(
            (error.code(), error.command()),
            (Some("CROSSSLOT"), Some(name))
        );
        assert_eq!(error.delivery(), Some(Delivery::NotSent));
    }
    for line in ["DBSIZE", "SCAN 0"] {
        let error =
            Target::of_transaction(&pipeline(&["GET a", line]), &table(COMMANDS)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused, "{line}");
        assert!(error.message().contains("all masters"), "{error}");
    }
}
