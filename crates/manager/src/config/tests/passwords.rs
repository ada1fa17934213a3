//! Where passwords come from, and that they go nowhere.

use redis_manager_core::ErrorKind;

use super::{misfit, refusal, with};
use crate::config::password::PasswordSource;
use crate::config::{ManagerConfig, ServerConfig};

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
    let source = |name| config.server(name).unwrap().login().password_source();
    assert_eq!(source("main").unwrap().read().unwrap(), "hunter2");
    assert_eq!(
        source("events-2"),
        Some(PasswordSource::Variable("REDIS_PASSWORD".into()))
    );
    let next = config.with_variables("X", [("X_SERVERS_MAIN_PASSWORD_ENV", "REDIS_PASSWORD")]);
    let source = next
        .unwrap()
        .server("main")
        .unwrap()
        .login()
        .password_source();
    assert_eq!(
        source,
        Some(PasswordSource::Variable("REDIS_PASSWORD".into()))
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
