//! Replies of Redis 7.0.15, recorded on a Unix socket, and what that server never sends.

/// One reply each, but for two that come with a push.
pub(super) const RECORDED: &[&[u8]] = &[
    // RESP2: PING
    b"+PONG\r\n",
    // RESP2: GET k
    b"$1\r\nv\r\n",
    // RESP2: GET missing
    b"$-1\r\n",
    // RESP2: GET bin
    b"$8\r\n\x00\xff\r\n$5\r\n\r\n",
    // RESP2: INCR n
    b":42\r\n",
    // RESP2: LRANGE l 0 -1
    b"*4\r\n$1\r\na\r\n$1\r\nb\r\n$0\r\n\r\n$1\r\nc\r\n",
    // RESP2: LRANGE missing 0 -1
    b"*0\r\n",
    // RESP2: SMEMBERS s
    b"*2\r\n$1\r\ny\r\n$1\r\nx\r\n",
    // RESP2: ZRANGE z 0 -1 WITHSCORES
    b"*6\r\n$3\r\nlow\r\n$4\r\n-inf\r\n$3\r\none\r\n$3\r\n1.5\r\n$3\r\ntop\r\n$3\r\ninf\r\n",
    // RESP2: HGETALL h
    b"*4\r\n$1\r\nf\r\n$1\r\nv\r\n$1\r\ng\r\n$0\r\n\r\n",
    // RESP2: XRANGE x - +
    b"*2\r\n*2\r\n$3\r\n1-1\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n*2\r\n$3\r\n2-1\r\n*2\r\n$1\r\ng\r\n$1\r\nw\r\n",
    // RESP2: XREADGROUP GROUP grp c COUNT 2 STREAMS x >
    b"*1\r\n*2\r\n$1\r\nx\r\n*2\r\n*2\r\n$3\r\n1-1\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n*2\r\n$3\r\n2-1\r\n*2\r\n$1\r\ng\r\n$1\r\nw\r\n",
    // RESP2: GEOPOS geo Palermo missing
    b"*2\r\n*2\r\n$20\r\n13.36138933897018433\r\n$20\r\n38.11555639549629859\r\n*-1\r\n",
    // RESP2: LPUSH k v
    b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
    // RESP2: EVALSHA 0000000000000000000000000000000000000000 0
    b"-NOSCRIPT No matching script. Please use EVAL.\r\n",
    // RESP2: NOSUCH x
    b"-ERR unknown command 'NOSUCH', with args beginning with: 'x' \r\n",
    // RESP2: SCAN 0 MATCH z
    b"*2\r\n$1\r\n7\r\n*1\r\n$1\r\nz\r\n",
    // RESP2: MGET k missing n
    b"*3\r\n$1\r\nv\r\n$-1\r\n$2\r\n42\r\n",
    // RESP2: EVAL return {1,'two',{3,{ok='fine'},{err='ERR nested'}},fals
    b"*2\r\n$9\r\nmaxmemory\r\n$1\r\n0\r\n*4\r\n:1\r\n$3\r\ntwo\r\n*3\r\n:3\r\n+fine\r\n-ERR nested\r\n$-1\r\n",
    // RESP2: COMMAND INFO get nosuch
    b"*2\r\n*10\r\n$3\r\nget\r\n:2\r\n*2\r\n+readonly\r\n+fast\r\n:1\r\n:1\r\n:1\r\n*3\r\n+@read\r\n+@string\r\n+@fast\r\n*0\r\n*1\r\n*6\r\n$5\r\nflags\r\n*2\r\n+RO\r\n+access\r\n$12\r\nbegin_search\r\n*4\r\n$4\r\ntype\r\n$5\r\nindex\r\n$4\r\nspec\r\n*2\r\n$5\r\nindex\r\n:1\r\n$9\r\nfind_keys\r\n*4\r\n$4\r\ntype\r\n$5\r\nrange\r\n$4\r\nspec\r\n*6\r\n$7\r\nlastkey\r\n:0\r\n$7\r\nkeystep\r\n:1\r\n$5\r\nlimit\r\n:0\r\n*0\r\n$-1\r\n",
    // RESP2: ZSCORE z top
    b"$3\r\ninf\r\n",
    // RESP2: XREAD BLOCK 10 STREAMS x $
    b"*-1\r\n",
    // RESP2: MULTI
    b"+OK\r\n",
    // RESP2: INCR k
    b"+QUEUED\r\n",
    // RESP2: EXEC
    b"*2\r\n-ERR value is not an integer or out of range\r\n$8\r\n\x00\xff\r\n$5\r\n\r\n",
    // RESP2: NOSUCH
    b"-ERR unknown command 'NOSUCH', with args beginning with: \r\n",
    // RESP2: EXEC
    b"-EXECABORT Transaction discarded because of previous errors.\r\n",
    // RESP2: bad name error
    b"-ERR unknown subcommand '\xff\xfe'. Try CLIENT HELP.\r\n",
    // RESP2: wrong cmd bytes
    b"-ERR unknown command '\xffoo  bar', with args beginning with: 'x' \r\n",
    // RESP3: HELLO 3
    b"%7\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$6\r\n7.0.15\r\n$5\r\nproto\r\n:3\r\n$2\r\nid\r\n:5\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n$7\r\nmodules\r\n*0\r\n",
    // RESP3: GET missing
    b"_\r\n",
    // RESP3: INCR n
    b":43\r\n",
    // RESP3: SMEMBERS s
    b"~2\r\n$1\r\ny\r\n$1\r\nx\r\n",
    // RESP3: ZRANGE z 0 -1 WITHSCORES
    b"*3\r\n*2\r\n$3\r\nlow\r\n,-inf\r\n*2\r\n$3\r\none\r\n,1.5\r\n*2\r\n$3\r\ntop\r\n,inf\r\n",
    // RESP3: HGETALL h
    b"%2\r\n$1\r\nf\r\n$1\r\nv\r\n$1\r\ng\r\n$0\r\n\r\n",
    // RESP3: HGETALL missing
    b"%0\r\n",
    // RESP3: GEOPOS geo Palermo missing
    b"*2\r\n*2\r\n,13.36138933897018433\r\n,38.11555639549629859\r\n_\r\n",
    // RESP3: MGET k missing n
    b"*3\r\n$1\r\nv\r\n_\r\n$2\r\n43\r\n",
    // RESP3: CONFIG GET maxmemory
    b"%1\r\n$9\r\nmaxmemory\r\n$1\r\n0\r\n",
    // RESP3: EVAL return {1,'two',{3,{ok='fine'},{err='ERR nested'}},fals
    b"*4\r\n:1\r\n$3\r\ntwo\r\n*3\r\n:3\r\n+fine\r\n-ERR nested\r\n_\r\n",
    // RESP3: COMMAND INFO get nosuch
    b"*2\r\n*10\r\n$3\r\nget\r\n:2\r\n~2\r\n+readonly\r\n+fast\r\n:1\r\n:1\r\n:1\r\n~3\r\n+@read\r\n+@string\r\n+@fast\r\n~0\r\n~1\r\n%3\r\n$5\r\nflags\r\n~2\r\n+RO\r\n+access\r\n$12\r\nbegin_search\r\n%2\r\n$4\r\ntype\r\n$5\r\nindex\r\n$4\r\nspec\r\n%1\r\n$5\r\nindex\r\n:1\r\n$9\r\nfind_keys\r\n%2\r\n$4\r\ntype\r\n$5\r\nrange\r\n$4\r\nspec\r\n%3\r\n$7\r\nlastkey\r\n:0\r\n$7\r\nkeystep\r\n:1\r\n$5\r\nlimit\r\n:0\r\n~0\r\n_\r\n",
    // RESP3: ZSCORE z top
    b",inf\r\n",
    // RESP3: EVAL redis.setresp(3); return {double=3.25} 0
    b",3.25\r\n",
    // RESP3: EVAL redis.setresp(3); return {big_number='12345678901234567
    b"(12345678901234567890123\r\n",
    // RESP3: EVAL redis.setresp(3); return {verbatim_string={format='mkd'
    b"=8\r\nmkd:# hi\r\n",
    // RESP3: EVAL redis.setresp(3); return {map={a=true,b=false}} 0
    b"%2\r\n$1\r\na\r\n#t\r\n$1\r\nb\r\n#f\r\n",
    // RESP3: LATENCY DOCTOR
    b"=292\r\ntxt:I'm sorry, Dave, I can't do that. Latency monitoring is disabled in this Redis instance. You may use \"CONFIG SET latency-monitor-threshold <milliseconds>.\" in order to enable it. If we weren't in a deep space mission I'd suggest to take a look at https://redis.io/topics/latency-monitor.\n\r\n",
    // RESP3: DEBUG PROTOCOL attrib
    b"|1\r\n$14\r\nkey-popularity\r\n*2\r\n$7\r\nkey:123\r\n:90\r\n$39\r\nSome real reply following the attribute\r\n",
    // RESP3: DEBUG PROTOCOL push
    b">2\r\n$16\r\nserver-cpu-usage\r\n:42\r\n$40\r\nSome real reply following the push reply\r\n",
    // RESP3: DEBUG PROTOCOL map
    b"%3\r\n:0\r\n#f\r\n:1\r\n#t\r\n:2\r\n#f\r\n",
    // RESP3: DEBUG PROTOCOL bignum
    b"(1234567999999999999999999999999999999\r\n",
    // RESP3: DEBUG PROTOCOL verbatim
    b"=29\r\ntxt:This is a verbatim\nstring\r\n",
    // RESP3: DEBUG PROTOCOL double
    b",3.141\r\n",
    // RESP3: DEBUG PROTOCOL true
    b"#t\r\n",
    // RESP3: DEBUG PROTOCOL set
    b"~3\r\n:0\r\n:1\r\n:2\r\n",
    // RESP3: SUBSCRIBE ch
    b">3\r\n$9\r\nsubscribe\r\n$2\r\nch\r\n:1\r\n",
    // RESP3: PUBLISH ch hello
    b">3\r\n$7\r\nmessage\r\n$2\r\nch\r\n$5\r\nhello\r\n:1\r\n",
    // RESP3: UNSUBSCRIBE ch
    b">3\r\n$11\r\nunsubscribe\r\n$2\r\nch\r\n:0\r\n",
    // RESP3: SET k v2
    b"+OK\r\n>2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n",
];

/// What other servers and other times may send.
pub(super) const HAND_MADE: &[&[u8]] = &[
    b"!21\r\nSYNTAX invalid syntax\r\n",
    b"!11\r\nERR \xff\r\n two\r\n",
    b"~0\r\n",
    b"~-1\r\n",
    b">0\r\n",
    b">-1\r\n",
    b">2\r\n+unknown\r\n|1\r\n+k\r\n+v\r\n_\r\n",
    b"|0\r\n:1\r\n",
    b"*1\r\n|1\r\n+ttl\r\n:3600\r\n*2\r\n:1\r\n,-nan\r\n",
    b"%1\r\n*1\r\n:1\r\n%1\r\n_\r\n~1\r\n#f\r\n",
    b"=4\r\ntxt:\r\n",
    b"=8\r\nlonger:x\r\n",
    b"(-170141183460469231731687303715884105728\r\n",
    b",1e-400\r\n",
    b",.5\r\n",
    b":-9223372036854775808\r\n",
    b":+0\r\n",
    b"+\r\n",
    b"+lone \n and \r inside\r\n",
    b"-\r\n",
    b"-MOVED 3999 127.0.0.1:6381\r\n",
    b"$0\r\n\r\n",
    b"*2\r\n*-1\r\n$-1\r\n",
];

/// All of them.
pub(super) fn all() -> impl Iterator<Item = &'static [u8]> + Clone {
    RECORDED.iter().chain(HAND_MADE).copied()
}
