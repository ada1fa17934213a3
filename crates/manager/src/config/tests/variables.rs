//! Variables, which change what they name.

use std::time::Duration;

use redis_manager_core::{LimitName, Pem, TlsOptions};

use super::{misfit, with};
use crate::config::ManagerConfig;

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
