//! The login of sentinels.

use crate::config::{ManagerConfig, SentinelConfig};

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
