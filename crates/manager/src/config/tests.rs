//! Files, variables and refusals, without a server.

use std::time::Duration;

use redis_manager_core::{ClientOptions, DeniedCommands, LimitName, Pem, ScriptLimits, TlsOptions};
use serde_json::json;

use super::password::PasswordSource;
use super::*;

const FULL: &str = r#"
[servers.main]
uri = "redis://cache.example.com:7000/2?clientName=game"
username = "scripts"
password_file = "/run/secrets/redis"
options = { command_timeout = "500ms", heartbeat = "off" }

[servers.events-2]
uri = "redis://events.example.com"

[default_script]
key_prefix = "{script}:"
limits = { clients = 4, sessions = 2 }
denied_commands = ["FLUSHALL"]

[scripts.economy]
limits = { clients = 8 }

[scripts.admin]
inherit = false
denied_commands = ["SHUTDOWN"]

[resources]
callback_threads = 3
"#;

fn full() -> ManagerConfig {
    toml::from_str(FULL).unwrap()
}

/// What is said of a file that is wrong.
fn refusal(text: &str) -> String {
    let error = toml::from_str::<ManagerConfig>(text).unwrap_err();
    // All that there is of it, not the bare message alone.
    error.to_string().trim_end().to_owned()
}

fn with(variables: &[(&str, &str)]) -> Result<ManagerConfig> {
    full().with_variables("REDIS_MANAGER", variables.iter().copied())
}

fn variable(name: &str, value: &str) -> Result<ManagerConfig> {
    with(&[(&format!("REDIS_MANAGER_{name}"), value)])
}

fn misfit(name: &str, value: &str) -> String {
    variable(name, value).unwrap_err().message().to_owned()
}

#[test]
fn a_file_in_toml() {
    let config = full();
    let main = config.server("main").unwrap();
    assert_eq!(main.uri().address(), "cache.example.com:7000");
    assert_eq!(main.username(), Some("scripts"));
    assert_eq!(main.options().command_timeout(), Duration::from_millis(500));
    assert_eq!(main.options().connect_timeout(), Duration::from_secs(10));
    let source = PasswordSource::File("/run/secrets/redis".into());
    assert_eq!(main.password_source(), Some(source));
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
fn a_script_has_what_its_table_says_and_the_rest_by_default() {
    let config = full();
    let economy = config.script_options("economy").unwrap();
    assert_eq!(economy.key_prefix().unwrap().as_str(), "economy:");
    assert_eq!(economy.limits().get(LimitName::Clients), Some(8));
    assert_eq!(economy.limits().get(LimitName::Sessions), Some(2));
    assert!(economy.denied_commands().names().eq(["FLUSHALL"]));
    let other = config.script_options("chat").unwrap();
    assert_eq!(other.key_prefix().unwrap().as_str(), "chat:");
    assert_eq!(other.limits().get(LimitName::Clients), Some(4));
    let admin = config.script_options("admin").unwrap();
    assert_eq!(admin.key_prefix(), None);
    assert!(admin.limits().is_none());
    assert!(admin.denied_commands().names().eq(["SHUTDOWN"]));
}

#[test]
fn a_name_whose_prefix_could_begin_anothers_is_refused() {
    let error = full().script_options("economy:items").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidOptions);
    assert_eq!(
        error.message(),
        "invalid configuration: default_script.key_prefix: the key prefix \"{script}:\" wants names \
         without ':', and the script's is \"economy:items\""
    );
    let tag: PrefixTemplate = "{{script}}".parse().unwrap();
    assert_eq!(tag.of("economy").unwrap().as_str(), "{economy}");
    for template in ["{script}", "{script}{script}:", "", "a b", "{script}*"] {
        assert!(PrefixTemplate::new(template).is_err(), "{template:?}");
    }
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

#[test]
fn no_error_repeats_a_password() {
    for text in [
        "servers = 'redis://:hunter2@h'",
        "servers.main = 'redis://:hunter2@h'",
        "[servers.main]\nuri = 'redis://:hunter2@h:99999'",
        "[servers.main]\nuri = ['redis://:hunter2@h']",
        "[servers.main]\nuri = 'redis://h'\npassword = 'hunter2'",
        "[servers.main]\nuri = 'redis://:hunter2@h'\npassword_file = 'f'",
        "[servers.main]\nuri = 'redis://:hunter2@h'\noptions = 'redis://:hunter2@h'",
        "[servers.main]\nuri = 'redis://:hunter2@h'\nurl = 1",
        "[servers.main]\nuri = 'redis://:hunter2@h'\noptions = { socket = 5 }",
    ] {
        let refusal = refusal(text);
        assert!(!refusal.contains("hunter2"), "{refusal}");
        assert!(refusal.starts_with("servers"), "{refusal}");
    }
    for name in [
        "SERVERS",
        "SERVERS_MAIN",
        "SERVERS_MAIN_PASSWORDS",
        "SERVERS_MAIN_OPTIONS",
    ] {
        let refusal = misfit(name, "redis://:hunter2@h");
        assert!(!refusal.contains("hunter2"), "{refusal}");
        assert!(
            refusal.contains(&format!("the variable REDIS_MANAGER_{name}: ")),
            "{refusal}"
        );
    }
    let refusal = misfit("SERVERS_MAIN_URI", "redis://:hunter2@h:0");
    assert!(!refusal.contains("hunter2"), "{refusal}");
}

#[test]
fn nothing_prints_or_writes_a_password() {
    let config = ManagerConfig::default().with_server(
        "a",
        ServerConfig::new("redis://h".parse().unwrap()).with_password("hunter2"),
    );
    assert!(!format!("{config:?}").contains("hunter2"));
    assert!(!serde_json::to_string(&config).unwrap().contains("hunter2"));
    let in_uri: ManagerConfig = toml::from_str("servers.a.uri = 'redis://:hunter2@h'").unwrap();
    assert!(!format!("{in_uri:?}").contains("hunter2"));
    let refusal = serde_json::to_string(&in_uri).unwrap_err().to_string();
    assert!(
        refusal.contains("the URI of h:6379 has a password, which is not written"),
        "{refusal}"
    );
    assert!(!refusal.contains("hunter2"));
}

#[test]
fn variables_change_what_they_name() {
    let config = with(&[
        ("REDIS_MANAGER_SERVERS_MAIN_URI", "redis://other:7001"),
        ("REDIS_MANAGER_SERVERS_MAIN_OPTIONS_SESSION_POOL_SIZE", "3"),
        (
            "redis_manager_servers_main_options_socket_tcp_nodelay",
            "false",
        ),
        ("REDIS_MANAGER_SERVERS_MAIN_OPTIONS_REPLAY", "GET, mget"),
        (
            "REDIS_MANAGER_SERVERS_EVENTS_2_OPTIONS_COMMAND_TIMEOUT",
            "2s",
        ),
        ("REDIS_MANAGER_SERVERS_NEW_ONE_URI", "redis://new"),
        ("REDIS_MANAGER_SERVERS_NEW_ONE_OPTIONS_LAZY_CONNECT", "true"),
        (
            "REDIS_MANAGER_DEFAULT_SCRIPT_DENIED_COMMANDS",
            "FLUSHALL,CONFIG|SET",
        ),
        ("REDIS_MANAGER_SCRIPTS_ECONOMY_LIMITS_LISTENERS", "7"),
        ("REDIS_MANAGER_SCRIPTS_ADMIN_KEY_PREFIX", "12"),
        ("REDIS_MANAGER_RESOURCES_IO_THREADS", "1"),
        ("REDIS_MANAGERS", "another program's"),
        ("PATH", "/bin"),
    ])
    .unwrap();
    let main = config.server("main").unwrap();
    assert_eq!(main.uri().address(), "other:7001");
    assert_eq!(main.options().session_pool_size(), 3);
    assert!(!main.options().socket().tcp_nodelay());
    assert!(
        main.options()
            .replay()
            .allows(&redis_manager_core::redis::cmd("MGET"))
    );
    // What no variable names is as it was.
    assert_eq!(main.options().command_timeout(), Duration::from_millis(500));
    let events = config.server("events-2").unwrap();
    assert_eq!(events.options().command_timeout(), Duration::from_secs(2));
    assert!(config.server("new_one").unwrap().options().lazy_connect());
    let economy = config.script_options("economy").unwrap();
    assert_eq!(economy.limits().get(LimitName::Listeners), Some(7));
    assert!(
        economy
            .denied_commands()
            .names()
            .eq(["CONFIG|SET", "FLUSHALL"])
    );
    let admin = config.script_options("admin").unwrap();
    assert_eq!(admin.key_prefix().unwrap().as_str(), "12");
}

#[test]
fn files_of_tls_are_named_by_variables_and_a_key_may_be_the_text_itself() {
    let key = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n";
    let name = |name| format!("X_SERVERS_MAIN_OPTIONS_TLS_{name}");
    let config: ManagerConfig = toml::from_str("servers.main.uri = 'rediss://h'").unwrap();
    let variables = |key: &str| {
        [("CA", "ca.pem"), ("CERTIFICATE", "c.pem"), ("KEY", key)]
            .map(|(file, value)| (name(file), value.to_owned()))
    };
    let read = config.clone().with_variables("X", variables("c.key"));
    let files = TlsOptions::default()
        .with_ca(Pem::file("ca.pem"))
        .with_client_certificate(Pem::file("c.pem"), Pem::file("c.key"));
    assert_eq!(
        read.unwrap().server("main").unwrap().options().tls(),
        &files
    );

    let read = config.clone().with_variables("X", variables(key)).unwrap();
    let tls = read.server("main").unwrap().options().tls().clone();
    assert_eq!(tls.key(), Some(&Pem::text(key)));
    assert!(!format!("{read:?}").contains("c2Vj"));
    // Once more, when it is there already.
    let uri = [("X_SERVERS_MAIN_URI", "rediss://other")];
    let again = read.with_variables("X", uri).unwrap();
    assert_eq!(again.server("main").unwrap().options().tls(), &tls);

    for (alone, missing) in [("CERTIFICATE", "tls.key"), ("KEY", "tls.certificate")] {
        let error = config.clone().with_variables("X", [(name(alone), key)]);
        let error = error.unwrap_err().message().to_owned();
        assert!(error.contains(&name(alone)), "{error}");
        assert!(
            error.contains(&format!("`{missing}` is missing")),
            "{error}"
        );
        assert!(!error.contains("c2Vj"), "{error}");
    }
}

#[test]
fn a_password_in_a_variable_goes_before_the_files() {
    let config = with(&[
        ("REDIS_MANAGER_SERVERS_MAIN_PASSWORD", "hunter2"),
        ("REDIS_MANAGER_SERVERS_MAIN_PASSWORD_FILE", "/elsewhere"),
        (
            "REDIS_MANAGER_SERVERS_EVENTS_2_PASSWORD_ENV",
            "REDIS_PASSWORD",
        ),
    ])
    .unwrap();
    let source = |name| config.server(name).unwrap().password_source();
    assert_eq!(source("main").unwrap().read().unwrap(), "hunter2");
    assert_eq!(
        source("events-2"),
        Some(PasswordSource::Variable("REDIS_PASSWORD".into()))
    );
    let next = config.with_variables("X", [("X_SERVERS_MAIN_PASSWORD_ENV", "REDIS_PASSWORD")]);
    let source = next.unwrap().server("main").unwrap().password_source();
    assert_eq!(
        source,
        Some(PasswordSource::Variable("REDIS_PASSWORD".into()))
    );
}

#[test]
fn a_variable_that_fits_nothing_is_named() {
    for (name, value, expected) in [
        (
            "SERVER_MAIN_URI",
            "redis://h",
            "it fits no entry; the servers are events-2, main",
        ),
        (
            "SERVERS_MIAN_OPTIONS_COMMAND_TIMEOUT",
            "1s",
            "it fits no entry",
        ),
        ("SERVERS_MAIN_OPTIONS_COMMAND", "1s", "it fits no entry"),
        ("SCRIPTS_CHAT_LIMITS_CLIENTS", "1", "it fits no entry"),
        ("", "1", "it fits no entry"),
        ("SERVERS_MAIN_PASSWORD", "", "it is empty"),
        (
            "SERVERS_MAIN_OPTIONS_COMMAND_TIMEOUT",
            "5",
            "servers.main.options.command_timeout: invalid value: string \"5\", expected a duration",
        ),
        (
            "SERVERS_MAIN_OPTIONS_SESSION_POOL_SIZE",
            "0",
            "servers.main.options: invalid client options: `session_pool_size` is 0; it must be at least 1",
        ),
        (
            "SCRIPTS_ECONOMY_LIMITS_CLIENTS",
            "-1",
            "scripts.economy.limits.clients: invalid value: integer `-1`, expected usize",
        ),
        (
            "SCRIPTS_ECONOMY_LIMITS_CLIENTS",
            "many",
            "scripts.economy.limits.clients: invalid type: a text, expected usize",
        ),
        (
            "SERVERS_NEW_URI",
            "http://h",
            "servers.new.uri: invalid Redis URI: ",
        ),
    ] {
        let refusal = misfit(name, value);
        let expected =
            format!("invalid configuration: the variable REDIS_MANAGER_{name}: {expected}");
        assert!(refusal.starts_with(&expected), "{refusal}");
    }
    let twins: ManagerConfig =
        toml::from_str("servers.a-b.uri = 'redis://h'\nservers.a_b.uri = 'redis://h'").unwrap();
    let error = twins
        .with_variables("X", [("X_SERVERS_A_B_URI", "redis://i")])
        .unwrap_err();
    assert!(
        error
            .message()
            .ends_with("it means several entries: servers.a-b.uri, servers.a_b.uri"),
        "{error}"
    );
}

#[test]
fn a_user_without_a_password_is_refused_once_the_environment_has_added_what_it_has() {
    let text = "[servers.main]\nuri = 'redis://h'\nusername = 'u'";
    let config: ManagerConfig = toml::from_str(text).unwrap();
    let error = config.check().unwrap_err();
    assert!(
        error
            .message()
            .starts_with("invalid configuration: servers.main.username: "),
        "{error}"
    );
    let variables = [("X_SERVERS_MAIN_PASSWORD", "hunter2")];
    config
        .with_variables("X", variables)
        .unwrap()
        .check()
        .unwrap();
}

#[test]
fn a_password_is_read_from_its_file_each_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("password");
    let source = PasswordSource::File(path.clone());
    let missing = source.read().unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::Connect);
    assert!(
        missing.message().contains(&path.display().to_string()),
        "{missing}"
    );
    for (content, expected) in [
        ("one\n", "one"),
        (" two words\r\n\n", " two words"),
        ("three", "three"),
    ] {
        std::fs::write(&path, content).unwrap();
        assert_eq!(source.read().unwrap(), expected);
    }
    for (content, expected) in [
        (vec![b'\n'], "is empty"),
        (vec![b'x'; 70_000], "it is longer than 64 KiB"),
        (vec![0xff], "valid UTF-8"),
    ] {
        std::fs::write(&path, content).unwrap();
        let error = source.read().unwrap_err();
        assert!(error.message().contains(expected), "{error}");
    }
    let error = PasswordSource::Variable("NOT_SET_ANYWHERE".into())
        .read()
        .unwrap_err();
    assert!(
        error.message().contains("NOT_SET_ANYWHERE is not set"),
        "{error}"
    );
}

#[test]
fn sentinels_have_a_login_of_their_own_and_variables_set_it_too() {
    let text = "[servers.main]
        uri = 'redis-sentinel://a,b#m'
        sentinel = { username = 'watcher', password_file = '/run/secrets/sentinel' }";
    let config: ManagerConfig = toml::from_str(text).unwrap();
    config.check().unwrap();
    let built = SentinelConfig::default().with_username("watcher");
    let built = built.with_password_file("/run/secrets/sentinel");
    assert_eq!(config.server("main").unwrap().sentinel(), &built);
    let with = |variables: &[(&str, &str)]| config.clone().with_variables("X", variables.to_vec());
    let given = with(&[("X_SERVERS_MAIN_SENTINEL_PASSWORD", "hunter2")]).unwrap();
    let main = given.server("main").unwrap();
    assert_eq!(main.sentinel(), &built.clone().with_password("hunter2"));
    assert!(main.logins().sentinels.is_some() && main.logins().server.is_none());
    assert!(!format!("{given:?}").contains("hunter2"));
    assert!(!serde_json::to_string(&given).unwrap().contains("hunter2"));
    let elsewhere = with(&[("X_SERVERS_MAIN_SENTINEL_PASSWORD_ENV", "SECRET")]).unwrap();
    let main = elsewhere.server("main").unwrap();
    assert_eq!(main.sentinel(), &built.with_password_env("SECRET"));
}

#[test]
fn a_login_for_sentinels_wants_a_password_and_sentinels() {
    for (server, expected) in [
        (
            "uri = 'redis-sentinel://h#m'\nsentinel = { username = 'u' }",
            "invalid configuration: servers.main.sentinel.username: a user needs a password",
        ),
        (
            "uri = 'redis://h'\nsentinel = { password_env = 'A' }",
            "invalid configuration: servers.main.sentinel: the `uri` names no sentinels",
        ),
    ] {
        let config: ManagerConfig = toml::from_str(&format!("[servers.main]\n{server}")).unwrap();
        let error = config.check().unwrap_err();
        assert!(error.message().starts_with(expected), "{error}");
    }
}
