//! TLS: what stands beside a URI that asks for none.

use crate::config::ManagerConfig;

fn config(uri: &str, more: &str) -> ManagerConfig {
    toml::from_str(&format!("[servers.main]\nuri = '{uri}'\n{more}")).unwrap()
}

#[test]
fn options_of_tls_beside_a_uri_without_it_are_refused_with_the_scheme_that_has_it() {
    const WHERE: &str =
        "invalid configuration: servers.main.options.tls: the `uri` asks for no TLS; ";
    for (uri, hint) in [
        ("redis://:secret@h", "such a one begins with rediss://"),
        (
            "redis-sentinel://h#m",
            "such a one begins with rediss-sentinel://",
        ),
        (
            "redis-cluster://h",
            "such a one begins with rediss-cluster://",
        ),
        ("redis-socket:///run/redis.sock", "a Unix socket has none"),
    ] {
        for tls in [
            "options.tls.ca = '/ca.pem'",
            "options = { tls = { certificate = '/a.pem', key = '/a.key' } }",
        ] {
            let error = config(uri, tls).check().unwrap_err();
            assert_eq!(error.message(), format!("{WHERE}{hint}"));
        }
        config(uri, "").check().unwrap();
    }
    for uri in ["rediss://h", "rediss-sentinel://h#m", "rediss-cluster://h"] {
        config(uri, "options.tls.ca = '/ca.pem'").check().unwrap();
    }
}

#[test]
fn the_uri_may_be_one_that_the_environment_names() {
    let config = config("redis://h", "options.tls.ca = '/ca.pem'");
    let secure = [("X_SERVERS_MAIN_URI", "rediss://h")];
    config
        .clone()
        .with_variables("X", secure)
        .unwrap()
        .check()
        .unwrap();
    let plain = [("X_SERVERS_MAIN_URI", "redis://other")];
    let error = config.with_variables("X", plain).and_then(|it| it.check());
    assert!(
        error
            .unwrap_err()
            .message()
            .contains("servers.main.options.tls")
    );
}
