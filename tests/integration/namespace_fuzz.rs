//! Random commands of one script, drawn to be nasty, touch nothing of another's.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use redis_manager::MessageStream;
use redis_manager::prelude::*;
use redis_manager::redis::{Cmd, ConnectionLike, Value, cmd, pipe};
use redis_manager_core::route::{BlockingTimeout, Route, route};
use redis_manager_support::{Reply, TestServer};

use crate::fixture::{Host, PROTOCOLS, unique};
use crate::random::Random;

const PREFIX: &str = "fuzz:";
/// Is in the values of another script, and in the names of some of its keys, and in no command of ours.
const SECRET: &str = "s3cret";
const BATCH: usize = 250;

/// What another script has. Some of its keys are named like words of commands, as keys without our prefix.
const OTHERS: &[&str] = &[
    "SET other:string s3cret",
    "RPUSH other:list s3cret s3cret-2",
    "SADD other:set s3cret",
    "ZADD other:zset 1 s3cret",
    "HSET other:hash f s3cret",
    "XADD other:stream 1-1 f s3cret",
    "XGROUP CREATE other:stream g 0",
    "PFADD other:hll s3cret",
    "GEOADD other:geo 1 2 s3cret",
    "SETBIT other:bits 7 1",
    "SET fuzz s3cret",
    "SET a s3cret",
    "RPUSH b s3cret",
    "SET STORE s3cret",
    "ZADD STREAMS 1 s3cret",
    "SADD MATCH s3cret",
    "SET 0 s3cret",
    "SET 1 s3cret",
    "SET 2 s3cret",
    "SET # s3cret",
    "SET * s3cret",
    "SET w_1 s3cret",
    "HSET h_1 f s3cret",
];

/// What our script has, so that its commands find something.
const OWN: &[&str] = &[
    "SET string 1",
    "RPUSH list 1 2 3",
    "SADD set 1 2",
    "ZADD zset 1 x 2 y",
    "HSET hash f 1",
    "XADD stream 1-1 f v",
    "XGROUP CREATE stream g 0",
    "PFADD hll x",
    "GEOADD geo 1 2 x",
];

/// What is called, more or less: each is changed before.
const CALLS: &[&str] = &[
    "GET string",
    "SET string 1",
    "APPEND string x",
    "DEL string a",
    "EXISTS a b",
    "UNLINK list",
    "MGET a b STORE",
    "MSET a 1 b 2",
    "MSETNX a 1 b 2",
    "GETDEL string",
    "GETEX string EX 10",
    "RENAME string other:string",
    "RENAMENX list b",
    "COPY string a DB 1 REPLACE",
    "MOVE string 1",
    "DUMP string",
    "TYPE a",
    "OBJECT ENCODING a",
    "OBJECT FREQ a",
    "MEMORY USAGE a SAMPLES 1",
    "TOUCH a b",
    "EXPIRE a 100",
    "PERSIST a",
    "RANDOMKEY",
    "KEYS *",
    "KEYS other:*",
    "SCAN 0",
    "SCAN 0 MATCH * COUNT 100",
    "SCAN 0 MATCH a MATCH * TYPE string",
    "DBSIZE",
    "LPUSH list a",
    "LRANGE list 0 -1",
    "LMOVE list b LEFT RIGHT",
    "RPOPLPUSH list b",
    "LMPOP 2 list b LEFT",
    "BLPOP list b 0.001",
    "BRPOP list 0.001",
    "BLMOVE list b LEFT RIGHT 0.001",
    "BLMPOP 0.001 2 list b LEFT",
    "BRPOPLPUSH list b 0.001",
    "LINSERT list BEFORE 1 x",
    "LPOS list 1",
    "SADD set a",
    "SMEMBERS set",
    "SMOVE set MATCH 1",
    "SINTER set MATCH",
    "SUNIONSTORE a set other:set",
    "SDIFFSTORE other:set set MATCH",
    "SINTERCARD 2 set MATCH LIMIT 1",
    "SSCAN set 0 MATCH *",
    "SPOP set",
    "ZADD zset 1 a",
    "ZRANGE zset 0 -1",
    "ZRANGESTORE a zset 0 -1",
    "ZUNION 2 zset STREAMS WEIGHTS 1 2",
    "ZUNIONSTORE other:zset 2 zset STREAMS",
    "ZINTERSTORE a 1 zset AGGREGATE SUM",
    "ZDIFF 1 zset",
    "ZDIFFSTORE a 1 other:zset",
    "ZMPOP 2 zset STREAMS MIN",
    "BZMPOP 0.001 2 zset STREAMS MIN",
    "BZPOPMIN zset STREAMS 0.001",
    "ZSCAN zset 0 MATCH *",
    "ZINTERCARD 1 zset",
    "ZPOPMIN zset",
    "HSET hash f v",
    "HGETALL hash",
    "HSCAN hash 0 MATCH *",
    "HRANDFIELD hash 1",
    "HINCRBY hash f 1",
    "XADD stream * f v",
    "XREAD COUNT 2 STREAMS stream other:stream 0 0",
    "XREAD BLOCK 1 STREAMS stream $",
    "XREADGROUP GROUP g c COUNT 1 STREAMS stream >",
    "XREADGROUP GROUP g c NOACK STREAMS stream other:stream > >",
    "XGROUP CREATE other:stream h 0",
    "XINFO STREAM stream",
    "XINFO GROUPS stream",
    "XRANGE stream - +",
    "XAUTOCLAIM stream g c 0 0",
    "XTRIM stream MAXLEN 1",
    "XPENDING stream g",
    "SORT list",
    "SORT list BY w_* GET # GET h_*->f GET w_*",
    "SORT list BY nosort GET * STORE other:list",
    "SORT list STORE a STORE other:list",
    "SORT_RO list GET w_*",
    "SORT set ALPHA DESC LIMIT 0 1 STORE b",
    "GEORADIUS geo 1 2 100 km STORE a STOREDIST other:geo",
    "GEORADIUSBYMEMBER geo x 100 km STORE other:geo",
    "GEORADIUS_RO geo 1 2 100 km WITHDIST",
    "GEOSEARCH geo FROMMEMBER x BYRADIUS 10 km ASC",
    "GEOSEARCHSTORE other:geo geo FROMMEMBER x BYRADIUS 10 km STOREDIST",
    "BITOP OR other:bits string a",
    "BITFIELD string SET u8 0 1",
    "SETBIT string 3 1",
    "BITCOUNT string",
    "PFMERGE other:hll hll",
    "PFCOUNT hll other:hll",
    "LCS string other:string LEN",
    "SUBSTR string 0 1",
    "PUBLISH other:channel x",
    "SPUBLISH other:channel x",
    "PUBSUB CHANNELS",
    "PUBSUB NUMSUB other:channel a",
    "MIGRATE 127.0.0.1 1 a 0 1 COPY KEYS other:string",
    "RESTORE other:string 0 x REPLACE",
    "EVAL return 1 other:string",
    "FCALL f 1 other:string",
    "FLUSHALL",
    "FLUSHDB",
    "SWAPDB 0 1",
    "CLIENT LIST",
    "CLIENT INFO",
    "CLIENT TRACKING ON BCAST",
    "CONFIG GET *",
    "INFO",
    "DEBUG OBJECT a",
    "COMMAND GETKEYS GET other:string",
    "COMMAND COUNT",
    "SLOWLOG GET",
    "PING",
    "ECHO x",
    "TIME",
    "MULTI",
    "EXEC",
    "EXEC",
    "DISCARD",
    "WATCH a other:string",
    "UNWATCH",
    "SELECT 1",
    "SELECT 0",
];

/// What else is put among the arguments.
const WORDS: &[&str] = &[
    "STORE",
    "STOREDIST",
    "STREAMS",
    "MATCH",
    "COUNT",
    "KEYS",
    "GROUP",
    "BY",
    "GET",
    "LIMIT",
    "NOACK",
    "WITHSCORES",
    "GET\0",
    "STORE\0x",
    "match",
    "0",
    "1",
    "2",
    "3",
    "-1",
    "01",
    "+1",
    "",
    "*",
    "#",
    "->",
    "{",
    "a",
    "b",
    "string",
    "list",
    "fuzz",
    "fuzz:",
    "fuzz:string",
    "other:string",
    "other:list",
    "other:zset",
    "other:geo",
    "*->f",
    "DB",
    "REPLACE",
    "LEFT",
    "BLOCK",
    "AUTH",
    "h_*->f",
    "w_*",
    "\r\n",
];

fn pick<'a>(random: &mut Random, from: &[&'a str]) -> &'a str {
    from[random.below(from.len() as u64) as usize]
}

/// A call, changed in up to three places.
fn call(random: &mut Random) -> Vec<String> {
    let mut line: Vec<String> = pick(random, CALLS).split(' ').map(str::to_owned).collect();
    for _ in 0..random.below(4) {
        let at = random.below(line.len() as u64) as usize;
        let word = match random.below(3) {
            0 => line[random.below(line.len() as u64) as usize].clone(),
            _ => pick(random, WORDS).to_owned(),
        };
        match random.below(6) {
            0 => line.insert(at + 1, word),
            1 => line.push(word),
            2 if at > 0 => drop(line.remove(at)),
            3 if at > 0 => line[at] = word,
            4 => line[at] = line[at].to_ascii_lowercase(),
            _ => {
                let other = random.below(line.len() as u64) as usize;
                if at > 0 && other > 0 {
                    line.swap(at, other);
                }
            }
        }
    }
    line
}

fn command(line: &[String]) -> Cmd {
    let mut cmd = Cmd::new();
    cmd.arg(line);
    cmd
}

/// Whether the server answers soon.
fn is_quick(line: &[String]) -> bool {
    match route(&command(line)) {
        Ok(Route::Blocking(BlockingTimeout::After(timeout))) => timeout < Duration::from_millis(50),
        Ok(Route::Blocking(BlockingTimeout::Never)) => false,
        _ => true,
    }
}

fn seed(server: &TestServer, lines: &[&str], prefix: &str) {
    for line in lines {
        let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let at = if words[0] == "XGROUP" { 2 } else { 1 };
        words[at].insert_str(0, prefix);
        let reply = server.run(&words);
        assert!(!reply.is_error(), "{line}: {reply:?}");
    }
}

/// All keys, by their database.
fn keys(admin: &RedisCommandClient) -> BTreeSet<(usize, String)> {
    let mut session = admin.session().unwrap();
    let mut all = BTreeSet::new();
    for database in 0..16 {
        cmd("SELECT").arg(database).exec(&mut session).unwrap();
        let keys: Vec<String> = cmd("KEYS").arg("*").query(&mut session).unwrap();
        all.extend(keys.into_iter().map(|key| (database, key)));
    }
    all
}

/// What another script has, in a form that tells each change.
fn others(server: &TestServer, names: &BTreeSet<String>) -> Vec<(String, Reply, Reply)> {
    let dump = |name: &String| {
        let dumped = server.run(&["DUMP", name]);
        (name.clone(), dumped, server.run(&["PTTL", name]))
    };
    names.iter().map(dump).collect()
}

struct Fuzz {
    server: TestServer,
    admin: RedisCommandClient,
    random: Random,
    clients: Vec<RedisCommandClient>,
    /// Hears whatever is published to anybody.
    published: MessageStream,
    others: BTreeSet<String>,
    calls: usize,
    answered: usize,
    refused: usize,
    _hosts: [Host; 2],
}

impl Fuzz {
    fn new(random: Random) -> Self {
        let server = TestServer::start();
        seed(&server, OTHERS, "");
        // Enough for RANDOMKEY to draw one.
        for number in 0..60 {
            server.run(&["SET", &format!("{SECRET}:{number}"), SECRET]);
        }
        let host = Host::new();
        let options = ScriptOptions::default().with_key_prefix(PREFIX.parse().unwrap());
        let script = host
            .manager
            .load_script_with(unique("fuzz"), options)
            .unwrap();
        let clients = PROTOCOLS.map(|protocol| {
            let options = ClientOptions::builder().protocol(protocol).build().unwrap();
            let url = server.url();
            host.manager
                .open_with(&script, url.as_str(), options)
                .unwrap()
        });
        let listening = Host::new();
        let open = (&listening.manager, &listening.script);
        let listener: RedisPubSubClient = open.0.open(open.1, server.url().as_str()).unwrap();
        let admin: RedisCommandClient = open.0.open(open.1, server.url().as_str()).unwrap();
        let others = keys(&admin).into_iter().map(|(_, key)| key).collect();
        Self {
            published: listener.messages(Channel::pattern("*")).unwrap(),
            admin,
            server,
            random,
            clients: clients.into(),
            others,
            calls: 0,
            answered: 0,
            refused: 0,
            _hosts: [host, listening],
        }
    }

    fn batch(&mut self) {
        let before = others(&self.server, &self.others);
        seed(&self.server, OWN, PREFIX);
        let mut history = Vec::new();
        while history.len() < BATCH {
            let client = self.clients[self.random.below(2) as usize].clone();
            match self.random.below(4) {
                0 => self.some_in(&mut client.session().unwrap(), &mut history),
                1 => self.pipeline(&client, &mut history),
                _ => self.some_in(&mut client.commands(), &mut history),
            }
        }
        let after = others(&self.server, &self.others);
        assert_eq!(before, after, "{history:#?}");
        for (database, key) in keys(&self.admin) {
            let is_others = database == 0 && self.others.contains(&key);
            assert!(
                is_others || key.starts_with(PREFIX),
                "{database} {key}: {history:#?}"
            );
            if !is_others && database == 0 {
                self.server.run(&["DEL", &key]);
            }
        }
        while let Some(message) = self.published.try_recv() {
            assert!(
                message.channel().starts_with(PREFIX.as_bytes()),
                "{message:?}"
            );
        }
    }

    /// A few commands one after the other.
    fn some_in(&mut self, connection: &mut impl ConnectionLike, history: &mut Vec<Vec<String>>) {
        for _ in 0..5 + self.random.below(10) {
            let line = call(&mut self.random);
            if is_quick(&line) && !line[0].eq_ignore_ascii_case("WAIT") {
                let outcome = connection.req_command(&command(&line));
                history.push(line);
                self.judge(outcome.map(|reply| vec![reply]), history);
            }
        }
    }

    fn pipeline(&mut self, client: &RedisCommandClient, history: &mut Vec<Vec<String>>) {
        let mut pipeline = pipe();
        if self.random.below(2) == 0 {
            pipeline.atomic();
        }
        for _ in 0..1 + self.random.below(3) {
            let line = call(&mut self.random);
            if is_quick(&line) {
                pipeline.add_command(command(&line));
                history.push(line);
            }
        }
        let outcome = if self.random.below(2) == 0 {
            pipeline.query::<Vec<Value>>(&mut client.commands())
        } else {
            pipeline.query::<Vec<Value>>(&mut client.session().unwrap())
        };
        self.judge(outcome, history);
    }

    fn judge(
        &mut self,
        outcome: redis_manager::redis::RedisResult<Vec<Value>>,
        history: &[Vec<String>],
    ) {
        self.calls += 1;
        let heard = match outcome {
            Ok(replies) => {
                self.answered += 1;
                format!("{replies:?}")
            }
            Err(error) => {
                let error = Error::from(error);
                self.refused += usize::from(error.kind() == ErrorKind::Refused);
                assert_ne!(error.kind(), ErrorKind::Timeout, "{:?}", history.last());
                format!("{error:?}")
            }
        };
        assert!(!heard.contains(SECRET), "{heard}: {history:#?}");
    }
}

#[test]
fn no_command_of_one_script_reads_or_writes_a_key_of_another() {
    let given = std::env::var("REDIS_MANAGER_FAULTS_SEED").ok();
    let seed = given.and_then(|seed| seed.parse().ok()).unwrap_or_else(|| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        now.unwrap().as_nanos() as u64
    });
    let is_long = std::env::var("REDIS_MANAGER_FAULTS").is_ok_and(|form| form == "long");
    println!("namespace_fuzz: REDIS_MANAGER_FAULTS_SEED={seed}");
    let mut fuzz = Fuzz::new(Random::new(seed));
    for _ in 0..if is_long { 4_000 } else { 20 } {
        fuzz.batch();
    }
    println!(
        "{} calls, {} answered, {} refused here",
        fuzz.calls, fuzz.answered, fuzz.refused
    );
    assert!(fuzz.answered > fuzz.calls / 4 && fuzz.refused > fuzz.calls / 20);
}
