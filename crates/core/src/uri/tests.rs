//! What every URI of the two tables must fulfil, and the ways to make one without text.

mod bad;
mod builder;
mod good;

use std::error::Error as _;

use bad::{BAD, KEYS, SCHEMES};
use good::GOOD;

use super::*;

/// What stands for a password in the tables. No two neighbouring letters of it occur in any message.
const MARK: &str = "QZXJKVWQ";

/// All parts that are not the default, in a fixed order.
fn describe(uri: &RedisUri) -> String {
    let text = |part: Option<&str>| part.map(str::to_owned);
    let mut parts = vec![format!("{:?} {}", uri.topology(), uri.address())];
    for (name, value) in [
        ("user", text(uri.username())),
        ("password", text(uri.password())),
        (
            "db",
            Some(uri.database().to_string()).filter(|number| number != "0"),
        ),
        ("master", text(uri.sentinel_master_id())),
        ("client", text(uri.client_name())),
        ("library", text(uri.library_name())),
        ("version", text(uri.library_version())),
        (
            "timeout",
            uri.timeout().map(|timeout| format!("{timeout:?}")),
        ),
        (
            "tls",
            uri.is_tls().then(|| format!("{:?}", uri.verify_peer())),
        ),
        (
            "protocol",
            uri.protocol().map(|protocol| format!("{protocol:?}")),
        ),
    ] {
        parts.extend(value.map(|value| format!("{name}={value}")));
    }
    parts.join(" ")
}

/// Whether a piece of the marked password shows.
fn leaks(text: &str) -> bool {
    (1..MARK.len()).any(|end| text.contains(&MARK[end - 1..=end]))
}

fn assert_keeps_secret(input: &str, error: &Error) {
    assert_eq!(error.kind(), ErrorKind::InvalidUri, "{input}");
    assert!(error.source().is_none(), "{input}");
    assert!(!leaks(&error.to_string()), "{input}: {error}");
    assert!(!leaks(&format!("{error:?}")), "{input}: {error:?}");
}

#[test]
fn good_uris_have_their_parts() {
    for (text, parts) in GOOD {
        let uri = RedisUri::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(&describe(&uri), parts, "{text}");
    }
}

#[test]
fn good_uris_survive_the_round_trip() {
    for (text, _) in GOOD {
        let uri = RedisUri::parse(text).expect(text);
        let canonical = uri.to_url_with_password();
        let again = RedisUri::parse(&canonical).expect(&canonical);
        assert_eq!(again, uri, "{text}");
        assert_eq!(again.to_url_with_password(), canonical, "{text}");
    }
}

#[test]
fn good_uris_are_what_their_builders_make() {
    for (text, _) in GOOD {
        let uri = RedisUri::parse(text).expect(text);
        assert_eq!(uri.to_builder().build().expect(text), uri);
    }
}

#[test]
fn good_uris_never_show_the_password() {
    for (text, _) in GOOD {
        let uri = RedisUri::parse(text).expect(text);
        for shown in [format!("{uri}"), format!("{uri:?}"), uri.address()] {
            assert!(!leaks(&shown), "{text}: {shown}");
        }
        assert_eq!(
            uri.to_string().contains(":***@"),
            uri.password().is_some(),
            "{text}: {uri}"
        );
    }
}

#[test]
fn bad_uris_say_what_is_wrong() {
    for (text, problem) in BAD {
        let problem = problem.replace("{S}", SCHEMES).replace("{K}", KEYS);
        let error = RedisUri::parse(text)
            .err()
            .unwrap_or_else(|| panic!("{text} is accepted"));
        assert_eq!(
            error.to_string(),
            format!("invalid Redis URI: {problem}"),
            "{text}"
        );
        assert_keeps_secret(text, &error);
    }
}

/// Every URI that holds the password, with one character taken out or one separator put in. Left out
/// is the password as a query key: keys are repeated in errors.
#[test]
fn no_slip_of_the_finger_shows_the_password() {
    let marked = GOOD.iter().chain(BAD).map(|(text, _)| *text);
    for text in marked.filter(|text| text.contains(MARK) && !text.contains("?QZ")) {
        let ends: Vec<usize> = text.char_indices().map(|(index, _)| index).collect();
        let with = |index: usize, rest: usize, between: &str| {
            format!("{}{between}{}", &text[..index], &text[rest..])
        };
        for &index in &ends {
            let next = index + text[index..].chars().next().map_or(0, char::len_utf8);
            let mut slips = vec![with(index, next, "")];
            for between in "/?#@:%<>,[]&=.+ \n\0é".split("").filter(|c| !c.is_empty()) {
                slips.push(with(index, index, between));
            }
            for slip in slips {
                match RedisUri::parse(&slip) {
                    Err(error) => assert_keeps_secret(&slip, &error),
                    Ok(uri)
                        if uri
                            .password()
                            .is_some_and(|password| password.contains(MARK)) =>
                    {
                        assert!(!leaks(&format!("{uri} {uri:?}")), "{slip}: {uri}");
                    }
                    Ok(_) => {}
                }
            }
        }
    }
}

#[test]
fn every_character_survives_in_every_part() {
    let printable: String = (0x21..0x7f).map(char::from).collect();
    let all: String = (0..0x250).filter_map(char::from_u32).collect();
    let sentinel = RedisUri::builder()
        .sentinel()
        .host("h")
        .sentinel_master_id(&*all)
        .username(&*all)
        .password(&*all)
        .client_name(&*printable)
        .library_name(&*printable)
        .library_version(&*printable)
        .build()
        .expect("all characters are allowed");
    let socket = RedisUri::builder()
        .socket(format!("/{}", all.replace('\0', "")))
        .build()
        .expect("all characters but NUL are allowed");
    for uri in [sentinel, socket] {
        let url = uri.to_url_with_password();
        assert!(url.is_ascii(), "{url}");
        assert_eq!(RedisUri::parse(&url).expect(&url), uri);
    }
}

#[test]
fn the_canonical_form() {
    for (text, canonical) in [
        ("VALKEY://h", "redis://h:6379"),
        ("redis+tls://h?protocol=RESP2", "rediss://h:6379?protocol=2"),
        (
            "redis://p@h/0?timeout=60000",
            "redis://:p@h:6379?timeout=1m",
        ),
        ("redis://u:@h/1", "redis://u:@h:6379/1"),
        (
            "unix://u:p@/r%20x?DB=2",
            "redis-socket://u:p@/r%20x?database=2",
        ),
        (
            "rediss-sentinel://[::0:1],b/3?sentinelMasterId=m&verifyPeer=ca&clientName=a:b",
            "rediss-sentinel://[::1]:26379,b:26379/3?clientName=a%3Ab&verifyPeer=CA#m",
        ),
        ("redis-cluster://a,b/", "redis-cluster://a:6379,b:6379"),
    ] {
        let uri = RedisUri::parse(text).expect(text);
        assert_eq!(uri.to_url_with_password(), canonical);
    }
    let uri = RedisUri::parse("redis://u:p%40@h").expect("a good URI");
    assert_eq!(uri.to_string(), "redis://u:***@h:6379");
    assert_eq!(format!("{uri:?}"), "RedisUri(redis://u:***@h:6379)");
}

#[test]
fn lengths_of_host_names() {
    let name = |length: usize| format!("redis://{}", &"a123456789.".repeat(30)[..length]);
    assert!(RedisUri::parse(&name(253)).is_ok());
    let label = |length: usize| format!("redis://{}.b", "a".repeat(length));
    assert!(RedisUri::parse(&label(63)).is_ok());
    assert_eq!(
        RedisUri::parse(&label(64)).unwrap_err().message(),
        "invalid Redis URI: each part of the host name between dots must have 1 to 63 characters"
    );
    assert_eq!(
        RedisUri::parse(&name(254)).unwrap_err().message(),
        "invalid Redis URI: the host name is longer than 253 characters"
    );
}

#[test]
fn parts_of_several_nodes_are_the_first_ones() {
    let uri = RedisUri::parse("redis-cluster://a:1,[::1]:2").expect("a good URI");
    assert_eq!((uri.host(), uri.port()), (Some("a"), Some(1)));
    assert_eq!(uri.nodes().len(), 2);
    assert_eq!((uri.nodes()[1].host(), uri.nodes()[1].port()), ("::1", 2));
    assert_eq!(uri.nodes()[1].to_string(), "[::1]:2");

    let uri = RedisUri::parse("unix:///run/r").expect("a good URI");
    assert_eq!((uri.host(), uri.port(), uri.nodes()), (None, None, &[][..]));
    assert_eq!(uri.socket(), Some(Path::new("/run/r")));
}

#[test]
fn a_config_file_keeps_the_password() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Config {
        cache: RedisUri,
    }
    let text = format!("redis://:{MARK}@h/1");
    let config = Config {
        cache: text.parse().expect("a good URI"),
    };
    let json = serde_json::to_string(&config).expect("JSON");
    assert_eq!(json, format!(r#"{{"cache":"redis://:{MARK}@h:6379/1"}}"#));
    assert_eq!(serde_json::from_str::<Config>(&json).expect("JSON"), config);
    let toml = toml::to_string(&config).expect("TOML");
    assert_eq!(toml::from_str::<Config>(&toml).expect("TOML"), config);

    let bad = format!(r#"{{"cache":"redis://:{MARK}@h:0"}}"#);
    let error = serde_json::from_str::<Config>(&bad).unwrap_err();
    assert_eq!(
        error.to_string().split(" at line").next(),
        Some("invalid Redis URI: the port must be a number from 1 to 65535")
    );
    let bad = format!("cache = \"redis://:{MARK}@h:0\"");
    let error = toml::from_str::<Config>(&bad).unwrap_err();
    assert_eq!(
        error.message(),
        "invalid Redis URI: the port must be a number from 1 to 65535"
    );
}
