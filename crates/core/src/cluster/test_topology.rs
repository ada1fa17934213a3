//! Topologies for tests.

use redis::Value;

use super::Topology;
use crate::RedisNode;

pub(super) fn node(port: u16) -> RedisNode {
    RedisNode::at("127.0.0.1", port)
}

/// One whose slots are the nodes' of these ports, in equal runs.
pub(super) fn topology(ports: &[u16]) -> Topology {
    let edge = |at: usize| (16_384 * at / ports.len()) as i64;
    let entries = ports.iter().enumerate().map(|(at, port)| {
        let host = Value::BulkString(b"127.0.0.1".to_vec());
        let master = Value::Array(vec![host, Value::Int(i64::from(*port))]);
        Value::Array(vec![
            Value::Int(edge(at)),
            Value::Int(edge(at + 1) - 1),
            master,
        ])
    });
    Topology::read(&Value::Array(entries.collect()), &node(1)).unwrap()
}
