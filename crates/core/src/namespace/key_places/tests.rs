use super::*;
use crate::namespace::test_table::{REDIS_6_2, REDIS_7, table};
use crate::namespace::{CommandName, CommandTable};

/// What the tables of the prefix's tests lack.
const MORE_OF_7: &str = "
    mget 1:-1/1
    evalsha 2#
    fcall 2#
    xgroup > xgroup|create 2:0/1
    sunsubscribe ~1:-1/1
    restore-asking 1:0/1
    sort_ro 1,1,1 1:0/1 ?
    vague 1,2,1 1:0/1 !2:0/1
";
const MORE_OF_6_2: &str = "
    mget 1,-1,1
    evalsha +movablekeys 0,0,0
    xinfo 2,2,1
    xreadgroup +movablekeys 1,1,1
    georadiusbymember +movablekeys 1,1,1
    zinterstore +movablekeys 1,1,1
    sinterstore 1,-1,1
    unknown.movable +movablekeys 1,2,1
    unknown.nowhere +movablekeys 0,0,0
";

#[track_caller]
fn finds(table: &CommandTable, line: &str, keys: &str) {
    let mut cmd = Cmd::new();
    let words: Vec<&str> = line.split(' ').collect();
    // A word `''` is an empty argument.
    cmd.arg(
        words
            .iter()
            .map(|word| word.trim_matches('\''))
            .collect::<Vec<_>>(),
    );
    let name = CommandName::new(words[0].as_bytes()).unwrap();
    let (places, _) = table.keys(name, &cmd);
    let found = words
        .iter()
        .enumerate()
        .filter(|(index, _)| places.has(*index));
    let found: Vec<&str> = found.map(|(_, word)| *word).collect();
    assert_eq!(found.join(" "), keys, "{line}");
    match places {
        Places::None => assert_eq!(found.len(), 0, "{line}"),
        Places::One(_) => assert_eq!(found.len(), 1, "{line}"),
        Places::Spans(_) => assert!(found.len() > 1, "{line}"),
    }
}

#[test]
fn keys_are_found_by_the_word_of_every_server() {
    let new = table(&format!("{MORE_OF_7}{REDIS_7}"));
    let old = table(&format!("{REDIS_6_2}{MORE_OF_6_2}"));
    for (line, keys) in [
        ("GET a", "a"),
        ("get a b", "a"),
        ("GET", ""),
        ("DEL a b a", "a b a"),
        ("MGET a", "a"),
        ("BLPOP a b 0", "a b"),
        ("BITOP AND d a b", "d a b"),
        ("ZUNION 2 a b WEIGHTS 1 2", "a b"),
        ("ZUNION 0 a", ""),
        ("ZUNIONSTORE d 2 a b", "d a b"),
        ("ZUNIONSTORE d 9 a b", "d"),
        ("EVAL s 2 a b c", "a b"),
        ("EVAL s 0 a", ""),
        ("EVALSHA s 1 a", "a"),
        ("XREAD STREAMS a b 0 0", "a b"),
        ("XREAD COUNT 1 BLOCK 1 streams a 0", "a"),
        ("XREAD STREAMS a", ""),
        ("XREAD COUNT 1", ""),
        (
            "XREADGROUP GROUP STREAMS STREAMS NOACK STREAMS a b > >",
            "a b",
        ),
        ("XREADGROUP GROUP g c CLAIM 1 STREAMS a >", "a"),
        ("XREADGROUP GROUP g c NEW STREAMS a >", "a"),
        ("SORT a", "a"),
        ("SORT a BY w* GET v* GET # LIMIT 0 1 STORE d", "a d"),
        ("SORT a STORE d STORE e", "a e"),
        ("SORT a BY STORE GET STORE ALPHA", "a"),
        ("SORT a STORE", "a"),
        ("GEORADIUS a 1 2 3 m", "a"),
        ("GEORADIUS a 1 2 3 m STORE d COUNT 1", "a d"),
        ("GEORADIUSBYMEMBER a STORE 3 m STOREDIST d", "a d"),
        ("MIGRATE h 1 a 0 1", "a"),
        ("MIGRATE h 1 a 0 1 KEYS b c", "a"),
        ("MIGRATE h 1 '' 0 1 COPY KEYS b c", "b c"),
        ("MEMORY USAGE a SAMPLES 0", "a"),
        ("MEMORY STATS", ""),
        ("MEMORY", ""),
        ("OBJECT ENCODING a", "a"),
        ("OBJECT HELP", ""),
        ("PUBSUB CHANNELS a", ""),
        ("FLUSHALL", ""),
        ("SCAN 0 MATCH a", ""),
        ("NOSUCH a b", ""),
    ] {
        finds(&new, line, keys);
        finds(&old, line, keys);
    }
}

#[test]
fn what_only_some_servers_have_is_found_there() {
    let new = table(&format!("{MORE_OF_7}{REDIS_7}"));
    for (line, keys) in [
        ("FCALL f 1 a b", "a"),
        ("XGROUP CREATE a g $", "a"),
        ("SORT_RO a BY w*", "a"),
        ("VAGUE a b", "a b"),
        ("SPUBLISH a m", "a"),
        ("SUNSUBSCRIBE a b", "a b"),
        ("PUBLISH a m", ""),
        ("BLMPOP 0 2 a b LEFT", "a b"),
        ("RESTORE-ASKING a 0 x", "a"),
        ("JSON.GET a $", "a"),
    ] {
        finds(&new, line, keys);
    }
    let old = table(&format!("{REDIS_6_2}{MORE_OF_6_2}"));
    for (line, keys) in [
        ("XGROUP CREATE a g $", "a"),
        ("XINFO STREAM a FULL", "a"),
        ("SINTERSTORE d a b", "d a b"),
        ("STRALGO LCS KEYS a b IDX", "a b"),
        ("STRALGO LCS IDX KEYS a b", "a b"),
        ("STRALGO LCS STRINGS a b", ""),
        ("UNKNOWN.MOVABLE a b c", "a b"),
        ("UNKNOWN.NOWHERE a b c", ""),
    ] {
        finds(&old, line, keys);
    }
}

#[test]
fn what_only_reads_is_known_by_its_flag() {
    let table =
        table("get +readonly 1:0/1\nset +write 1:0/1\nobject > object|encoding +readonly 2:0/1");
    for (line, reads) in [
        ("GET a", true),
        ("SET a 1", false),
        ("OBJECT ENCODING a", true),
    ] {
        let mut cmd = Cmd::new();
        cmd.arg(line.split(' ').collect::<Vec<_>>());
        let name = CommandName::new(line.split(' ').next().unwrap().as_bytes()).unwrap();
        assert_eq!(table.keys(name, &cmd).1, reads, "{line}");
    }
}
