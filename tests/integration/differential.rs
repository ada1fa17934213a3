//! The same commands through our handles and through redis-rs' own connections: the results must not
//! differ, neither the values nor the errors.

use redis_manager::Protocol;
use redis_manager::prelude::*;
use redis_manager::redis::{self, RedisError, RedisResult, Value};
use redis_manager_support::TestServer;

use crate::differential_cases::{COMBINED, Case, ON_PURPOSE, PROTOCOL_TYPES, SINGLE, Shape};
use crate::fixture::{Host, PROTOCOLS};

/// The five ways to send a case.
struct Ways {
    ours: RedisCommandClient,
    theirs: redis::Connection,
    theirs_async: redis::aio::MultiplexedConnection,
    runtime: tokio::runtime::Runtime,
}

/// What can be compared of a result: the values; of an error kind, code, detail and, for pipelines,
/// the index and the text of each.
type Seen = Result<
    Vec<Value>,
    (
        redis::ErrorKind,
        Option<String>,
        Option<String>,
        Vec<String>,
    ),
>;

impl Ways {
    fn new(host: &Host, server: &TestServer, protocol: Protocol) -> Self {
        let number = if protocol == Protocol::Resp3 { 3 } else { 2 };
        let options = ClientOptions::builder().protocol(protocol).build().unwrap();
        let ours = host
            .manager
            .open_with(&host.script, server.url(), options)
            .unwrap();
        let client =
            redis::Client::open(format!("{}?protocol=resp{number}", server.url())).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let theirs_async = runtime
            .block_on(client.get_multiplexed_async_connection())
            .unwrap();
        Self {
            ours,
            theirs: client.get_connection().unwrap(),
            theirs_async,
            runtime,
        }
    }

    /// Each of the five from the same state of the server.
    fn run(&mut self, server: &TestServer, before: &[&Case], case: &Case) -> [Seen; 5] {
        prepare(server, before, &mut self.theirs);
        let theirs = blocking(case, &mut self.theirs);
        prepare(server, before, &mut self.theirs);
        let theirs_async = self
            .runtime
            .block_on(asynchronous(case, &mut self.theirs_async));
        prepare(server, before, &mut self.theirs);
        let ours = blocking(case, &mut self.ours.commands());
        prepare(server, before, &mut self.theirs);
        let ours_async = pollster::block_on(asynchronous(case, &mut self.ours.async_commands()));
        prepare(server, before, &mut self.theirs);
        let session = blocking(case, &mut self.ours.session().unwrap());
        [theirs, theirs_async, ours, ours_async, session].map(seen)
    }
}

fn prepare(server: &TestServer, before: &[&Case], connection: &mut redis::Connection) {
    server.run(&["FLUSHALL"]);
    server.run(&["SCRIPT", "FLUSH"]);
    for case in before {
        // Some are refused, and are meant to be.
        let _ = blocking(case, connection);
    }
}

fn pipeline(case: &Case) -> redis::Pipeline {
    let mut pipeline = redis::pipe();
    if case.shape == Shape::Atomic {
        pipeline.atomic();
    }
    for command in case.commands() {
        pipeline.add_command(command);
    }
    pipeline
}

fn blocking(case: &Case, connection: &mut dyn redis::ConnectionLike) -> RedisResult<Vec<Value>> {
    match case.shape {
        Shape::Single => Ok(vec![case.commands()[0].query(connection)?]),
        _ => pipeline(case).query(connection),
    }
}

async fn asynchronous(
    case: &Case,
    connection: &mut impl redis::aio::ConnectionLike,
) -> RedisResult<Vec<Value>> {
    match case.shape {
        Shape::Single => Ok(vec![case.commands()[0].query_async(connection).await?]),
        _ => pipeline(case).query_async(connection).await,
    }
}

fn seen(result: RedisResult<Vec<Value>>) -> Seen {
    result.map_err(|error: RedisError| {
        let (kind, code) = (error.kind(), error.code().map(str::to_owned));
        let detail = error.detail().map(str::to_owned);
        let parts = error.into_server_errors();
        let parts = parts.iter().flat_map(|parts| parts.iter());
        let parts = parts.map(|(index, error)| format!("{index}: {error:?}"));
        (kind, code, detail, parts.collect())
    })
}

fn expect_all_the_same(case: &Case, protocol: Protocol, [theirs, rest @ ..]: [Seen; 5]) {
    let names = [
        "theirs, asynchronous",
        "ours",
        "ours, asynchronous",
        "a session of ours",
    ];
    for (name, seen) in names.into_iter().zip(rest) {
        assert_eq!(
            seen, theirs,
            "{name} (left) and theirs (right), {protocol:?}, {:?} {:?}",
            case.shape, case.lines
        );
    }
}

#[test]
fn commands_and_async_commands_return_what_redis_itself_returns() {
    for protocol in PROTOCOLS {
        let server = TestServer::start();
        let host = Host::new();
        let mut ways = Ways::new(&host, &server, protocol);
        let cases: Vec<Case> = SINGLE.iter().copied().map(Case::single).collect();
        // The commands up to this one make what it works on; a flush separates the ways.
        for (index, case) in cases.iter().enumerate() {
            let before: Vec<&Case> = cases[..index].iter().filter(|case| writes(case)).collect();
            let results = ways.run(&server, &before, case);
            expect_all_the_same(case, protocol, results);
        }
    }
}

/// Whether later cases build on this one.
fn writes(case: &Case) -> bool {
    let first = case.lines.split(' ').next().unwrap_or_default();
    !["EVAL", "EVALSHA", "SHUTDOWN", "PING", "ECHO", "SCAN"].contains(&first)
}

#[test]
fn pipelines_and_transactions_return_what_they_return_on_redis_own_connections() {
    for protocol in PROTOCOLS {
        let server = TestServer::start();
        let host = Host::new();
        let mut ways = Ways::new(&host, &server, protocol);
        for case in COMBINED {
            let results = ways.run(&server, &[&Case::single("SET k 7")], case);
            expect_all_the_same(case, protocol, results);
        }
    }
}

#[test]
fn every_type_of_the_protocol_is_returned_as_redis_itself_returns_it() {
    for protocol in PROTOCOLS {
        let server = TestServer::builder().debug_commands().start_or_panic();
        let host = Host::new();
        let mut ways = Ways::new(&host, &server, protocol);
        for name in PROTOCOL_TYPES {
            let line: &'static str = format!("DEBUG PROTOCOL {name}").leak();
            for case in [
                Case::single(line),
                Case {
                    shape: Shape::Pipeline,
                    lines: line,
                },
            ] {
                let results = ways.run(&server, &[], &case);
                assert!(results[0].is_ok(), "{line}: {:?}", results[0]);
                expect_all_the_same(&case, protocol, results);
            }
        }
    }
}

#[test]
fn what_differs_on_purpose_is_listed_and_the_same_in_both_worlds() {
    for protocol in PROTOCOLS {
        let server = TestServer::start();
        let host = Host::new();
        let mut ways = Ways::new(&host, &server, protocol);
        for (case, reason) in ON_PURPOSE {
            let [theirs, theirs_async, ours @ ..] = ways.run(&server, &[], case);
            assert_eq!(ours, [Ok(vec![]), Ok(vec![]), Ok(vec![])], "{reason}");
            assert!(theirs.is_err(), "no difference any more: {reason}");
            assert!(theirs_async.is_err(), "no difference any more: {reason}");
        }
    }
}
