//! Every command of the server under a key prefix: it maps all its keys, or it is refused.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use redis_manager::prelude::*;
use redis_manager::redis::{Cmd, Value, cmd, from_redis_value};
use redis_manager::{ErrorKind, Protocol};
use redis_manager_core::resp::{Decoder, DecoderLimits};
use redis_manager_support::{Reply, TestServer};

use crate::fixture::Host;
use crate::namespace::allowed;

const PREFIX: &str = "walk:";

pub(crate) type Line = Vec<Vec<u8>>;

/// A server that has the commands of the real one, and does none of them: it keeps what it is asked.
struct Recorder {
    address: (&'static str, u16),
    asked: Arc<Mutex<Vec<Line>>>,
}

impl Recorder {
    fn start() -> Self {
        let commands = Arc::new(raw_reply(b"*1\r\n$7\r\nCOMMAND\r\n"));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = ("127.0.0.1", listener.local_addr().unwrap().port());
        let asked = Arc::<Mutex<Vec<Line>>>::default();
        let kept = Arc::clone(&asked);
        std::thread::spawn(move || {
            for socket in listener.incoming() {
                let (kept, commands) = (Arc::clone(&kept), Arc::clone(&commands));
                let keep = move |line| kept.lock().unwrap().push(line);
                std::thread::spawn(move || {
                    serve(socket.unwrap(), keep, &[(&["COMMAND"], &commands)]);
                });
            }
        });
        Self { address, asked }
    }

    /// What it was asked last, and since it was looked at last.
    fn take(&self) -> Option<Line> {
        std::mem::take(&mut *self.asked.lock().unwrap()).pop()
    }
}

/// Keeps each request that comes by `socket`, and answers it as `told` says, or that it was done.
pub(crate) fn serve(mut socket: TcpStream, keep: impl Fn(Line), told: &[(&[&str], &[u8])]) {
    // Two small replies are not to wait for each other.
    socket.set_nodelay(true).unwrap();
    let mut decoder = Decoder::new(DecoderLimits::default());
    let mut bytes = [0; 16 * 1024];
    while let Ok(length @ 1..) = socket.read(&mut bytes) {
        decoder.feed(&bytes[..length]);
        while let Some(request) = decoder.next_value().unwrap() {
            let line: Line = from_redis_value(request).unwrap();
            let is_it = |request: &[&str]| request.iter().map(|word| word.as_bytes()).eq(&line);
            let found = told.iter().find(|(request, _)| is_it(request));
            let reply = match (found, line[0].as_slice()) {
                (Some((_, reply)), _) => reply,
                (None, b"HELLO") => b"-ERR unknown command 'HELLO'\r\n".as_slice(),
                (None, b"PING") if line.len() == 1 => b"+PONG\r\n",
                (None, _) => b"+OK\r\n",
            };
            keep(line);
            if socket.write_all(reply).is_err() {
                return;
            }
        }
    }
}

/// The bytes that the real server answers with.
pub(crate) fn raw_reply(request: &[u8]) -> Vec<u8> {
    let server = TestServer::shared();
    let mut socket = TcpStream::connect((server.host(), server.port())).unwrap();
    socket.write_all(request).unwrap();
    let mut decoder = Decoder::new(DecoderLimits::default());
    let (mut reply, mut bytes) = (Vec::new(), [0; 16 * 1024]);
    while decoder.next_value().unwrap().is_none() {
        let length = socket.read(&mut bytes).unwrap();
        decoder.feed(&bytes[..length]);
        reply.extend_from_slice(&bytes[..length]);
    }
    reply
}

/// The names of all commands, and of all subcommands behind those of their commands.
pub(crate) fn names() -> Vec<Vec<String>> {
    let host = Host::new();
    let client: RedisCommandClient = host.open(Protocol::Resp3);
    let all: Vec<Vec<Value>> = cmd("COMMAND").query(&mut client.commands()).unwrap();
    let name = |entry: &Vec<Value>| from_redis_value::<String>(entry[0].clone()).unwrap();
    let mut names = Vec::new();
    for mut entry in all {
        names.push(vec![name(&entry)]);
        if entry.len() > 9 {
            let subcommands: Vec<Vec<Value>> = from_redis_value(entry.swap_remove(9)).unwrap();
            let parts = subcommands.iter().map(|subcommand| {
                let name = name(subcommand);
                name.split('|').map(str::to_owned).collect()
            });
            names.extend(parts);
        }
    }
    if names.iter().all(|name| name.len() == 1) {
        let helpful = CONTAINERS.into_iter().flat_map(subcommands_by_help);
        names.extend(helpful.collect::<Vec<_>>());
    }
    names
}

/// The commands that had subcommands before a server told it (7.0).
const CONTAINERS: [&str; 15] = [
    "acl", "client", "cluster", "command", "config", "debug", "latency", "memory", "module",
    "object", "pubsub", "script", "slowlog", "xgroup", "xinfo",
];

/// What the help on `container` lists, whose explanations are indented.
fn subcommands_by_help(container: &str) -> Vec<Vec<String>> {
    let help = TestServer::shared().command(&[container, "HELP"]).unwrap();
    let lines = help.items().iter().skip(1).map(Reply::text);
    let names = lines.filter(|line| !line.starts_with(' '));
    names
        .filter_map(|line| {
            let name = line.split([' ', '|']).next()?.to_lowercase();
            Some(vec![container.to_owned(), name])
        })
        .collect()
}

/// Calls of the command: with few arguments and with many, with numbers among them, and with options.
pub(crate) fn calls(name: &[String]) -> Vec<Vec<String>> {
    let keys = |count: usize| -> Vec<String> { (0..count).map(|at| format!("k{at}")).collect() };
    let mut tails = Vec::new();
    for count in 0..7 {
        tails.push(keys(count));
        for at in 0..count.min(3) {
            for number in ["0", "1", "2", "3"] {
                let mut tail = keys(count);
                tail[at] = number.to_owned();
                tails.push(tail);
            }
        }
    }
    for line in [
        "STREAMS a b 0 0",
        "COUNT 1 BLOCK 1 STREAMS a 0",
        "GROUP g c STREAMS a >",
        "GROUP STREAMS STREAMS NOACK STREAMS a b > >",
        "a BY w* GET # GET v*->f LIMIT 0 1 STORE d STORE e",
        "a 1 2 3 m STORE d STOREDIST e COUNT 1",
        "a m 3 m STORE d STORE e",
        "a 1 2 3 m WITHDIST ASC",
        "h 1 a 0 1 KEYS b c",
        "h 1  0 1 COPY KEYS b c",
        "0 MATCH a* MATCH b* COUNT 1 TYPE string",
        "d 2 a b WEIGHTS 1 2 AGGREGATE SUM",
        "2 a b WITHSCORES",
        "AND d a b",
        "a b DB 1 REPLACE",
        "a FROMLONLAT 1 2 BYRADIUS 3 m ASC",
        "d a FROMMEMBER m BYBOX 1 2 m STOREDIST",
        "0 2 a b LEFT COUNT 2",
    ] {
        tails.push(line.split(' ').map(str::to_owned).collect());
    }
    let calls = tails.into_iter().map(|tail| [name, &tail].concat());
    calls.collect()
}

pub(crate) fn command(line: &[String]) -> Cmd {
    let mut cmd = Cmd::new();
    cmd.arg(line);
    cmd
}

/// What was sent for `call` differs from it by the prefix alone, and by a pattern of all that has it.
fn assert_is_rewritten(call: &[String], sent: &Line) {
    let shown = || {
        sent.iter()
            .map(|it| String::from_utf8_lossy(it))
            .collect::<Vec<_>>()
    };
    assert!(sent.len() >= call.len(), "{call:?}: {:?}", shown());
    for (before, after) in call.iter().zip(sent) {
        let with_prefix = format!("{PREFIX}{before}");
        let is_same = after == before.as_bytes() || after == with_prefix.as_bytes();
        assert!(is_same, "{call:?}: {:?}", shown());
    }
    let tail = &sent[call.len()..];
    let pattern = format!("{PREFIX}*").into_bytes();
    let patterns = [
        vec![],
        vec![pattern.clone()],
        vec![b"MATCH".to_vec(), pattern],
    ];
    assert!(
        patterns.iter().any(|other| other == tail),
        "{call:?}: {:?}",
        shown()
    );
}

/// Every key that the real server finds in what was sent has the prefix. Returns whether it finds any.
fn assert_all_keys_have_it(call: &[String], sent: &Line) -> bool {
    let mut question: Line = vec![b"COMMAND".to_vec(), b"GETKEYS".to_vec()];
    question.extend_from_slice(sent);
    match TestServer::shared().command(&question).unwrap() {
        Reply::Error(_) => false,
        keys => {
            for key in keys.items() {
                assert!(key.text().starts_with(PREFIX), "{call:?}: {keys:?}");
            }
            !keys.items().is_empty()
        }
    }
}

#[test]
#[allow(
    clippy::print_stdout,
    reason = "who wants to know sees what became of each"
)]
fn every_command_of_this_server_maps_all_its_keys_or_is_refused() {
    let recorder = Recorder::start();
    let host = allowed(ScriptOptions::default().with_key_prefix(PREFIX.parse().unwrap()));
    let client = host
        .manager
        .open::<RedisCommandClient>(&host.script, recorder.address);
    let client = client.unwrap();
    let mut session = client.session().unwrap();
    let (mut mapped, mut sent_without_keys) = (BTreeSet::new(), BTreeSet::new());
    let mut refused = BTreeMap::new();
    for name in names() {
        let full = name.join(" ");
        for call in calls(&name) {
            recorder.take();
            let outcome = command(&call).query::<Value>(&mut session);
            let Some(sent) = recorder.take() else {
                let error: Error = outcome.expect_err("it was not sent").into();
                assert_eq!(error.kind(), ErrorKind::Refused, "{call:?}: {error}");
                refused.insert(full.clone(), error.message().to_owned());
                continue;
            };
            assert_is_rewritten(&call, &sent);
            if assert_all_keys_have_it(&call, &sent) {
                mapped.insert(full.clone());
            } else {
                sent_without_keys.insert(full.clone());
            }
        }
    }
    sent_without_keys.retain(|name| !mapped.contains(name));
    refused.retain(|name, _| !mapped.contains(name) && !sent_without_keys.contains(name));
    println!("{} map their keys: {mapped:?}", mapped.len());
    println!(
        "{} have none: {sent_without_keys:?}",
        sent_without_keys.len()
    );
    println!("{} are refused: {refused:#?}", refused.len());
    // Whatever has no keys by the server's word is one of those that are known to leave others alone.
    let harmless = [
        "client getname",
        "client id",
        "client info",
        "client no-evict",
        "client no-touch",
        "client setinfo",
        "client setname",
        "command",
        "command count",
        "command docs",
        "command getkeys",
        "command getkeysandflags",
        "command help",
        "command info",
        "command list",
        "discard",
        "echo",
        "exec",
        "keys",
        "lolwut",
        "multi",
        "ping",
        "publish",
        "pubsub channels",
        "pubsub numsub",
        "pubsub shardchannels",
        "pubsub shardnumsub",
        "randomkey",
        "scan",
        "select",
        "spublish",
        "time",
        "unwatch",
        "wait",
        "waitaof",
    ];
    for name in &sent_without_keys {
        assert!(harmless.contains(&name.as_str()), "{name}");
    }
    for name in [
        "get",
        "mset",
        "zunionstore",
        "xreadgroup",
        "sort",
        "georadius",
        "object encoding",
    ] {
        assert!(mapped.contains(name), "{name}");
    }
    for name in [
        "flushall",
        "eval",
        "migrate",
        "config set",
        "dbsize",
        "client list",
        "debug",
    ] {
        assert!(refused.contains_key(name), "{name}");
    }
    assert!(mapped.len() > 150 && refused.len() > 100);
}
