use proptest::prelude::*;
use redis::Value;

use super::*;
use crate::ErrorKind;

fn node(port: u16) -> RedisNode {
    RedisNode::at("127.0.0.1", port)
}

fn read(reply: &[u8]) -> crate::Result<Topology> {
    let reply = redis::parse_redis_value(reply).unwrap();
    Topology::read(&reply, &node(7_000))
}

fn slot(number: u16) -> Slot {
    Slot::new(number).unwrap()
}

/// Of a cluster whose slot 100 no node has, by a node that prefers host names, of which it knows two.
const HOST_NAMES: &str = "*4\r\n\
    *3\r\n:0\r\n:99\r\n*4\r\n$14\r\nnode-0.example\r\n:29764\r\n$40\r\n96cd192fce4e54684eec2a2f5cc72c2fff11f6ea\r\n\
    *2\r\n$2\r\nip\r\n$9\r\n127.0.0.1\r\n\
    *3\r\n:101\r\n:5460\r\n*4\r\n$14\r\nnode-0.example\r\n:29764\r\n$40\r\n96cd192fce4e54684eec2a2f5cc72c2fff11f6ea\r\n\
    *2\r\n$2\r\nip\r\n$9\r\n127.0.0.1\r\n\
    *3\r\n:5461\r\n:10922\r\n*4\r\n$14\r\nnode-1.example\r\n:29765\r\n$40\r\ndbcb12bc778e913b635a171c9957cad1d1422f93\r\n\
    *2\r\n$2\r\nip\r\n$9\r\n127.0.0.1\r\n\
    *3\r\n:10923\r\n:16383\r\n*4\r\n$1\r\n?\r\n:29766\r\n$40\r\n69a008345494daaab837d64e559dabf6437c38a5\r\n\
    *2\r\n$2\r\nip\r\n$9\r\n127.0.0.1\r\n";

/// The same cluster, by one that tells no hosts. The first node has a replica.
const NO_HOSTS: &str = "*4\r\n\
    *4\r\n:0\r\n:99\r\n*4\r\n$-1\r\n:29764\r\n$40\r\n96cd192fce4e54684eec2a2f5cc72c2fff11f6ea\r\n\
    *4\r\n$2\r\nip\r\n$9\r\n127.0.0.1\r\n$8\r\nhostname\r\n$14\r\nnode-0.example\r\n\
    *4\r\n$-1\r\n:29767\r\n$40\r\ndadbfcaf0574bf614a09e0d96c4044206539d963\r\n*2\r\n$2\r\nip\r\n$9\r\n127.0.0.1\r\n\
    *4\r\n:101\r\n:5460\r\n*4\r\n$-1\r\n:29764\r\n$40\r\n96cd192fce4e54684eec2a2f5cc72c2fff11f6ea\r\n\
    *4\r\n$2\r\nip\r\n$9\r\n127.0.0.1\r\n$8\r\nhostname\r\n$14\r\nnode-0.example\r\n\
    *4\r\n$-1\r\n:29767\r\n$40\r\ndadbfcaf0574bf614a09e0d96c4044206539d963\r\n*2\r\n$2\r\nip\r\n$9\r\n127.0.0.1\r\n\
    *3\r\n:5461\r\n:10922\r\n*4\r\n$-1\r\n:29765\r\n$40\r\ndbcb12bc778e913b635a171c9957cad1d1422f93\r\n\
    *4\r\n$2\r\nip\r\n$9\r\n127.0.0.1\r\n$8\r\nhostname\r\n$14\r\nnode-1.example\r\n\
    *3\r\n:10923\r\n:16383\r\n*4\r\n$-1\r\n:29766\r\n$40\r\n69a008345494daaab837d64e559dabf6437c38a5\r\n\
    *2\r\n$2\r\nip\r\n$9\r\n127.0.0.1\r\n";

#[test]
fn a_node_that_prefers_host_names_is_read_under_both_protocols() {
    let topology = read(HOST_NAMES.as_bytes()).unwrap();
    let names = ["node-0.example:29764", "node-1.example:29765"];
    let masters = topology.masters().iter().map(ToString::to_string);
    assert_eq!(masters.collect::<Vec<_>>(), names);
    for (number, owner) in [
        (0, Some(names[0])),
        (99, Some(names[0])),
        (100, None),
        (101, Some(names[0])),
        (5_460, Some(names[0])),
        (5_461, Some(names[1])),
        (10_922, Some(names[1])),
        // Nobody knows where this node is.
        (10_923, None),
        (16_383, None),
    ] {
        let found = topology.owner(slot(number)).map(ToString::to_string);
        assert_eq!(found.as_deref(), owner, "{number}");
    }
    assert!(!topology.is_complete());
    let resp3 = HOST_NAMES.replace("*2\r\n$2\r\nip", "%1\r\n$2\r\nip");
    assert_eq!(read(resp3.as_bytes()).unwrap(), topology);
}

#[test]
fn a_node_that_tells_no_host_means_its_own() {
    let topology = read(NO_HOSTS.as_bytes()).unwrap();
    let masters = [node(29_764), node(29_765), node(29_766)];
    assert_eq!(topology.masters(), masters);
    assert_eq!(topology.replicas(slot(0)), [node(29_767)]);
    assert_eq!(topology.replicas(slot(5_461)), []);
    assert_eq!(topology.replicas(slot(100)), []);
    assert_eq!(topology.nodes(), [&masters[..], &[node(29_767)]].concat());
    assert!(topology.has(&node(29_767)) && topology.has(&node(29_764)));
    assert!(!topology.has(&node(7_000)));
    let empty = NO_HOSTS.replace("$-1\r\n", "$0\r\n\r\n");
    assert_eq!(read(empty.as_bytes()).unwrap(), topology);
}

#[test]
fn a_node_without_slots_tells_an_empty_topology() {
    let topology = read(b"*0\r\n").unwrap();
    assert_eq!((topology.masters(), topology.nodes()), (&[][..], vec![]));
    assert_eq!(topology.owner(slot(1)), None);
    let moved = topology.with_moved(slot(1), &node(1));
    assert_eq!(moved.owner(slot(1)), Some(&node(1)));
}

#[test]
fn what_is_no_topology_is_refused_with_the_reason() {
    for (reply, why) in [
        (
            "-ERR This instance has cluster support disabled\r\n",
            "cluster support disabled",
        ),
        ("+OK\r\n", "no array"),
        ("*1\r\n:1\r\n", "an entry is no array"),
        ("*1\r\n*2\r\n:0\r\n:1\r\n", "no node"),
        (
            "*1\r\n*3\r\n:0\r\n:16384\r\n*2\r\n$1\r\na\r\n:1\r\n",
            "no such slot",
        ),
        (
            "*1\r\n*3\r\n:-1\r\n:1\r\n*2\r\n$1\r\na\r\n:1\r\n",
            "no such slot",
        ),
        (
            "*1\r\n*3\r\n:2\r\n:1\r\n*2\r\n$1\r\na\r\n:1\r\n",
            "ends before it begins",
        ),
        ("*1\r\n*3\r\n:0\r\n:1\r\n$1\r\na\r\n", "a node is no array"),
        (
            "*1\r\n*3\r\n:0\r\n:1\r\n*1\r\n$1\r\na\r\n",
            "no host or no port",
        ),
        (
            "*1\r\n*3\r\n:0\r\n:1\r\n*2\r\n:1\r\n:1\r\n",
            "a host is no text",
        ),
        (
            "*1\r\n*3\r\n:0\r\n:1\r\n*2\r\n$1\r\na\r\n:65536\r\n",
            "no such port",
        ),
        (
            "*1\r\n*3\r\n:0\r\n:1\r\n*2\r\n$1\r\na\r\n+x\r\n",
            "a port is no number",
        ),
        (
            "*2\r\n*3\r\n:5\r\n:9\r\n*2\r\n$1\r\na\r\n:1\r\n*3\r\n:0\r\n:5\r\n*2\r\n$1\r\nb\r\n:1\r\n",
            "a slot is in it twice",
        ),
    ] {
        let error = read(reply.as_bytes()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol, "{reply}");
        assert!(error.message().contains(why), "{reply}: {error}");
        assert!(error.message().contains("127.0.0.1:7000"), "{error}");
    }
}

/// A topology of such runs of slots, from 0 on; a node 0 is none.
fn topology(runs: &[(u16, u16)]) -> (Topology, Vec<u16>) {
    let mut owners = Vec::new();
    let mut entries = Vec::new();
    for (length, port) in runs {
        let first = owners.len();
        owners.extend(std::iter::repeat_n(*port, usize::from(*length)));
        if *port > 0 {
            let at = |index: usize| Value::Int(index as i64);
            let host = Value::BulkString(b"127.0.0.1".to_vec());
            let master = Value::Array(vec![host, Value::Int(i64::from(*port))]);
            entries.push(Value::Array(vec![at(first), at(owners.len() - 1), master]));
        }
    }
    // Servers keep no order.
    entries.reverse();
    let topology = Topology::read(&Value::Array(entries), &node(1)).unwrap();
    (topology, owners)
}

#[track_caller]
fn agree(topology: &Topology, owners: &[u16]) {
    for number in 0..Slot::COUNT {
        let owner = owners.get(usize::from(number)).filter(|port| **port > 0);
        assert_eq!(
            topology.owner(slot(number)),
            owner.map(|port| node(*port)).as_ref(),
            "{number}"
        );
    }
    let mut masters = Vec::new();
    for port in owners {
        if *port > 0 && !masters.contains(&node(*port)) {
            masters.push(node(*port));
        }
    }
    assert_eq!(topology.masters(), masters);
    let owned = owners.iter().filter(|port| **port > 0).count();
    assert_eq!(topology.is_complete(), owned == 16_384);
    // As few ranges as there are runs.
    let pairs = owners
        .windows(2)
        .filter(|pair| pair[0] != pair[1] && pair[1] > 0);
    let runs = pairs.count() + usize::from(owners.first().is_some_and(|port| *port > 0));
    assert_eq!(topology.ranges.len(), runs);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn it_is_the_same_as_a_list_of_all_slots(
        runs in prop::collection::vec((1_u16..1_000, 0_u16..4), 0..16),
        moves in prop::collection::vec((0..Slot::COUNT, 1_u16..5), 0..12),
    ) {
        let (mut topology, mut owners) = topology(&runs);
        agree(&topology, &owners);
        owners.resize(16_384, 0);
        for (moved, to) in moves {
            let before = topology.clone();
            topology = topology.with_moved(slot(moved), &node(to));
            let is_same = owners[usize::from(moved)] == to;
            owners[usize::from(moved)] = to;
            agree(&topology, &owners);
            prop_assert_eq!(topology == before, is_same);
            prop_assert!(topology.seal() == before.seal() || !is_same);
        }
    }
}

#[test]
fn all_slots_may_have_one_node() {
    let (topology, owners) = topology(&[(16_384, 1)]);
    agree(&topology, &owners);
    let moved = topology
        .with_moved(slot(16_383), &node(2))
        .with_moved(slot(0), &node(3));
    assert_eq!(moved.masters(), [node(3), node(1), node(2)]);
    assert!(moved.is_complete());
    let back = moved
        .with_moved(slot(16_383), &node(1))
        .with_moved(slot(0), &node(1));
    assert_eq!(back, topology);
}

#[test]
fn a_slot_that_moves_to_a_known_master_has_its_replicas() {
    let topology = read(NO_HOSTS.as_bytes()).unwrap();
    let moved = topology.with_moved(slot(10_000), &node(29_764));
    assert_eq!(moved.replicas(slot(10_000)), [node(29_767)]);
    let promoted = topology.with_moved(slot(0), &node(29_767));
    assert_eq!(promoted.owner(slot(0)), Some(&node(29_767)));
    assert_eq!(promoted.replicas(slot(0)), []);
    assert_eq!(promoted.owner(slot(1)), Some(&node(29_764)));
}

#[test]
fn a_node_takes_what_another_had_and_not_what_nobody_had() {
    let none = Topology::default();
    let known = none.with_moved(slot(1), &node(1));
    let known = known.with_moved(slot(2), &node(2));
    let told = known.with_moved(slot(3), &node(1));
    assert!(!told.takes(&node(1), &known));
    let told = told.with_moved(slot(2), &node(1));
    assert!(told.takes(&node(1), &known));
    assert!(!told.takes(&node(2), &known));
}
