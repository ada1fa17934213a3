//! Replies as a real server sends them, byte by byte.

use std::io::{Read, Write};
use std::net::TcpStream;

use redis_manager::prelude::*;
use redis_manager_core::resp::{Decoder, DecoderLimits};
use redis_manager_support::TestServer;

use crate::harness::PATIENCE;

/// What the server is asked, in this order; some of it makes what the rest looks at.
const QUESTIONS: &str = "
PING
PING hello
ECHO echo
SET k v
SET k v NX
SETNX k w
GET k
GETSET k w
GET missing
STRLEN k
APPEND n 41
INCR n
INCRBYFLOAT f 1.5
DECRBY n 100
INCR k
MSET a 1 b 2 c 3
MGET a missing c
GETRANGE k 0 -1
SETBIT bits 7 1
BITCOUNT bits
TYPE k
TYPE missing
EXISTS a b c missing
EXPIRE a 100000
PERSIST a
PEXPIRETIME b
DEL c missing
OBJECT ENCODING n
OBJECT HELP
DUMP missing
COPY a aa
RANDOMKEY
KEYS aa
SCAN 0 MATCH aa COUNT 1000
RPUSH l a b c d
LRANGE l 0 -1
LRANGE missing 0 -1
LINDEX l 1
LPOP l
LPOP l 2
LPOP missing
LPOS l d
LPOS l d COUNT 0
LLEN l
SADD s x y
SMEMBERS s
SISMEMBER s x
SMISMEMBER s x missing
SINTER s missing
HSET h f v g w
HGETALL h
HGETALL missing
HGET h f
HMGET h f missing
HINCRBYFLOAT h float 2.5
HKEYS h
HRANDFIELD h 0
ZADD z -inf low 1.5 one inf top
ZADD z XX INCR 1 one
ZADD z NX INCR 1 one
ZRANGE z 0 -1
ZRANGE z 0 -1 WITHSCORES
ZSCORE z top
ZMSCORE z one missing
ZPOPMIN z
ZRANK z top
XADD x 1-1 f v
XADD x 2-1 g w
XRANGE x - +
XREAD COUNT 1 STREAMS x 0
XREAD STREAMS missing 0
XLEN x
XGROUP CREATE x group 0
XREADGROUP GROUP group me COUNT 1 STREAMS x >
XPENDING x group
GEOADD geo 13.361389 38.115556 Palermo
GEOPOS geo Palermo missing
GEODIST geo Palermo missing
PFADD hll a b
PFCOUNT hll
LPUSH k v
NOSUCH x
GET
EVALSHA 0000000000000000000000000000000000000000 0
EVAL return{1,'two',{3,{ok='fine'},{err='ERRnested'}},false} 0
EVAL return{} 0
EVAL return{ok='fine'} 0
EVAL return{err='ERRmine'} 0
CONFIG GET maxmemory
CONFIG GET nosuch
COMMAND COUNT
COMMAND INFO get
COMMAND GETKEYS MSET a 1 b 2
CLIENT GETNAME
CLIENT ID
MULTI
INCR n
LPUSH k v
EXEC
EXEC
";

/// One reply a question.
pub(super) fn record(server: &TestServer, protocol: Protocol) -> Vec<Vec<u8>> {
    server.run(&["FLUSHALL"]);
    let mut socket = TcpStream::connect((server.host(), server.port())).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    if protocol == Protocol::Resp3 {
        ask(&mut socket, "HELLO 3");
    }
    let questions = QUESTIONS.lines().filter(|question| !question.is_empty());
    questions.map(|it| ask(&mut socket, it)).collect()
}

fn ask(socket: &mut TcpStream, question: &str) -> Vec<u8> {
    let mut cmd = redis::Cmd::new();
    cmd.arg(question.split(' ').collect::<Vec<_>>());
    socket.write_all(&cmd.get_packed_command()).unwrap();
    let mut decoder = Decoder::new(DecoderLimits::default());
    let (mut frame, mut buffer) = (Vec::new(), [0; 4096]);
    while decoder.next_value().unwrap().is_none() {
        let count = socket.read(&mut buffer).unwrap();
        assert!(count > 0, "{question}: the server hung up");
        decoder.feed(&buffer[..count]);
        frame.extend_from_slice(&buffer[..count]);
    }
    assert!(decoder.is_between_replies(), "{question}");
    frame
}
