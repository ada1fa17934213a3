use super::*;
use crate::cluster::Slot;
use crate::cluster::test_topology::{node, topology};

fn scan(line: &str) -> Scan {
    let mut cmd = Cmd::new();
    cmd.arg(line.split(' ').collect::<Vec<_>>());
    Scan::of(&cmd).unwrap().unwrap()
}

fn line(cmd: &Cmd) -> String {
    let words = cmd.args_iter().map(bytes).map(String::from_utf8_lossy);
    words.collect::<Vec<_>>().join(" ")
}

fn reply(cursor: u64) -> Value {
    let cursor = Value::BulkString(cursor.to_string().into_bytes());
    Value::Array(vec![cursor, Value::Array(vec![Value::Okay])])
}

fn cursor_of(reply: Value) -> u64 {
    let Value::Array(parts) = reply else {
        panic!("no reply to SCAN");
    };
    assert_eq!(parts[1], Value::Array(vec![Value::Okay]));
    match &parts[0] {
        Value::BulkString(cursor) => number(cursor).unwrap(),
        other => panic!("no cursor: {other:?}"),
    }
}

#[test]
fn every_master_is_asked_until_it_has_no_more() {
    let topology = topology(&[1, 2, 3]);
    // What each master replies.
    let replies = [&[7, 1 << 38, 0][..], &[0], &[(1 << 39) - 1, 0]];
    let (mut cursor, mut asked) = (0, Vec::new());
    for (at, locals) in replies.iter().enumerate() {
        let mut local = 0;
        for next in *locals {
            let step = scan(&format!("SCAN {cursor} MATCH a* COUNT 9"))
                .step(&topology)
                .unwrap();
            assert_eq!(step.node, topology.masters()[at]);
            assert_eq!(line(&step.cmd), format!("SCAN {local} MATCH a* COUNT 9"));
            asked.push(step.node.clone());
            cursor = cursor_of(step.cursor.reply(reply(*next)).unwrap());
            assert!(i64::try_from(cursor).is_ok());
            local = *next;
        }
    }
    assert_eq!((cursor, asked.len()), (0, 6));
}

#[test]
fn a_cursor_is_good_for_the_slots_it_was_given_for() {
    let before = topology(&[1, 2, 3]);
    let step = scan("SCAN 0").step(&before).unwrap();
    let cursor = cursor_of(step.cursor.reply(reply(5)).unwrap());
    let promoted = topology(&[1, 2, 4]);
    let moved = before.with_moved(Slot::of(b"a"), &node(1));
    for now in [promoted, moved] {
        let error = scan(&format!("SCAN {cursor}")).step(&now).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused);
        assert_eq!(error.delivery(), Some(Delivery::NotSent));
        assert!(error.message().contains("begin again"), "{error}");
        scan("SCAN 0").step(&now).unwrap();
    }
    // One that was made up, of a master that is not there.
    let error = scan(&format!("SCAN {}", cursor | 0xfff))
        .step(&before)
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
}

#[test]
fn a_cursor_that_does_not_fit_is_refused() {
    let step = || scan("SCAN 0").step(&topology(&[1])).unwrap();
    let error = step().cursor.reply(reply(1 << 39)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert_eq!(error.delivery(), Some(Delivery::Replied));
    for wrong in [
        Value::Okay,
        Value::Array(vec![]),
        Value::Array(vec![Value::Okay]),
    ] {
        let error = step().cursor.reply(wrong).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol);
    }
    let refused = redis::parse_redis_value(b"-NOPERM no\r\n").unwrap();
    assert_eq!(step().cursor.reply(refused.clone()).unwrap(), refused);
}

#[test]
fn a_cluster_without_slots_has_nothing_to_scan() {
    let error = scan("SCAN 0").step(&topology(&[])).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Disconnected);
    assert_eq!(error.delivery(), Some(Delivery::NotSent));
}

#[test]
fn the_cursor_of_an_iteration_of_redis_is_read() {
    let mut cmd = redis::cmd("SCAN");
    cmd.cursor_arg(0).arg("COUNT").arg(3);
    let scan = Scan::of(&cmd).unwrap().unwrap();
    let step = scan.step(&topology(&[1])).unwrap();
    assert_eq!(line(&step.cmd), "SCAN 0 COUNT 3");
}

#[test]
fn what_is_no_cursor_is_left_to_the_server() {
    for line in [
        "SCAN",
        "SCAN a",
        "SCAN -1",
        "SCAN 99999999999999999999",
        "SCAN +1",
    ] {
        let mut cmd = Cmd::new();
        cmd.arg(line.split(' ').collect::<Vec<_>>());
        assert!(Scan::of(&cmd).unwrap().is_none(), "{line}");
    }
}
