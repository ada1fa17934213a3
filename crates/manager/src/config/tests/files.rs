//! Files: what they say, and what is wrong in them.

use std::time::Duration;

use redis_manager_core::{ClientOptions, DeniedCommands, ScriptLimits};
use serde_json::json;

use super::{full, refusal};
use crate::config::password::PasswordSource;
use crate::config::{ManagerConfig, ResourcesConfig, ScriptConfig, ServerConfig};

#[test]
fn a_file_in_toml() {
    let config = full();
    let main = config.server("main").unwrap();
    assert_eq!(main.uri().address(), "cache.example.com:7000");
    assert_eq!(main.username(), Some("scripts"));
    assert_eq!(main.options().command_timeout(), Duration::from_millis(500));
    assert_eq!(main.options().connect_timeout(), Duration::from_secs(10));
    let source = PasswordSource::File("/run/secrets/redis".into());
    assert_eq!(main.login().password_source(), Some(source));
    assert_eq!(
        config.server_names().collect::<Vec<_>>(),
        ["events-2", "main"]
    );
    config.check().unwrap();
}

#[test]
fn the_same_in_json_and_written_and_read_again() {
    let config = full();
    let json = serde_json::to_string(&config).unwrap();
    assert_eq!(
        serde_json::from_str::<ManagerConfig>(&json).unwrap(),
        config
    );
    let toml = toml::to_string(&config).unwrap();
    assert_eq!(toml::from_str::<ManagerConfig>(&toml).unwrap(), config);
    let empty = serde_json::from_value::<ManagerConfig>(json!({})).unwrap();
    assert_eq!(empty, ManagerConfig::default());
}

#[test]
fn what_is_built_is_what_is_read() {
    let options = ClientOptions::builder()
        .command_timeout(Duration::from_millis(500))
        .heartbeat(None)
        .build()
        .unwrap();
    let uri = "redis://cache.example.com:7000/2?clientName=game";
    let main = ServerConfig::new(uri.parse().unwrap())
        .with_username("scripts")
        .with_password_file("/run/secrets/redis")
        .with_options(options);
    let events = ServerConfig::new("redis://events.example.com".parse().unwrap());
    let default = ScriptConfig::default()
        .with_key_prefix("{script}:".parse().unwrap())
        .with_limits(ScriptLimits::none().with_clients(4).with_sessions(2))
        .with_denied_commands(DeniedCommands::new(["FLUSHALL"]).unwrap());
    let economy = ScriptConfig::default().with_limits(ScriptLimits::none().with_clients(8));
    let admin = ScriptConfig::default()
        .with_inherit(false)
        .with_denied_commands(DeniedCommands::new(["SHUTDOWN"]).unwrap());
    let built = ManagerConfig::default()
        .with_server("main", main)
        .with_server("events-2", events)
        .with_default_script(default)
        .with_script("economy", economy)
        .with_script("admin", admin)
        .with_resources(ResourcesConfig::default().with_callback_threads(3));
    assert_eq!(built, full());
}

#[test]
fn what_is_wrong_in_a_file_is_named_with_its_path() {
    for (text, expected) in [
        (
            "[servers.main]\nuri = 'redis://h'\noptions = { command_timeout = 5 }",
            "servers.main.options.command_timeout: invalid type: integer `5`, expected a duration",
        ),
        (
            "[servers.main]\nuri = 'redis://h'\noptions = { session_pool_size = 0 }",
            "servers.main.options: invalid client options: `session_pool_size` is 0; it must be at least 1",
        ),
        (
            "[servers.main]\nuri = 'redis://h:0'",
            "servers.main.uri: invalid Redis URI: the port must be",
        ),
        (
            "[servers.main]\nurl = 'redis://h'",
            "servers.main.url: unknown field `url`, expected",
        ),
        (
            "servers.main.options = {}",
            "servers.main: missing field `uri`",
        ),
        (
            "[default_script]\nkey_prefix = 'a b'",
            "default_script.key_prefix: the key prefix \"a b\"",
        ),
        (
            "[scripts.a]\nlimits = { client = 1 }",
            "scripts.a.limits.client: unknown field `client`",
        ),
        (
            "[resources]\nio_threads = -1",
            "resources.io_threads: invalid value: integer `-1`",
        ),
        ("server = 1", "server: unknown field `server`, expected"),
        (
            "[servers.a]\nuri = 'redis://h'\npassword_env = 'A'\npassword_file = 'b'",
            "servers.a.password_file: there is a `password_env` as well",
        ),
        (
            "[servers.a]\nuri = 'redis://h'\npassword_env = ''",
            "servers.a.password_env: it is empty",
        ),
        (
            "[servers.a]\nuri = 'redis-sentinel://h#m'\nsentinel = { password = 'hunter2' }",
            "servers.a.sentinel.password: a password does not stand in the configuration",
        ),
        (
            "[servers.a]\nuri = 'redis-sentinel://h#m'\nsentinel = { password_env = 'A', password_file = 'b' }",
            "servers.a.sentinel.password_file: there is a `password_env` as well",
        ),
        (
            "[servers.a]\nuri = 'redis-sentinel://h#m'\nsentinel = { username = '' }",
            "servers.a.sentinel.username: it is empty",
        ),
        (
            "[servers.a]\nuri = 'redis://u:p@h'\nusername = 'v'",
            "servers.a.uri: it has a user name, and there is a `username`",
        ),
    ] {
        let refusal = refusal(text);
        assert!(refusal.starts_with(expected), "{text}\n{refusal}");
    }
}
