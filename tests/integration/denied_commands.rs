//! A script with denied commands has everything but those.

use std::collections::BTreeMap;

use redis_manager::Protocol;
use redis_manager::prelude::*;
use redis_manager::redis::{Commands, cmd, pipe};

use crate::fixture::{Host, unique};
use crate::namespace::{allowed, assert_refused, on_server};

fn denying(names: &[&str]) -> Host {
    let denied = DeniedCommands::new(names).unwrap();
    allowed(ScriptOptions::default().with_denied_commands(denied))
}

#[test]
fn a_denied_command_is_refused_wherever_it_would_run() {
    let host = denying(&["DEL", "CONFIG|SET", "BLPOP", "EXEC"]);
    let client: RedisCommandClient = host.open(Protocol::Resp3);
    let (mut commands, key) = (client.commands(), unique("key"));
    commands.set::<_, _, ()>(&key, 1).unwrap();
    assert_eq!(on_server(&key), "1");
    assert_refused(commands.del::<_, ()>(&key), "denied commands");
    assert_refused(commands.blpop::<_, ()>(&key, 0.1), "denied commands");
    let mut config = cmd("config");
    config.arg("set").arg("maxmemory").arg(0);
    assert_refused(config.exec(&mut commands), "denied commands");
    let shown: BTreeMap<String, String> = cmd("CONFIG")
        .arg("GET")
        .arg("maxmemory")
        .query(&mut commands)
        .unwrap();
    assert_eq!(shown.len(), 1);
    let mut pipeline = pipe();
    pipeline.get(&key).del(&key);
    assert_refused(pipeline.exec(&mut commands), "denied commands");
    let mut atomic = pipe();
    atomic.atomic().get(&key);
    assert_refused(atomic.exec(&mut commands), "denied commands");
    let mut session = client.session().unwrap();
    assert_refused(session.del::<_, ()>(&key), "denied commands");
    let refused = client.connection().request(cmd("DEL").arg(&key));
    let refused = refused.unwrap_err();
    assert_eq!(refused.delivery(), Some(Delivery::NotSent));
    assert_eq!(refused.command(), Some("DEL"));
    assert_eq!(on_server(&key), "1");
}

#[test]
fn a_denied_subscription_is_refused_and_another_is_not() {
    for is_shared in [false, true] {
        let host = denying(&["PSUBSCRIBE", "PUBLISH"]);
        let options = ClientOptions::builder().shared(is_shared).build().unwrap();
        let client: RedisPubSubClient = host.open_with(options);
        let channel = unique("channel");
        let pattern = client.register_pattern_listener(&channel, |_| Ok(()));
        assert_refused(pattern, "denied commands");
        let listener = client.register_listener(&channel, |_| Ok(())).unwrap();
        assert_refused(client.publish(&channel, "x"), "denied commands");
        listener.unregister().unwrap();
    }
}

#[test]
fn a_basic_client_is_refused_and_an_empty_list_is_none() {
    let host = denying(&["DEL"]);
    let basic = host
        .manager
        .open::<RedisBasicClient>(&host.script, host.url());
    assert_refused(basic, "go around");
    let host = denying(&[]);
    let basic: RedisBasicClient = host.open(Protocol::Resp3);
    assert!(basic.redis_client().into_single().is_some());
}

#[test]
fn what_is_dangerous_is_refused_under_a_prefix_too() {
    let options = ScriptOptions::default()
        .with_key_prefix(format!("{}:", unique("prefix")).parse().unwrap())
        .with_denied_commands(DeniedCommands::dangerous());
    let host = allowed(options);
    let client: RedisCommandClient = host.open(Protocol::Resp2);
    let mut commands = client.commands();
    assert_refused(commands.keys::<_, Vec<String>>("*"), "denied commands");
    commands.set::<_, _, ()>("k", 1).unwrap();
    assert_eq!(commands.scan::<String>().unwrap().count(), 1);
}
