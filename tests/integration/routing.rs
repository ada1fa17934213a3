//! What must not run on a shared connection is refused, with the way out, and leaves replies in step.

use redis_manager::prelude::*;
use redis_manager::redis::{self, Cmd, ConnectionLike, Pipeline, Value, cmd, pipe};
use redis_manager::{Delivery, Protocol};

use crate::fixture::{Host, PROTOCOLS, unique};

/// Every command that is refused, and what the refusal has to name.
const REFUSED: &[(&str, &str)] = &[
    ("WATCH k", "session()"),
    ("UNWATCH", "session()"),
    ("MULTI", "session()"),
    ("multi", "session()"),
    ("EXEC", "session()"),
    ("DISCARD", "session()"),
    ("SELECT 1", "session()"),
    ("sElEcT 1", "session()"),
    ("WAIT 0 0", "session()"),
    ("WAITAOF 0 0 0", "session()"),
    ("AUTH secret", "session()"),
    ("HELLO 2", "session()"),
    ("RESET", "session()"),
    ("READONLY", "session()"),
    ("READWRITE", "session()"),
    ("ASKING", "session()"),
    ("CLIENT TRACKING ON", "session()"),
    ("client tracking on", "session()"),
    ("CLIENT CACHING YES", "session()"),
    ("CLIENT SETNAME other", "session()"),
    ("CLIENT SETINFO LIB-NAME other", "session()"),
    ("CLIENT NO-EVICT ON", "session()"),
    ("CLIENT NO-TOUCH ON", "session()"),
    ("CLIENT CAPA redirect", "session()"),
    ("SCRIPT DEBUG YES", "session()"),
    ("CLIENT REPLY OFF", "redis_client()"),
    ("CLIENT REPLY SKIP", "redis_client()"),
    ("Client Reply Off", "redis_client()"),
    ("MONITOR", "redis_client()"),
    ("SYNC", "redis_client()"),
    ("PSYNC ? -1", "redis_client()"),
    ("REPLCONF ACK 0", "redis_client()"),
    ("QUIT", "close()"),
    ("SUBSCRIBE c", "PUB_SUB"),
    ("subscribe c", "PUB_SUB"),
    ("PSUBSCRIBE c*", "PUB_SUB"),
    ("SSUBSCRIBE c", "PUB_SUB"),
    ("UNSUBSCRIBE", "PUB_SUB"),
    ("PUNSUBSCRIBE", "PUB_SUB"),
    ("SUNSUBSCRIBE", "PUB_SUB"),
];

fn command(line: &str) -> Cmd {
    let mut command = Cmd::new();
    line.split(' ').for_each(|word| {
        command.arg(word);
    });
    command
}

/// All ways to send one command.
fn send(client: &RedisCommandClient, command: &Cmd) -> [Result<Value, Error>; 4] {
    let connection = client.connection();
    [
        command.query(&mut client.commands()).map_err(Error::from),
        pollster::block_on(command.query_async(&mut client.async_commands())).map_err(Error::from),
        connection.request(command),
        pollster::block_on(connection.request_async(command)),
    ]
}

/// All ways to send a pipeline.
fn send_pipeline(client: &RedisCommandClient, pipeline: &Pipeline) -> [Result<(), Error>; 4] {
    let connection = client.connection();
    let asynchronous = connection.request_pipeline_async(pipeline);
    [
        pipeline.exec(&mut client.commands()).map_err(Error::from),
        pollster::block_on(pipeline.exec_async(&mut client.async_commands())).map_err(Error::from),
        connection.request_pipeline(pipeline).map(drop),
        pollster::block_on(asynchronous).map(drop),
    ]
}

#[track_caller]
fn expect_refused<T: std::fmt::Debug>(
    line: &str,
    way_out: &str,
    outcomes: impl IntoIterator<Item = Result<T, Error>>,
) {
    for outcome in outcomes {
        let error = outcome.expect_err(line);
        assert_eq!(error.kind(), ErrorKind::Refused, "{line}: {error}");
        assert_eq!(error.delivery(), Some(Delivery::NotSent), "{line}");
        assert!(error.message().contains(way_out), "{line}: {error}");
        assert!(!error.to_string().contains("secret"), "{line}: {error}");
    }
}

/// Replies still match their requests.
#[track_caller]
fn expect_in_step(client: &RedisCommandClient) {
    let token = unique("token");
    for outcome in send(client, cmd("ECHO").arg(&token)) {
        assert_eq!(outcome.unwrap(), Value::BulkString(token.clone().into()));
    }
}

#[test]
fn a_command_that_a_shared_connection_must_not_carry_is_refused_with_the_way_out() {
    for protocol in PROTOCOLS {
        let host = Host::new();
        let client: RedisCommandClient = host.open(protocol);
        let id: u64 = cmd("CLIENT")
            .arg("ID")
            .query(&mut client.commands())
            .unwrap();
        for (line, way_out) in REFUSED {
            expect_refused(line, way_out, send(&client, &command(line)));
            expect_in_step(&client);
        }
        // The same connection, as it was.
        let seen = host.connections();
        assert_eq!(seen.len(), 1);
        assert_eq!((seen[0].id, seen[0].db), (id, 0));
    }
}

#[test]
fn a_pipeline_with_a_refused_command_is_not_sent_at_all() {
    for protocol in PROTOCOLS {
        let host = Host::new();
        let client: RedisCommandClient = host.open(protocol);
        let key = unique("key");
        for (line, way_out) in REFUSED {
            for atomic in [false, true] {
                for place in 0..3 {
                    let mut pipeline = pipe();
                    if atomic {
                        pipeline.atomic();
                    }
                    for index in 0..3 {
                        if index == place {
                            pipeline.add_command(command(line));
                        } else {
                            pipeline.incr(&key, 1);
                        }
                    }
                    expect_refused(line, way_out, send_pipeline(&client, &pipeline));
                }
            }
        }
        expect_in_step(&client);
        assert!(!client.commands().exists::<_, bool>(&key).unwrap());
    }
}

#[test]
fn an_empty_command_is_refused_alone_and_in_pipelines() {
    for protocol in PROTOCOLS {
        let host = Host::new();
        let client: RedisCommandClient = host.open(protocol);
        let key = unique("key");
        let mut plain = pipe();
        plain.incr(&key, 1).add_command(Cmd::new());
        let mut atomic = plain.clone();
        atomic.atomic();
        let single = send(&client, &Cmd::new()).map(|outcome| outcome.map(drop));
        let outcomes = [
            single,
            send_pipeline(&client, &plain),
            send_pipeline(&client, &atomic),
        ];
        for outcome in outcomes.into_iter().flatten() {
            let error = outcome.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument);
            assert_eq!(error.delivery(), Some(Delivery::NotSent));
        }
        expect_in_step(&client);
        assert!(!client.commands().exists::<_, bool>(&key).unwrap());
    }
}

#[test]
fn what_only_looks_like_a_refused_command_runs() {
    let host = Host::new();
    let client: RedisCommandClient = host.open(Protocol::Resp3);
    let key = unique("SUBSCRIBE");
    let () = client.commands().set(&key, "MONITOR").unwrap();
    assert_eq!(client.commands().get::<_, String>(&key).unwrap(), "MONITOR");
    for line in [
        "CLIENT ID",
        "CLIENT GETNAME",
        "CLIENT TRACKINGINFO",
        "SCRIPT EXISTS x",
    ] {
        let reply: Value = command(line).query(&mut client.commands()).unwrap();
        assert!(
            !matches!(reply, Value::Nil | Value::ServerError(_)),
            "{line}"
        );
    }
    // An unknown one is the server's to refuse.
    let error = command("WATCHER k")
        .exec(&mut client.commands())
        .unwrap_err();
    assert_eq!(error.code(), Some("ERR"));
}

#[test]
fn a_group_named_like_an_option_does_not_hide_that_a_read_blocks() {
    let host = Host::new();
    let client: RedisCommandClient = host.open(Protocol::Resp3);
    let stream = unique("stream");
    let mut create = cmd("XGROUP");
    create
        .arg("CREATE")
        .arg(&stream)
        .arg("streams")
        .arg("$")
        .arg("MKSTREAM");
    create.exec(&mut client.commands()).unwrap();
    let mut read = cmd("XREADGROUP");
    read.arg("GROUP")
        .arg("streams")
        .arg("c")
        .arg("BLOCK")
        .arg(1);
    read.arg("STREAMS").arg(&stream).arg(">");
    expect_refused(
        "XREADGROUP",
        "session()",
        [client.connection().request(&read)],
    );
    let nothing: Value = read.query(&mut client.commands()).unwrap();
    assert_eq!(nothing, Value::Nil);
}

fn packed(lines: &[&str]) -> Vec<u8> {
    lines
        .iter()
        .flat_map(|line| command(line).get_packed_command())
        .collect()
}

#[test]
fn raw_bytes_that_are_not_one_command_are_refused_and_nothing_of_them_is_sent() {
    for protocol in PROTOCOLS {
        let host = Host::new();
        let client: RedisCommandClient = host.open(protocol);
        let mut session = client.session().unwrap();
        let key = unique("key");
        let set = format!("SET {key} 1");
        let one = packed(&[&set]);
        let two = packed(&[&set, &set]);
        let inline = format!("{set}\r\n").into_bytes();
        let mut trailing = one.clone();
        trailing.push(b'\n');
        for bytes in [
            b"".as_slice(),
            b"\x00\xff garbage",
            b"*0\r\n",
            b"*-1\r\n",
            b"*1\r\n$-1\r\n",
            &inline,
            &two,
            &trailing,
            &one[..one.len() - 1],
            &one[..one.len() - 4],
        ] {
            let mut commands = client.commands();
            let connections: [&mut dyn ConnectionLike; 2] = [&mut commands, &mut session];
            for connection in connections {
                let error = Error::from(connection.req_packed_command(bytes).unwrap_err());
                assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{bytes:?}");
                assert_eq!(error.delivery(), Some(Delivery::NotSent));
                let pong = connection.req_packed_command(&packed(&["ECHO in-step"]));
                assert_eq!(pong.unwrap(), Value::BulkString("in-step".into()));
            }
        }
        expect_in_step(&client);
        assert!(!client.commands().exists::<_, bool>(&key).unwrap());
    }
}

#[test]
fn raw_pipelines_whose_offset_and_count_do_not_fit_are_refused() {
    for protocol in PROTOCOLS {
        let host = Host::new();
        let client: RedisCommandClient = host.open(protocol);
        let key = unique("key");
        let set = format!("SET {key} 1");
        let plain = packed(&[&set, "PING"]);
        let atomic = packed(&["MULTI", &set, "EXEC"]);
        let mut commands = client.commands();
        for (bytes, offset, count) in [
            (&plain, 0, 1),
            (&plain, 0, 3),
            (&plain, 1, 1),
            (&plain, 2, 0),
            (&plain, usize::MAX, usize::MAX),
            (&atomic, 0, 3),
            (&atomic, 2, 2),
            (&atomic, 1, 1),
            (&plain[..plain.len() - 1].to_vec(), 0, 2),
        ] {
            let refused = commands.req_packed_commands(bytes, offset, count);
            let error = Error::from(refused.unwrap_err());
            let kinds = [ErrorKind::InvalidArgument, ErrorKind::Refused];
            assert!(kinds.contains(&error.kind()), "{offset} {count}: {error}");
            assert_eq!(error.delivery(), Some(Delivery::NotSent));
        }
        expect_in_step(&client);
        assert!(!client.commands().exists::<_, bool>(&key).unwrap());
        let replies = commands.req_packed_commands(&plain, 0, 2).unwrap();
        assert_eq!(replies, [Value::Okay, Value::SimpleString("PONG".into())]);
        let replies = commands.req_packed_commands(&atomic, 2, 1).unwrap();
        assert_eq!(replies, [Value::Array(vec![Value::Okay])]);
    }
}

#[test]
fn raw_bytes_are_routed_as_commands_are() {
    let host = Host::new();
    let client: RedisCommandClient = host.open(Protocol::Resp2);
    for (line, way_out) in REFUSED {
        let refused = client.commands().req_packed_command(&packed(&[line]));
        expect_refused(line, way_out, [refused.map_err(Error::from)]);
    }
    // MULTI and EXEC around what is no atomic pipeline.
    let bytes = packed(&["PING", "MULTI", "EXEC"]);
    let refused = client.commands().req_packed_commands(&bytes, 0, 3);
    expect_refused("MULTI", "session()", [refused.map_err(Error::from)]);
    let nothing = client
        .commands()
        .req_packed_command(&packed(&[&format!("BLPOP {} 0.01", unique("list"))]));
    assert_eq!(nothing.unwrap(), Value::Nil);
    expect_in_step(&client);
}

#[test]
fn what_redis_own_traits_refuse_to_a_shared_connection_is_refused_too() {
    let host = Host::new();
    let client: RedisCommandClient = host.open(Protocol::Resp3);
    let key = unique("key");
    // redis::transaction wants WATCH on the very connection.
    let mut commands = client.commands();
    let outcome = redis::transaction(&mut commands, &[&key], |_, _| {
        panic!("the body must not run");
        #[allow(unreachable_code, reason = "tells the type")]
        Ok(Some(()))
    });
    expect_refused("WATCH", "session()", [outcome.map_err(Error::from)]);
    let mut session = client.session().unwrap();
    let (value,): (i64,) = redis::transaction(&mut session, &[&key], |session, pipeline| {
        pipeline.incr(&key, 2).query(session)
    })
    .unwrap();
    assert_eq!(value, 2);
    expect_in_step(&client);
}
