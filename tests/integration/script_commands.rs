//! Commands by name with a script's values, on the real server.

use redis_manager::prelude::*;
use redis_manager::{ScriptCommand, ScriptValue, ValueLimits};

use crate::fixture::{Host, PROTOCOLS, unique};

fn call(client: &RedisCommandClient, name: &str, arguments: &[ScriptValue]) -> ScriptValue {
    let command = ScriptCommand::new(name, arguments.to_vec()).unwrap();
    let value = command.call(client).unwrap();
    let again = pollster::block_on(command.call_async(client));
    assert!(again.is_ok(), "{again:?}");
    value
}

#[test]
fn a_script_calls_what_it_likes_by_the_names_that_it_knows() {
    for protocol in PROTOCOLS {
        let host = Host::new();
        let client: RedisCommandClient = host.open(protocol);
        let key = ScriptValue::from(unique("key"));
        let binary = ScriptValue::from(&b"\xff\0\r\n"[..]);
        assert_eq!(
            call(&client, "set", &[key.clone(), binary.clone()]),
            "OK".into()
        );
        assert_eq!(call(&client, "get", std::slice::from_ref(&key)), binary);
        assert_eq!(
            call(&client, "objectEncoding", std::slice::from_ref(&key)),
            "embstr".into()
        );
        let missing = ScriptValue::from(unique("missing"));
        assert_eq!(call(&client, "GET", &[missing]), ScriptValue::Nil);
        let list = ScriptValue::from(unique("list"));
        let pushed = ScriptValue::List(vec!["a".into(), 1.into(), 1.5.into(), true.into()]);
        call(&client, "rpush", &[list.clone(), pushed]);
        let range = call(&client, "lrange", &[list, 0.into(), 3.into()]);
        let texts: Vec<_> = ["a", "1", "1.5", "1"].map(ScriptValue::from).into();
        assert_eq!(range, ScriptValue::List(texts));
        let name = call(&client, "client_getname", &[]);
        assert_eq!(name.as_str(), Some(host.name.as_str()));
    }
}

#[test]
fn what_goes_wrong_says_what_to_which_command_and_whether_it_ran() {
    let host = Host::new();
    let client: RedisCommandClient = host.open(Protocol::Auto);
    let key = unique("key");
    call(&client, "set", &[key.as_str().into(), "text".into()]);

    let wrong_type = ScriptCommand::new("lpush", [key.as_str(), "a"]).unwrap();
    let error = wrong_type.call(&client).unwrap_err();
    assert_eq!(
        (error.kind(), error.code()),
        (ErrorKind::Server, Some("WRONGTYPE"))
    );
    assert_eq!(
        (error.command(), error.delivery()),
        (Some("LPUSH"), Some(Delivery::Replied))
    );

    let refused = ScriptCommand::new("watch", [key.as_str()]).unwrap();
    let error = refused.call(&client).unwrap_err();
    assert_eq!(
        (error.kind(), error.command()),
        (ErrorKind::Refused, Some("WATCH"))
    );

    let nil = ScriptCommand::new("set", [key.as_str().into(), ScriptValue::Nil]).unwrap_err();
    assert_eq!(
        (nil.kind(), nil.command()),
        (ErrorKind::InvalidArgument, Some("SET"))
    );

    let limits = ValueLimits {
        bytes: 100,
        ..ValueLimits::default()
    };
    let large = "x".repeat(101);
    call(&client, "set", &[key.as_str().into(), large.into()]);
    let get = ScriptCommand::with_limits("get", [key.as_str()], limits).unwrap();
    let error = get.call(&client).unwrap_err();
    assert_eq!(
        (error.kind(), error.command()),
        (ErrorKind::Conversion, Some("GET"))
    );
    assert_eq!(error.delivery(), Some(Delivery::Replied));
    let small = ScriptCommand::with_limits("echo", ["small"], limits).unwrap();
    assert_eq!(small.call(&client).unwrap(), "small".into());
}
