//! What the differential test sends, as data.

/// One entry: commands separated by ` | `; words separated by spaces, `''` being the empty one.
pub(crate) struct Case {
    pub(crate) shape: Shape,
    pub(crate) lines: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Single,
    Pipeline,
    Atomic,
}

/// Everywhere the same: ours blocking and asynchronous, theirs blocking and multiplexed. In this
/// order, on a database that was empty before the first.
pub(crate) const SINGLE: &[&str] = &[
    "PING",
    "PING hello",
    "ECHO ''",
    "SET k v",
    "SET k v NX",
    "SET k w XX GET",
    "GET k",
    "GET nosuch",
    "GETRANGE k 0 0",
    "APPEND k more",
    "STRLEN k",
    "SETEX t 100 v",
    "TTL nosuch",
    "PERSIST t",
    "TYPE k",
    "EXISTS k t nosuch",
    "INCR n",
    "INCRBY n 9223372036854775806",
    "INCR n",
    "INCRBYFLOAT f 0.1",
    "INCRBYFLOAT f inf",
    "MSET a 1 b 2",
    "MGET a b nosuch",
    "MSETNX a 1 z 2",
    "SETBIT bits 7 1",
    "BITCOUNT bits",
    "BITFIELD bits GET u8 0 OVERFLOW FAIL INCRBY u2 0 9",
    "RPUSH l a b c",
    "LRANGE l 0 -1",
    "LRANGE nosuch 0 -1",
    "LINDEX l 99",
    "LPOS l c",
    "LPOP l 0",
    "LPOP nosuch 1",
    "LMPOP 1 l LEFT",
    "LMPOP 1 nosuch LEFT",
    "SADD s one",
    "SMEMBERS s",
    "SMISMEMBER s one two",
    "SRANDMEMBER nosuch",
    "SPOP nosuch 3",
    "HSET h f v",
    "HGETALL h",
    "HGETALL nosuch",
    "HMGET h f nosuch",
    "HRANDFIELD h 1 WITHVALUES",
    "HINCRBYFLOAT h d 1.5",
    "ZADD z 1 one 2.5 two inf far",
    "ZADD z INCR 0.5 one",
    "ZADD z NX INCR 1 one",
    "ZSCORE z far",
    "ZSCORE z nosuch",
    "ZMSCORE z one nosuch",
    "ZRANGE z 0 -1 WITHSCORES",
    "ZRANK z two WITHSCORE",
    "ZPOPMIN z",
    "ZPOPMAX z 5",
    "ZRANDMEMBER nosuch",
    "XADD x 1-1 f v",
    "XADD x 1-1 f v",
    "XRANGE x - +",
    "XREAD STREAMS x 0",
    "XREAD STREAMS x $",
    "XGROUP CREATE x g 0",
    "XREADGROUP GROUP g c STREAMS x >",
    "XPENDING x g",
    "XINFO GROUPS x",
    "PFADD p a b",
    "PFCOUNT p",
    "GEOADD geo 13.36 38.11 P 15.08 37.50 C",
    "GEODIST geo P C",
    "GEODIST geo P nosuch",
    "GEOHASH geo P nosuch",
    "OBJECT ENCODING l",
    "OBJECT FREQ l",
    "SCAN 0 COUNT 1000 MATCH nosuch*",
    "CONFIG GET maxmemory-policy",
    "CLIENT GETNAME",
    "COMMAND COUNT",
    "COMMAND INFO get nosuch",
    "LASTSAVE",
    "EVAL return{1,2.9,'a',false,true,{ok='fine'},{err='MY_bad'}} 0",
    "EVAL return{err='MYCODE_is_this'} 0",
    "EVAL return{double=3.5} 0",
    "EVAL redis.setresp(3);return{map={a=1}} 0",
    "EVAL redis.setresp(3);return{set={a=true}} 0",
    "EVAL redis.setresp(3);return{double=3.25} 0",
    "EVAL redis.setresp(3);return{big_number='12345678901234567890123'} 0",
    "EVAL redis.setresp(3);return{verbatim_string={format='txt',string='hi'}} 0",
    "EVAL nonsense( 0",
    "EVAL return 1 7",
    "EVALSHA ffffffffffffffffffffffffffffffffffffffff 0",
    "LPUSH k 1",
    "GET",
    "NOSUCHCOMMAND a b",
    "SET k v EX 0",
    "SETRANGE k -1 x",
    "EXPIRE k notanumber",
    "CLIENT NOSUCH",
    "OBJECT HELP",
    "RENAME nosuch other",
    "ZADD z notafloat m",
    "BITOP NOT dest bits",
    "BITOP NOT dest a b",
    "RESTORE r 0 garbage",
    "XADD x 1-1 f v f",
    "CLUSTER INFO",
    "PUBLISH nobody hello",
    "PUBSUB NUMSUB nobody",
    "SHUTDOWN NOSUCH",
];

pub(crate) const COMBINED: &[Case] = &[
    Case::pipeline("SET k 1 | INCR k | GET k"),
    Case::pipeline("SET k v | INCR k | GET k"),
    Case::pipeline("INCR k | LPUSH k 1 | NOSUCHCOMMAND | GET k"),
    Case::pipeline("PING | PING ''"),
    Case::pipeline("HSET h2 a 1 | HGETALL h2 | ZADD z2 1 a | ZRANGE z2 0 -1 WITHSCORES"),
    Case::pipeline("BLPOP nosuch 0.01 | PING"),
    Case::pipeline("EVAL return{err='MYCODE_is_this'} 0 | PING"),
    Case::pipeline("GET"),
    Case::atomic("SET k 1 | INCR k | GET k"),
    Case::atomic("SET k v | INCR k | GET k"),
    Case::atomic("SET k w | NOSUCHCOMMAND | GET k"),
    Case::atomic("GET | SET k x | SET"),
    Case::atomic("GET k"),
    Case::atomic(""),
    Case::atomic("HSET h3 a 1 | HGETALL h3 | SMEMBERS nosuch"),
    Case::atomic("BLPOP nosuch 100 | XREAD BLOCK 100000 STREAMS nosuch 0"),
    Case::atomic("EVAL return{err='MYCODE_is_this'} 0 | PING"),
    Case::atomic("EVALSHA ffffffffffffffffffffffffffffffffffffffff 0"),
];

/// `DEBUG PROTOCOL …`: one reply of every type that RESP3 has; RESP2 gets its stand-ins.
pub(crate) const PROTOCOL_TYPES: &[&str] = &[
    "string", "integer", "double", "null", "array", "set", "map", "true", "false", "bignum",
    "verbatim", "attrib",
];

/// Where ours differs on purpose, in both worlds alike.
pub(crate) const ON_PURPOSE: &[(Case, &str)] = &[(
    Case::pipeline(""),
    "a plain pipeline without commands sends nothing and has no replies; redis says \"empty command\"",
)];

impl Case {
    const fn pipeline(lines: &'static str) -> Self {
        let shape = Shape::Pipeline;
        Self { shape, lines }
    }

    const fn atomic(lines: &'static str) -> Self {
        let shape = Shape::Atomic;
        Self { shape, lines }
    }

    pub(crate) const fn single(lines: &'static str) -> Self {
        let shape = Shape::Single;
        Self { shape, lines }
    }

    pub(crate) fn commands(&self) -> Vec<redis_manager::redis::Cmd> {
        let lines = self.lines.split(" | ").filter(|line| !line.is_empty());
        lines.map(command).collect()
    }
}

fn command(line: &str) -> redis_manager::redis::Cmd {
    let mut command = redis_manager::redis::Cmd::new();
    for word in line.split(' ') {
        // `_` is a space inside the Lua error texts.
        let word = if word.contains("err='") {
            word.replace('_', " ")
        } else {
            word.to_owned()
        };
        command.arg(if word == "''" { "" } else { word.as_str() });
    }
    command
}
