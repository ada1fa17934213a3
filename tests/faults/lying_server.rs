//! Whatever bytes a server sends: what the protocol can detect is detected, and never an answer.

mod frames;
mod fuzz;
mod liar;

use std::time::Instant;

use redis_manager::prelude::*;
use redis_manager::redis::{Value, parse_redis_value};
use redis_manager_core::resp::{Decoder, DecoderLimits};
use redis_manager_support::TestServer;

use crate::harness::{PATIENCE, Run, eventually};
use crate::random::Random;
use frames::record;
use liar::{Liar, Lie};

const PROTOCOLS: [Protocol; 2] = [Protocol::Resp2, Protocol::Resp3];
/// How many tell lies of the same protocol at the same time: they mostly wait.
const LIARS: usize = 2;

/// A true reply made wrong.
#[derive(Clone, Copy, Debug)]
enum Change {
    /// It ends before this byte, and so does the connection.
    Truncated(usize),
    /// This byte is another one.
    Corrupted(usize),
    /// There is one more before this byte.
    Injected(usize),
    /// It comes again, up to this byte.
    Duplicated(usize),
}

impl Change {
    fn all(frame: &[u8]) -> impl Iterator<Item = Self> {
        let bytes = frame.len();
        let truncated = (0..bytes).map(Self::Truncated);
        let corrupted = (0..bytes).map(Self::Corrupted);
        let injected = (0..=bytes).map(Self::Injected);
        let duplicated = (1..=bytes).map(Self::Duplicated);
        truncated.chain(corrupted).chain(injected).chain(duplicated)
    }

    fn apply(self, frame: &[u8], random: &mut Random) -> Vec<u8> {
        let mut bytes = frame.to_vec();
        match self {
            Self::Truncated(at) => bytes.truncate(at),
            Self::Corrupted(at) => bytes[at] ^= 1 + random.below(255) as u8,
            Self::Injected(at) => bytes.insert(at, fuzz::byte(random)),
            Self::Duplicated(until) => bytes.extend_from_slice(&frame[..until]),
        }
        bytes
    }
}

/// What can be known of bytes that answer one request.
struct Reading {
    /// The first reply; pushes are none.
    answer: Option<Value>,
    /// What comes behind it.
    rest: Rest,
    has_push: bool,
}

#[derive(Debug, PartialEq)]
enum Rest {
    /// Nothing: it cannot be told from the truth.
    Nothing,
    /// A beginning that may become a push, or the end of the first reply: only time can tell.
    Begun,
    /// What no server may send: no RESP, or a reply, be it its beginning only, that nobody asked for.
    Detectable,
}

impl Reading {
    fn of(bytes: &[u8]) -> Self {
        let mut decoder = Decoder::new(DecoderLimits::default());
        decoder.feed(bytes);
        let (mut answer, mut has_push) = (None, false);
        let rest = loop {
            let next = bytes.get(decoder.offset() as usize);
            match decoder.next_value() {
                Ok(Some(Value::Push { .. })) => has_push = true,
                Ok(Some(value)) if answer.is_none() => answer = Some(value),
                Ok(None) if decoder.is_between_replies() => break Rest::Nothing,
                Ok(None) if answer.is_none() || matches!(next, Some(b'>' | b'|')) => {
                    break Rest::Begun;
                }
                Ok(_) | Err(_) => break Rest::Detectable,
            }
        };
        Self {
            answer,
            rest,
            has_push,
        }
    }

    /// Whether the client can only be saved from waiting if the connection ends.
    fn needs_an_end(&self) -> bool {
        self.rest == Rest::Begun || self.rest == Rest::Nothing && self.answer.is_none()
    }
}

fn get(client: &RedisCommandClient, key: &str) -> Result<Value, Error> {
    client.connection().request(redis::cmd("GET").arg(key))
}

fn is_ok(value: &Value) -> bool {
    *value == Value::BulkString(b"ok".to_vec())
}

/// The two decoders differ in NaN from themselves.
fn same(one: &Value, other: &Value) -> bool {
    one == other || format!("{one:?}") == format!("{other:?}")
}

/// Lets `liar` answer one call with `bytes`, and the next one honestly.
fn tell(client: &RedisCommandClient, liar: &Liar, bytes: &[u8]) {
    let reading = Reading::of(bytes);
    let before = liar.connections();
    liar.prepare(Lie {
        bytes: bytes.to_vec(),
        hangs_up: reading.needs_an_end(),
    });
    let shown = bytes.escape_ascii();
    let outcome = get(client, "lie");
    // At once: what is there already must not become its answer.
    let next = get(client, "ok");
    match (outcome, &reading.answer) {
        (Ok(told), Some(answer)) => {
            assert!(same(&told, answer), "{shown}: {told:?}");
            // Another decoder reads the same, but for error lines that are no UTF-8.
            if let (Ok(theirs), false) = (parse_redis_value(bytes), reading.has_push) {
                assert!(same(&told, &theirs), "{shown}: {told:?}, {theirs:?}");
            } else {
                assert!(
                    reading.has_push || format!("{told:?}").contains('\u{fffd}'),
                    "{shown}: {told:?} is no reply"
                );
            }
        }
        (Ok(told), None) => panic!("{shown}: {told:?} is no reply"),
        (Err(error), answer) => {
            assert!(
                answer.is_none() || reading.rest != Rest::Nothing,
                "{shown}: {error}"
            );
            let verdict = (error.kind(), error.delivery());
            let lost = (ErrorKind::Disconnected, Some(Delivery::Unknown));
            assert_eq!(verdict, lost, "{shown}: {error}");
        }
    }
    let is_replaced = reading.needs_an_end() || reading.rest == Rest::Detectable;
    match next {
        Ok(value) => assert!(is_ok(&value), "{shown}: the next call got {value:?}"),
        Err(error) => {
            assert!(is_replaced, "{shown}: the next call: {error}");
            assert_eq!(error.kind(), ErrorKind::Disconnected, "{shown}: {error}");
        }
    }
    if is_replaced {
        eventually("the connection is replaced", || liar.connections() > before);
    }
    assert!(is_ok(&get(client, "ok").unwrap()), "{shown}");
    assert_eq!(
        liar.connections(),
        before + usize::from(is_replaced),
        "{shown}"
    );
}

/// Opens a client of a liar, and passes them on.
fn with_liar(protocol: Protocol, lies: impl FnOnce(&RedisCommandClient, &Liar)) {
    let (liar, manager) = (Liar::start(), RedisManager::new().unwrap());
    let script = manager.load_script("credulous").unwrap();
    let options = ClientOptions::builder()
        .protocol(protocol)
        .command_timeout(PATIENCE)
        .reconnect_delay(Duration::from_millis(1));
    let client: RedisCommandClient = manager
        .open_with(&script, liar.url(), options.build().unwrap())
        .unwrap();
    lies(&client, &liar);
    assert!(manager.unload_script(&script).is_clean());
}

#[test]
fn no_lie_that_the_protocol_can_detect_is_ever_an_answer_wherever_a_reply_is_spoilt() {
    let mut run = Run::begin("lying_server");
    let server = TestServer::start();
    let recorded = PROTOCOLS.map(|protocol| record(&server, protocol));
    let frames = recorded.iter().map(Vec::len).sum::<usize>();
    assert_eq!(frames, 200);
    let began = Instant::now();
    let mut told = 0;
    std::thread::scope(|scope| {
        for (protocol, frames) in PROTOCOLS.into_iter().zip(&recorded) {
            let mut lies: Vec<_> = frames
                .iter()
                .flat_map(|frame| Change::all(frame).map(move |change| (frame, change)))
                .collect();
            if !run.is_long() {
                lies = (0..LIARS * 1_000)
                    .map(|_| lies[run.random.below(lies.len() as u64) as usize])
                    .collect();
            }
            told += lies.len();
            for lies in lies.chunks(lies.len().div_ceil(LIARS)) {
                let (lies, mut random) = (lies.to_vec(), run.random.fork());
                scope.spawn(move || {
                    with_liar(protocol, |client, liar| {
                        for (frame, change) in lies {
                            tell(client, liar, &change.apply(frame, &mut random));
                        }
                    });
                });
            }
        }
    });
    run.report("lies about 200 recorded replies", told);
    run.report("time", format!("{:.1?}", began.elapsed()));
}

#[test]
fn a_duplicate_too_large_for_one_read_is_not_the_answer_to_a_call_that_is_made_meanwhile() {
    let mut run = Run::begin("lying_server");
    let rounds = run.scale(300, 5_000);
    for protocol in PROTOCOLS {
        with_liar(protocol, |client, liar| {
            for _ in 0..rounds {
                // One segment of the loopback interface, so that all of it is there with its first byte.
                let length = 1_000 + run.random.below(6_000) as usize;
                let frame = format!("${length}\r\n{}\r\n", "x".repeat(length));
                tell(client, liar, frame.repeat(2).as_bytes());
            }
        });
    }
    run.report("large duplicates", 2 * rounds);
}
