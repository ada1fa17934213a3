//! The COMMAND client: `connection()`, `commands()`, `async_commands()` and every trait of `redis` on them.

use redis_manager::prelude::*;
use redis_manager::redis::{self, ProtocolVersion, ServerErrorKind, Value, cmd, pipe};
use redis_manager::{Delivery, Protocol};
use redis_manager_support::TestServer;

use crate::fixture::{Host, PROTOCOLS, unique};

fn each_protocol(test: impl Fn(Protocol, &RedisCommandClient, &str)) {
    for protocol in PROTOCOLS {
        let host = Host::new();
        let client: RedisCommandClient = host.open(protocol);
        test(protocol, &client, &unique("key"));
    }
}

fn bulk(text: &str) -> Value {
    Value::BulkString(text.into())
}

#[test]
fn connection_request_and_request_async_return_the_servers_reply() {
    each_protocol(|_, client, key| {
        let connection = client.connection();
        let set = connection.request(cmd("SET").arg(key).arg("v")).unwrap();
        assert_eq!(set, Value::Okay);
        let get = pollster::block_on(connection.request_async(cmd("GET").arg(key))).unwrap();
        assert_eq!(get, bulk("v"));
        let wrong = connection.request(cmd("INCR").arg(key)).unwrap();
        assert!(matches!(wrong, Value::ServerError(_)), "{wrong:?}");
    });
}

#[test]
fn connection_request_pipeline_and_its_async_twin_return_all_replies_or_that_of_exec() {
    each_protocol(|_, client, key| {
        let connection = client.connection();
        let mut pipeline = pipe();
        pipeline.cmd("SET").arg(key).arg(1).cmd("INCR").arg(key);
        let replies = connection.request_pipeline(&pipeline).unwrap();
        assert_eq!(replies, [Value::Okay, Value::Int(2)]);
        pipeline.atomic();
        let replies = pollster::block_on(connection.request_pipeline_async(&pipeline)).unwrap();
        let executed = Value::Array(vec![Value::Okay, Value::Int(2)]);
        assert_eq!(replies, [executed]);
        assert_eq!(connection.request_pipeline(&pipe()).unwrap(), []);
    });
}

#[test]
fn connection_protocol_is_the_one_that_was_asked_for_and_the_server_agrees() {
    for (asked, spoken, number) in [
        (Protocol::Resp2, ProtocolVersion::RESP2, 2),
        (Protocol::Resp3, ProtocolVersion::RESP3, 3),
        (Protocol::Auto, ProtocolVersion::RESP3, 3),
    ] {
        let host = Host::new();
        let client: RedisCommandClient = host.open(asked);
        assert_eq!(client.connection().protocol(), Some(spoken), "{asked:?}");
        let seen: Vec<_> = host.connections().iter().map(|seen| seen.resp).collect();
        let told = TestServer::shared().told_protocol(number);
        assert_eq!(seen, [told], "{asked:?}");
    }
}

#[test]
fn connection_database_is_that_of_the_uri_and_get_db_says_so() {
    let host = Host::new();
    let url = format!("{}/7?clientName={}", TestServer::shared().url(), host.name);
    let client: RedisCommandClient = host.manager.open(&host.script, url).unwrap();
    assert_eq!(client.connection().database(), 7);
    assert_eq!(redis::ConnectionLike::get_db(&client.commands()), 7);
    assert_eq!(
        redis::aio::ConnectionLike::get_db(&client.async_commands()),
        7
    );
    let seen: Vec<_> = host.connections().iter().map(|seen| seen.db).collect();
    assert_eq!(seen, [7]);
}

#[test]
fn commands_run_through_the_trait_commands() {
    each_protocol(|_, client, key| {
        let mut commands = client.commands();
        let () = commands.set(key, 41).unwrap();
        assert_eq!(commands.incr::<_, _, i64>(key, 1).unwrap(), 42);
        assert_eq!(commands.get::<_, Option<i64>>(key).unwrap(), Some(42));
        let hash = format!("{key}:h");
        let () = commands
            .hset_multiple(&hash, &[("a", 1), ("b", 2)])
            .unwrap();
        let all: std::collections::BTreeMap<String, i64> = commands.hgetall(&hash).unwrap();
        assert_eq!(all, [("a".to_owned(), 1), ("b".to_owned(), 2)].into());
        assert_eq!(commands.del::<_, i64>(&[key, &hash]).unwrap(), 2);
        assert_eq!(commands.get::<_, Option<i64>>(key).unwrap(), None);
    });
}

#[test]
fn async_commands_run_through_the_trait_async_commands_under_any_executor() {
    async fn test(client: &RedisCommandClient, key: &str) {
        let () = client.async_commands().set(key, "one").await.unwrap();
        let value: String = client.async_commands().get(key).await.unwrap();
        assert_eq!(value, "one");
        let (mut one, mut other) = (client.async_commands(), client.async_commands());
        let (length, exists): (usize, bool) =
            futures_util::try_join!(one.strlen(key), other.exists(key)).unwrap();
        assert_eq!((length, exists), (3, true));
    }
    each_protocol(|_, client, key| {
        pollster::block_on(test(client, key));
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.unwrap().block_on(test(client, key));
        let runtime = tokio::runtime::Builder::new_multi_thread().build();
        runtime.unwrap().block_on(test(client, key));
    });
}

#[test]
fn commands_run_through_the_trait_typed_commands() {
    use redis_manager::redis::TypedCommands;
    each_protocol(|_, client, key| {
        let mut commands = client.commands();
        TypedCommands::set(&mut commands, key, "7").unwrap();
        let value: Option<String> = TypedCommands::get(&mut commands, key).unwrap();
        assert_eq!(value.as_deref(), Some("7"));
        let raised: isize = TypedCommands::incr(&mut commands, key, 3).unwrap();
        assert_eq!(raised, 10);
        assert!(TypedCommands::exists(&mut commands, key).unwrap());
    });
}

#[test]
fn async_commands_run_through_the_trait_async_typed_commands() {
    use redis_manager::redis::AsyncTypedCommands;
    each_protocol(|_, client, key| {
        pollster::block_on(async {
            let mut commands = client.async_commands();
            AsyncTypedCommands::rpush(&mut commands, key, &["a", "b"])
                .await
                .unwrap();
            let all: Vec<String> = AsyncTypedCommands::lrange(&mut commands, key, 0, -1)
                .await
                .unwrap();
            assert_eq!(all, ["a", "b"]);
            assert_eq!(
                AsyncTypedCommands::del(&mut commands, key).await.unwrap(),
                1
            );
        });
    });
}

#[test]
fn commands_run_plain_and_atomic_pipelines() {
    each_protocol(|_, client, key| {
        for atomic in [false, true] {
            let mut pipeline = pipe();
            if atomic {
                pipeline.atomic();
            }
            pipeline.set(key, 1).ignore().incr(key, 5).get(key);
            let expected = (6, "6".to_owned());
            let sync: (i64, String) = pipeline.query(&mut client.commands()).unwrap();
            assert_eq!(sync, expected, "atomic: {atomic}");
            let twin: (i64, String) =
                pollster::block_on(pipeline.query_async(&mut client.async_commands())).unwrap();
            assert_eq!(twin, expected, "atomic: {atomic}");
        }
    });
}

#[test]
fn an_atomic_pipeline_is_executed_whole_or_not_at_all() {
    each_protocol(|_, client, key| {
        let mut pipeline = pipe();
        pipeline.atomic().set(key, 1).cmd("NOSUCHCOMMAND");
        let sync = pipeline.exec(&mut client.commands()).unwrap_err();
        let twin =
            pollster::block_on(pipeline.exec_async(&mut client.async_commands())).unwrap_err();
        for error in [sync, twin] {
            let kind = redis::ErrorKind::Server(ServerErrorKind::ExecAbort);
            assert_eq!(error.kind(), kind, "{error:?}");
            let causes = error.into_server_errors().unwrap();
            assert_eq!(causes.len(), 1);
            assert_eq!(causes[0].0, 1, "the index of the bad command");
        }
        assert!(!client.commands().exists::<_, bool>(key).unwrap());
    });
}

#[test]
fn a_pipeline_with_ignore_errors_returns_each_result() {
    each_protocol(|_, client, key| {
        let mut pipeline = pipe();
        pipeline.set(key, "text").incr(key, 1).get(key);
        let error = pipeline
            .query::<Vec<Value>>(&mut client.commands())
            .unwrap_err();
        assert_eq!(error.into_server_errors().unwrap()[0].0, 1);
        pipeline.ignore_errors();
        let sync: Vec<redis::RedisResult<String>> = pipeline.query(&mut client.commands()).unwrap();
        let twin: Vec<redis::RedisResult<String>> =
            pollster::block_on(pipeline.query_async(&mut client.async_commands())).unwrap();
        for results in [sync, twin] {
            assert_eq!(results.len(), 3);
            assert_eq!(results[0].as_deref(), Ok("OK"));
            assert!(results[1].is_err());
            assert_eq!(results[2].as_deref(), Ok("text"));
        }
    });
}

#[test]
fn keys_and_values_are_bytes_of_any_kind_and_length() {
    let samples: [&[u8]; 6] = [
        b"",
        b"\0",
        b"\r\n$5\r\n*1\r\n",
        b"\xff\xfe\x80",
        "gr\u{fc}\u{df}e".as_bytes(),
        &[0x5a; 300_000],
    ];
    each_protocol(|_, client, key| {
        for sample in samples {
            let name = [key.as_bytes(), sample].concat();
            let () = client.commands().set(&name, sample).unwrap();
            let sync: Vec<u8> = client.commands().get(&name).unwrap();
            assert_eq!(sync, sample);
            let twin: Vec<u8> = pollster::block_on(client.async_commands().get(&name)).unwrap();
            assert_eq!(twin, sample);
            let (piped,): (Vec<u8>,) = pipe().get(&name).query(&mut client.commands()).unwrap();
            assert_eq!(piped, sample);
            let hash = format!("{key}:h");
            let () = client.commands().hset(&hash, sample, sample).unwrap();
            let field: Vec<u8> = client.commands().hget(&hash, sample).unwrap();
            assert_eq!(field, sample);
        }
    });
}

#[test]
fn the_empty_key_is_a_key() {
    // The shared server's other tests do not use it; a database of its own keeps it that way.
    let host = Host::new();
    let url = format!("{}/9", TestServer::shared().url());
    let client: RedisCommandClient = host.manager.open(&host.script, url).unwrap();
    let () = client.commands().set("", "of nothing").unwrap();
    let value: String = pollster::block_on(client.async_commands().get("")).unwrap();
    assert_eq!(value, "of nothing");
    assert_eq!(client.commands().del::<_, i64>("").unwrap(), 1);
}

#[test]
fn an_error_reply_stays_a_server_error_with_its_code() {
    each_protocol(|_, client, key| {
        let () = client.commands().set(key, "text").unwrap();
        let sync = client.commands().lpush::<_, _, i64>(key, 1).unwrap_err();
        let twin = pollster::block_on(client.async_commands().lpush::<_, _, i64>(key, 1));
        for theirs in [sync, twin.unwrap_err()] {
            assert_eq!(theirs.code(), Some("WRONGTYPE"));
            let detail = theirs.detail().unwrap().to_owned();
            assert!(detail.contains("wrong kind of value"), "{detail}");
            let ours = Error::from(theirs);
            assert_eq!(ours.kind(), ErrorKind::Server);
            assert_eq!(ours.delivery(), Some(Delivery::Replied));
            assert!(ours.message().contains("WRONGTYPE"), "{ours}");
        }
    });
}

#[test]
fn an_error_of_ours_comes_out_of_a_redis_error_with_command_and_client() {
    each_protocol(|_, client, key| {
        client.close();
        let sync = client.commands().get::<_, String>(key).unwrap_err();
        let twin = pollster::block_on(client.async_commands().get::<_, String>(key));
        for theirs in [sync, twin.unwrap_err()] {
            let ours = Error::from(theirs);
            assert_eq!(ours.kind(), ErrorKind::Closed);
            assert_eq!(ours.delivery(), Some(Delivery::NotSent));
            assert_eq!(ours.command(), Some("GET"));
            assert_eq!(ours.client_id(), Some(client.client_id()));
        }
    });
}

#[test]
fn a_reply_of_another_type_is_a_conversion_error_and_the_next_call_is_right() {
    each_protocol(|_, client, key| {
        let () = client.commands().set(key, "text").unwrap();
        let error = client.commands().get::<_, i64>(key).unwrap_err();
        assert_eq!(Error::from(error).kind(), ErrorKind::Conversion);
        let value: String = client.commands().get(key).unwrap();
        assert_eq!(value, "text");
    });
}

#[test]
fn a_command_marked_no_response_runs_and_leaves_replies_in_step() {
    each_protocol(|_, client, key| {
        let mut silent = cmd("INCR");
        silent.arg(key).set_no_response(true);
        let sync: Value = silent.query(&mut client.commands()).unwrap();
        assert_eq!(sync, Value::Nil);
        let twin = pollster::block_on(silent.query_async::<Value>(&mut client.async_commands()));
        assert_eq!(twin.unwrap(), Value::Nil);
        assert_eq!(client.commands().get::<_, i64>(key).unwrap(), 2);
        let echo: String = cmd("ECHO")
            .arg("in step")
            .query(&mut client.commands())
            .unwrap();
        assert_eq!(echo, "in step");
    });
}

#[test]
fn a_handle_says_whether_it_is_open_and_answers() {
    use redis_manager::redis::ConnectionLike;
    each_protocol(|_, client, _| {
        let mut commands = client.commands();
        assert!(commands.is_open() && commands.check_connection());
        client.close();
        assert!(!commands.is_open() && !commands.check_connection());
    });
}
