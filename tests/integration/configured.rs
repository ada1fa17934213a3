//! Servers by their name in a configuration, and scripts with the options that stand there.

use std::fs;

use redis_manager::prelude::*;
use redis_manager::{LimitName, ManagerConfig};
use redis_manager_support::{TestCluster, TestServer};

use crate::cluster_fixture::key_of_each;
use crate::listening::{hearing, next_text};
use crate::reconnect::{expect_event, kill_connections};

fn guarded() -> TestServer {
    TestServer::builder().password("first").start_or_panic()
}

fn toml(text: &str) -> ManagerConfig {
    toml::from_str(text).expect("a configuration")
}

#[test]
fn scripts_open_a_server_by_its_name_with_the_password_of_a_file() {
    let server = guarded();
    let folder = tempfile::tempdir().unwrap();
    let password = folder.path().join("password");
    fs::write(&password, "first\n").unwrap();
    let manager = RedisManager::from_config(toml(&format!(
        "[servers.main]
         uri = '{}/3'
         password_file = '{}'
         options = {{ command_timeout = '7s', lazy_connect = false }}",
        server.url(),
        password.display()
    )))
    .unwrap();
    let script = manager.load_script("economy").unwrap();

    let commands = manager
        .open::<RedisCommandClient>(&script, named("main"))
        .unwrap();
    commands.commands().set::<_, _, ()>("gold", 5).unwrap();
    assert_eq!(commands.connection().database(), 3);
    assert_eq!(
        commands.client_options().command_timeout(),
        Duration::from_secs(7)
    );
    let gold: i64 = commands.session().unwrap().get("gold").unwrap();
    assert_eq!(gold, 5);

    let hasty = ClientOptions::builder()
        .command_timeout(Duration::from_secs(3))
        .build()
        .unwrap();
    for client_type in [ClientType::Basic, ClientType::Command, ClientType::PubSub] {
        let client = manager
            .open_redis_client(&script, client_type, named("main"))
            .unwrap();
        assert_eq!(
            client.client_options().command_timeout(),
            Duration::from_secs(7)
        );
        let opening = manager.open_redis_client_with_async(
            &script,
            client_type,
            named("main"),
            hasty.clone(),
        );
        let client = pollster::block_on(opening).unwrap();
        assert_eq!(
            client.client_options().command_timeout(),
            Duration::from_secs(3)
        );
    }
    let basic = manager
        .open::<RedisBasicClient>(&script, named("main"))
        .unwrap();
    assert_eq!(basic.ping().unwrap(), "PONG");
}

#[test]
fn a_password_in_the_environment_goes_before_the_configurations() {
    let server = guarded();
    let json = r#"{"servers": {"main": {
        "uri": "redis://replaced", "username": "default", "password_file": "/there/is/none"
    }}}"#;
    let config: ManagerConfig = serde_json::from_str(json).unwrap();
    let variables = [
        ("APP_SERVERS_MAIN_URI", server.url()),
        ("APP_SERVERS_MAIN_PASSWORD", "first".to_owned()),
    ];
    let config = config.with_variables("APP", variables).unwrap();
    let manager = RedisManager::from_config(config).unwrap();
    let script = manager.load_script("economy").unwrap();
    let opening = manager.open_async::<RedisCommandClient>(&script, named("main"));
    let client = pollster::block_on(opening).unwrap();
    client.commands().set::<_, _, ()>("gold", 5).unwrap();
    assert!(!format!("{manager:?} {:?} {client:?}", manager.config()).contains("first"));
}

#[test]
fn a_password_that_changes_in_its_file_is_that_of_the_next_connection() {
    let server = TestServer::start();
    server.run(&["ACL", "SETUSER", "scripts", "on", "~*", "+@all", ">first"]);
    let folder = tempfile::tempdir().unwrap();
    let password = folder.path().join("password");
    fs::write(&password, "first").unwrap();
    let manager = RedisManager::from_config(toml(&format!(
        "[servers.main]
         uri = '{}'
         username = 'scripts'
         password_file = '{}'
         options = {{ shared = true, reconnect_delay = '20ms' }}",
        server.url(),
        password.display()
    )))
    .unwrap();
    let script = manager.load_script("economy").unwrap();
    let open = || {
        manager
            .open::<RedisCommandClient>(&script, named("main"))
            .unwrap()
    };
    let (client, other) = (open(), open());
    let mut events = client.events();
    server.run(&["ACL", "SETUSER", "scripts", ">second", "<first"]);
    fs::remove_file(&password).unwrap();
    kill_connections(&server);
    expect_event(&mut events, "the file is missed", |event| match event {
        ClientEvent::ReconnectFailed { cause, .. } => cause.message().contains("password"),
        _ => false,
    });
    fs::write(&password, "second\n").unwrap();
    for client in [client, other] {
        client.commands().set::<_, _, ()>("gold", 5).unwrap();
        client
            .session()
            .unwrap()
            .set::<_, _, ()>("gold", 6)
            .unwrap();
    }
    // Both have the one connection, and the sessions one each.
    let clients = server.clients().unwrap().into_iter();
    assert_eq!(clients.filter(|client| client.user == "scripts").count(), 3);
}

/// It is some variable that every process has.
#[test]
fn a_variable_that_the_configuration_names_is_the_password() {
    let server = guarded();
    let path = std::env::var("PATH").unwrap();
    server.run(&[
        "ACL",
        "SETUSER",
        "scripts",
        "on",
        "~*",
        "+@all",
        &format!(">{path}"),
    ]);
    let manager = RedisManager::from_config(toml(&format!(
        "[servers.main]
         uri = '{}'
         username = 'scripts'
         password_env = 'PATH'",
        server.url()
    )))
    .unwrap();
    let script = manager.load_script("economy").unwrap();
    let client = manager
        .open::<RedisCommandClient>(&script, named("main"))
        .unwrap();
    let mut commands = client.commands();
    let user: String = redis::cmd("ACL")
        .arg("WHOAMI")
        .query(&mut commands)
        .unwrap();
    assert_eq!(user, "scripts");
}

#[test]
fn what_cannot_be_opened_by_name_is_told_and_disturbs_nothing() {
    let server = guarded();
    let folder = tempfile::tempdir().unwrap();
    let password = folder.path().join("password");
    fs::write(&password, "first").unwrap();
    let manager = RedisManager::from_config(toml(&format!(
        "[servers]
         main = {{ uri = '{0}', password_file = '{1}' }}
         wrong = {{ uri = '{0}', username = 'nobody', password_file = '{1}' }}",
        server.url(),
        password.display()
    )))
    .unwrap();
    let script = manager.load_script("economy").unwrap();
    let open = |name| manager.open::<RedisCommandClient>(&script, named(name));
    let client = open("main").unwrap();

    let unknown = open("mian").unwrap_err();
    assert_eq!(unknown.kind(), ErrorKind::InvalidArgument);
    assert_eq!(
        unknown.message(),
        "there is no server named \"mian\"; the manager's configuration names main, wrong"
    );
    let refused = open("wrong").unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Authentication);
    assert!(
        !format!("{refused} {refused:?}").contains("first"),
        "{refused:?}"
    );
    fs::remove_file(&password).unwrap();
    let missing = open("main").unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::Connect);
    let said = missing.message();
    assert!(said.contains(&password.display().to_string()), "{said}");

    assert_eq!(manager.redis_clients(&script).len(), 1);
    client.commands().set::<_, _, ()>("gold", 5).unwrap();

    let bare = RedisManager::new().unwrap();
    let script = bare.load_script("economy").unwrap();
    let error = bare
        .open::<RedisCommandClient>(&script, named("main"))
        .unwrap_err();
    assert!(error.message().ends_with("names none"), "{error}");
}

#[test]
fn a_script_has_the_options_of_the_configuration_unless_it_is_loaded_with_others() {
    let server = TestServer::shared();
    let manager = RedisManager::from_config(toml(&format!(
        "[servers.main]
         uri = '{}'
         [default_script]
         key_prefix = 'configured:{{script}}:'
         limits = {{ clients = 2 }}
         [scripts.chat]
         limits = {{ clients = 1 }}",
        server.url()
    )))
    .unwrap();
    let economy = manager.load_script("economy").unwrap();
    let client = manager
        .open::<RedisCommandClient>(&economy, named("main"))
        .unwrap();
    client.commands().set::<_, _, ()>("gold", 5).unwrap();
    let stored = server.run(&["GET", "configured:economy:gold"]);
    assert_eq!(stored.text(), "5");

    let chat = manager.load_script("chat").unwrap();
    let limit = |script: &ScriptHandle| script.options().limits().get(LimitName::Clients);
    assert_eq!((limit(&economy), limit(&chat)), (Some(2), Some(1)));
    manager
        .open::<RedisPubSubClient>(&chat, named("main"))
        .unwrap();
    let second = manager.open::<RedisPubSubClient>(&chat, named("main"));
    assert_eq!(second.unwrap_err().kind(), ErrorKind::LimitExceeded);

    let free = manager
        .load_script_with("free", ScriptOptions::default())
        .unwrap();
    assert_eq!(limit(&free), None);
    // Whoever reloads a script keeps its options; a script that is not loaded has the configuration's.
    let again = manager.reload_script("free").unwrap();
    assert_eq!(limit(again.script()), None);
    let new = manager.reload_script("new").unwrap();
    assert_eq!(limit(new.script()), Some(2));

    let refused = manager.load_script("economy:items").unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidOptions);
    assert!(manager.script("economy:items").is_none());
}

#[test]
fn a_cluster_is_opened_by_its_name_and_each_connection_has_the_password_that_is_in_the_file_then() {
    let cluster = TestCluster::builder().replicas(0).password("first");
    let cluster = cluster.start_or_panic();
    let folder = tempfile::tempdir().unwrap();
    let password = folder.path().join("password");
    fs::write(&password, "first\n").unwrap();
    let manager = RedisManager::from_config(toml(&format!(
        "[servers.main]
         uri = '{}'
         password_file = '{}'
         options = {{ shared = true }}",
        cluster.url(),
        password.display()
    )))
    .unwrap();
    let script = manager.load_script("economy").unwrap();
    let keys = key_of_each(&cluster);
    let client: RedisCommandClient = manager.open(&script, named("main")).unwrap();
    let () = client.commands().set(&keys[0], 1).unwrap();
    let pubsub: RedisPubSubClient = manager.open(&script, named("main")).unwrap();
    let (function, heard) = hearing();
    pubsub.register_listener("news", function).unwrap();
    pubsub.publish("news", "m").unwrap();
    assert_eq!(next_text(&heard), "m");
    let basic: RedisBasicClient = manager.open(&script, named("main")).unwrap();
    assert_eq!(basic.ping().unwrap(), "PONG");
    let UnderlyingClient::Cluster(raw) = basic.redis_client() else {
        panic!("it is a cluster");
    };
    let mut raw = raw.get_connection().unwrap();
    let () = raw.set(&keys[1], 1).unwrap();

    fs::write(&password, "second").unwrap();
    cluster.run_everywhere(&["CONFIG", "SET", "requirepass", "second"]);
    for key in &keys {
        let () = client.commands().set(key, 2).unwrap();
        let () = client.session().unwrap().set(key, 3).unwrap();
    }
    for client_type in [ClientType::Command, ClientType::PubSub] {
        let alone = ClientOptions::default();
        let opened = manager.open_redis_client_with(&script, client_type, named("main"), alone);
        opened.unwrap();
    }
    let basic: RedisBasicClient = manager.open(&script, named("main")).unwrap();
    assert_eq!(basic.ping().unwrap(), "PONG");
    assert!(manager.unload_script(&script).is_clean());
}

#[test]
fn a_manager_is_not_made_of_options_of_tls_beside_a_uri_without_it() {
    let config = toml(
        "[servers.main]
         uri = 'redis://:s3cret@cache.example.com'
         options.tls.ca = '/etc/redis/ca.pem'",
    );
    let error = RedisManager::from_config(config).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidOptions);
    for part in ["servers.main.options.tls", "rediss://"] {
        assert!(error.message().contains(part), "{error}");
    }
    assert!(!error.message().contains("s3cret"), "{error}");
}
