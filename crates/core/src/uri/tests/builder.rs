//! URIs that are put together.

use super::*;

fn new() -> RedisUriBuilder {
    RedisUri::builder()
}

#[test]
fn the_builder_equals_the_parser() {
    let seconds = Duration::from_secs;
    for (builder, text) in [
        (new().host("h"), "redis://h"),
        (new().host("h").port(6380), "redis://h:6380"),
        (new().host("::1"), "redis://[::1]"),
        (new().host("[0::1]").port(1), "redis://[::1]:1"),
        (new().host("x").host("h"), "redis://h"),
        (new().host("h").password("a@/b"), "redis://a%40%2fb@h"),
        (new().host("h").username("u").password("p"), "redis://u:p@h"),
        (new().host("h").username("u").password(""), "redis://u:@h"),
        (new().host("h").username("").password("p"), "redis://:p@h"),
        (new().host("h").username("").password(""), "redis://:@h"),
        (new().host("h").username(""), "redis://@h"),
        (
            new().host("h").database(2_147_483_647),
            "redis://h/2147483647",
        ),
        (
            new().host("h").timeout(seconds(90)),
            "redis://h?timeout=90s",
        ),
        (
            new()
                .host("h")
                .client_name("c")
                .library_name("l")
                .library_version("v"),
            "redis://h?clientName=c&libraryName=l&libraryVersion=v",
        ),
        (
            new().host("h").protocol(Protocol::Auto),
            "redis://h?protocol=auto",
        ),
        (new().host("h").tls(true), "rediss://h"),
        (
            new().host("h").tls(true).verify_peer(VerifyPeer::Ca),
            "rediss://h?verifyPeer=CA",
        ),
        (
            new().socket("/run/a b").database(1),
            "unix:///run/a%20b?db=1",
        ),
        (
            new()
                .sentinel()
                .host("a")
                .node("b", 1)
                .sentinel_master_id("m")
                .tls(true),
            "rediss-sentinel://a,b:1#m",
        ),
        (
            new().cluster().node("a", 7000).node("b", 7001),
            "redis-cluster://a:7000,b:7001",
        ),
    ] {
        let parsed = RedisUri::parse(text).expect(text);
        assert_eq!(builder.build().expect(text), parsed, "{text}");
    }
}

#[test]
fn the_builder_refuses_what_the_parser_refuses() {
    let host = || new().host("h");
    let socket = || new().socket("/run/r");
    let sentinel = || host().sentinel().sentinel_master_id("m");
    let name = "must be one or more printable ASCII characters without spaces";
    for (builder, problem) in [
        (new(), "a host or a socket path is needed"),
        (new().port(1), "a host or a socket path is needed"),
        (new().node("a", 1).port(1), "a port needs a host"),
        (socket().port(1), "a port needs a host"),
        (socket().host("h"), "a host and a socket exclude each other"),
        (
            socket().node("h", 1),
            "a host and a socket exclude each other",
        ),
        (
            socket().cluster(),
            "Sentinel and Cluster need hosts, not a socket",
        ),
        (
            socket().sentinel(),
            "Sentinel and Cluster need hosts, not a socket",
        ),
        (socket().tls(true), "there is no TLS on a socket"),
        (
            sentinel().cluster(),
            "Sentinel and Cluster exclude each other",
        ),
        (
            host().node("b", 1),
            "several hosts are for Sentinel (redis-sentinel://) and Cluster (redis-cluster://) only",
        ),
        (
            host().cluster().database(0),
            "a cluster has no numbered databases; leave the database out",
        ),
        (
            host().verify_peer(VerifyPeer::Full),
            "`verifyPeer` needs TLS (rediss://)",
        ),
        (
            host().sentinel_master_id("m"),
            "`sentinelMasterId` is for Sentinel (redis-sentinel://) only",
        ),
        (
            host().sentinel(),
            "Sentinel needs the name of the master: #name or `sentinelMasterId`",
        ),
        (
            sentinel().sentinel_master_id(""),
            "Sentinel needs the name of the master: #name or `sentinelMasterId`",
        ),
        (host().port(0), "the port must be a number from 1 to 65535"),
        (
            sentinel().node("b", 0),
            "node 2: the port must be a number from 1 to 65535",
        ),
        (new().host(""), "the host is empty"),
        (
            new().host(format!("u:{MARK}@h")),
            "the host contains `:` or brackets but is no IPv6 address",
        ),
        (
            new().host("h:6379"),
            "the host contains `:` or brackets but is no IPv6 address",
        ),
        (
            new().host("a,b"),
            "the host may contain only letters, digits, `-`, `_` and `.`, or be an IPv6 address in brackets",
        ),
        (
            new().socket("run/r"),
            "the path of the socket must be absolute: begin with `/`",
        ),
        (
            host().username("u"),
            "a user name needs a password, which may be empty",
        ),
        (
            host().database(2_147_483_648),
            "the database must be a number from 0 to 2147483647",
        ),
        (
            host().timeout(Duration::ZERO),
            "the timeout must be longer than 0",
        ),
        (
            host().client_name("a b"),
            &format!("the client name {name}"),
        ),
        (host().library_name(""), &format!("the library name {name}")),
        (
            host().library_version("\n"),
            &format!("the library version {name}"),
        ),
    ] {
        let shown = format!("{builder:?}");
        let error = builder
            .build()
            .err()
            .unwrap_or_else(|| panic!("{shown} is accepted"));
        assert_eq!(
            error.message(),
            format!("invalid Redis URI: {problem}"),
            "{shown}"
        );
        assert!(!leaks(&format!("{error} {error:?}")), "{shown}");
    }
}

#[cfg(unix)]
#[test]
fn a_socket_path_must_be_utf_8() {
    use std::os::unix::ffi::OsStringExt;

    let path = std::ffi::OsString::from_vec(b"/run/\xff".to_vec());
    assert_eq!(
        new().socket(path).build().unwrap_err().message(),
        "invalid Redis URI: the path of the socket is not UTF-8"
    );
}

#[test]
fn the_builder_never_shows_the_password() {
    let builder = new().host("h").username("u").password(MARK);
    let shown = format!("{builder:?}");
    assert!(!leaks(&shown), "{shown}");
    assert!(shown.contains("***") && shown.contains("\"u\""), "{shown}");
    let error = builder.port(0).build().unwrap_err();
    assert_keeps_secret("a bad port", &error);
}

#[test]
fn whatever_can_be_opened() {
    fn made(target: impl IntoRedisUri) -> String {
        match target.into_redis_uri() {
            Ok(uri) => uri.to_url_with_password(),
            Err(error) => error.to_string(),
        }
    }
    let uri = RedisUri::parse("redis://:p@h:1").expect("a good URI");
    let (text, host) = ("redis://:p@h:1".to_owned(), "h".to_owned());
    assert_eq!(made(&uri), text);
    assert_eq!(made(uri.clone()), text);
    assert_eq!(made("redis://:p@h:1"), text);
    assert_eq!(made(&text), text);
    assert_eq!(made(text.clone()), text);
    assert_eq!(made(("h", 1)), "redis://h:1");
    assert_eq!(made((host.clone(), 1)), "redis://h:1");
    assert_eq!(made(("h", 1, "p")), text);
    assert_eq!(made((host.clone(), 1, "p")), text);
    assert_eq!(made(("h", 1, Some("p"))), text);
    assert_eq!(made((&host, 1, Some("p"))), text);
    assert_eq!(made(("h", 1, None)), "redis://h:1");
    let password = "p".to_owned();
    assert_eq!(made(("h", 1, &password)), made(("h", 1, "p")));
    assert_eq!(made(("h", 1, password)), made(("h", 1, "p")));
    assert_eq!(made(("h", 1, "")), "redis://h:1");
    assert_eq!(made(("::1", 1)), "redis://[::1]:1");
    assert_eq!(
        made(("h", 0, "p")),
        "invalid Redis URI: the port must be a number from 1 to 65535"
    );
    assert_eq!(text.parse::<RedisUri>().as_ref().ok(), Some(&uri));
    assert_eq!(
        RedisUri::try_from("redis://:p@h:1").as_ref().ok(),
        Some(&uri)
    );
    assert_eq!(RedisUri::try_from(text).ok(), Some(uri));
}
