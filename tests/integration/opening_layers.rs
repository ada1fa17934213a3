//! Each layer alone, without the manager, and what all kinds of client have in common.

use std::sync::Arc;

use redis_manager_command::RedisCommandClient;
use redis_manager_command::redis::Commands;
use redis_manager_core::{
    ClientEvent, ClientId, ClientOptions, ClientResources, ClientState, ClientType, CloseOutcome,
    ErrorKind, OpenRedisClient, RedisBasicClient, RedisUri, ScriptHandle, ScriptRedisClient,
};
use redis_manager_pubsub::{Message, RedisPubSubClient};
use redis_manager_support::TestServer;

use crate::fixture::{PATIENCE, eventually, unique};

/// The shared server, by a name that tells this test's connections from others'.
fn uri(name: &str) -> RedisUri {
    let url = format!("{}?clientName={name}", TestServer::shared().url());
    url.parse().unwrap()
}

fn connections(name: &str) -> usize {
    let clients = TestServer::shared().clients().unwrap();
    clients.iter().filter(|client| client.name == name).count()
}

fn open<C: OpenRedisClient>(script: &ScriptHandle, name: &str, resources: &ClientResources) -> C {
    let sync = C::open(script, uri(name), ClientOptions::default(), resources).unwrap();
    sync.close();
    let twin = C::open_async(script, uri(name), ClientOptions::default(), resources);
    pollster::block_on(twin).unwrap()
}

#[test]
fn redis_command_client_open_works_alone() {
    let (name, resources) = (unique("alone"), ClientResources::new().unwrap());
    let client: RedisCommandClient = open(&ScriptHandle::new(&name), &name, &resources);
    let () = client.commands().set(&name, 1).unwrap();
    assert_eq!(client.commands().get::<_, i64>(&name).unwrap(), 1);
    assert_eq!(connections(&name), 1);
    client.close();
    eventually("it is gone", || connections(&name) == 0);
}

#[test]
fn redis_pub_sub_client_open_works_alone() {
    let (name, resources) = (unique("alone"), ClientResources::new().unwrap());
    let client: RedisPubSubClient = open(&ScriptHandle::new(&name), &name, &resources);
    let (heard, hear) = std::sync::mpsc::channel();
    let listener = client.register_listener(&name, move |message: &Message| {
        Ok(heard.send(message.payload().to_vec())?)
    });
    assert_eq!(client.publish(&name, "hello").unwrap(), 1);
    assert_eq!(hear.recv_timeout(PATIENCE).unwrap(), b"hello");
    listener.unwrap().unregister().unwrap();
    client.close();
    eventually("it is gone", || connections(&name) == 0);
}

#[test]
fn redis_basic_client_open_works_alone() {
    let (name, resources) = (unique("alone"), ClientResources::new().unwrap());
    let client: RedisBasicClient = open(&ScriptHandle::new(&name), &name, &resources);
    assert_eq!(client.ping().unwrap(), "PONG");
    client.close();
}

#[test]
fn a_script_whose_gate_is_shut_opens_nothing() {
    let (name, resources) = (unique("shut"), ClientResources::new().unwrap());
    let script = ScriptHandle::new(&name);
    script.gate().shut();
    fn refusal<C: OpenRedisClient>(
        script: &ScriptHandle,
        name: &str,
        resources: &ClientResources,
    ) -> ErrorKind {
        let open = C::open(script, uri(name), ClientOptions::default(), resources);
        open.unwrap_err().kind()
    }
    let kinds = [
        refusal::<RedisBasicClient>(&script, &name, &resources),
        refusal::<RedisCommandClient>(&script, &name, &resources),
        refusal::<RedisPubSubClient>(&script, &name, &resources),
    ];
    assert_eq!(kinds, [ErrorKind::ScriptUnloaded; 3]);
    assert_eq!(connections(&name), 0);
}

#[test]
fn the_trait_of_all_clients_works_behind_a_box() {
    let (name, resources) = (unique("boxed"), ClientResources::new().unwrap());
    let script = ScriptHandle::new(&name);
    let clients: [(ClientType, ClientState, Box<dyn ScriptRedisClient>); 3] = [
        (
            ClientType::Basic,
            ClientState::Idle,
            Box::new(open::<RedisBasicClient>(&script, &name, &resources)),
        ),
        (
            ClientType::Command,
            ClientState::Connected,
            Box::new(open::<RedisCommandClient>(&script, &name, &resources)),
        ),
        (
            ClientType::PubSub,
            ClientState::Connected,
            Box::new(open::<RedisPubSubClient>(&script, &name, &resources)),
        ),
    ];
    let mut ids: Vec<ClientId> = Vec::new();
    for (kind, state, client) in &clients {
        assert_eq!(client.client_type(), *kind);
        assert_eq!(client.state(), *state);
        assert_eq!(client.script(), &script);
        assert_eq!(client.redis_uri(), &uri(&name));
        assert_eq!(client.client_options(), &ClientOptions::default());
        let mut raw = client
            .redis_client()
            .into_single()
            .unwrap()
            .get_connection()
            .unwrap();
        let () = raw.set(&name, kind.to_string()).unwrap();
        assert!(!ids.contains(&client.client_id()));
        ids.push(client.client_id());

        let mut events = client.events();
        let report = pollster::block_on(client.close_async());
        assert!(matches!(report.outcome(), CloseOutcome::Drained));
        assert_eq!(report.client_id(), client.client_id());
        assert!(matches!(events.try_recv(), Some(ClientEvent::Closed)));
        assert_eq!(client.state(), ClientState::Closed);
        assert!(matches!(
            client.close().outcome(),
            CloseOutcome::AlreadyClosed
        ));
    }
    eventually("nothing is left", || connections(&name) == 0);
}

#[test]
fn resources_are_shared_by_clients_and_one_closing_disturbs_no_other() {
    let (name, resources) = (unique("shared"), ClientResources::new().unwrap());
    let one: RedisCommandClient = open(&ScriptHandle::new("one"), &name, &resources);
    let other: RedisCommandClient = open(&ScriptHandle::new("other"), &name, &resources);
    drop(resources);
    one.close();
    let other = Arc::new(other);
    let () = other.commands().set(&name, "still").unwrap();
    assert_eq!(other.commands().get::<_, String>(&name).unwrap(), "still");
    other.close();
}
