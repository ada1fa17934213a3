//! Defaults, files and refusals.

use serde_json::json;

use super::*;
use crate::{Credentials, Error, ErrorKind, RotatingCredentials};

#[test]
fn the_defaults() {
    let options = ClientOptions::default();
    assert_eq!(options.connect_timeout(), Duration::from_secs(10));
    assert_eq!(options.command_timeout(), Duration::from_secs(10));
    assert_eq!(options.shutdown_timeout(), Duration::from_secs(2));
    assert!(!options.lazy_connect());
    assert!(!options.shared());
    assert!(options.ping_before_activate());
    assert!(options.auto_reconnect());
    assert_eq!(options.reconnect_delay(), Duration::from_secs(2));
    assert!(!options.suspend_reconnect_on_protocol_failure());
    assert_eq!(options.heartbeat(), Some(Duration::from_secs(15)));
    assert_eq!(options.busy_poll(), Some(Duration::from_micros(50)));
    assert_eq!(options.read_from(), ReadFrom::Master);
    assert_eq!(options.replay(), &ReplayFilter::none());
    assert_eq!(options.disconnected_behavior(), DisconnectedBehavior::Queue);
    assert_eq!(options.request_queue_size(), 65_536);
    assert_eq!(options.request_queue_bytes(), 67_108_864);
    assert_eq!(options.max_reply_size(), 536_870_912);
    assert_eq!(options.buffer_usage_ratio(), 3);
    assert_eq!(options.protocol(), Protocol::Auto);
    assert_eq!(options.session_pool_size(), 8);
    assert_eq!(options.blocking_pool_size(), 32);
    assert_eq!(options.listener_queue_size(), 1024);
    assert_eq!(options.listener_queue_bytes(), 16_777_216);
    assert_eq!(options.listener_blocked_after(), Duration::from_secs(5));
    assert_eq!(options.overflow(), Overflow::DropOldest);
    assert!(options.socket().tcp_nodelay());
    assert_eq!(options.socket().keepalive(), Some(Duration::from_secs(60)));
    assert_eq!(
        options.socket().user_timeout(),
        Some(Duration::from_secs(30))
    );
    assert_eq!(ClientOptions::builder().build().ok(), Some(options.clone()));
    assert_eq!(
        serde_json::from_str::<ClientOptions>("{}").ok(),
        Some(options.clone())
    );
    assert_eq!(toml::from_str::<ClientOptions>("").ok(), Some(options));
}

/// No value is its default.
fn unusual() -> ClientOptions {
    let socket = SocketOptions::default()
        .with_tcp_nodelay(false)
        .with_keepalive(None)
        .with_user_timeout(Some(Duration::from_millis(1500)));
    ClientOptions::builder()
        .connect_timeout(Duration::from_millis(500))
        .command_timeout(Duration::from_secs(90))
        .shutdown_timeout(Duration::ZERO)
        .lazy_connect(true)
        .read_from(ReadFrom::ReplicaPreferred)
        .shared(true)
        .ping_before_activate(false)
        .auto_reconnect(false)
        .reconnect_delay(Duration::from_secs(5))
        .suspend_reconnect_on_protocol_failure(true)
        .heartbeat(None)
        .busy_poll(None)
        .replay(ReplayFilter::commands(["mget", "GET"]))
        .disconnected_behavior(DisconnectedBehavior::Reject)
        .request_queue_size(5)
        .request_queue_bytes(6)
        .max_reply_size(7)
        .buffer_usage_ratio(8)
        .protocol(Protocol::Resp3)
        .socket(socket)
        .tls(
            TlsOptions::default()
                .with_ca(Pem::file("ca.pem"))
                .with_client_certificate(Pem::file("client.pem"), Pem::file("client.key")),
        )
        .session_pool_size(1)
        .blocking_pool_size(2)
        .listener_queue_size(3)
        .listener_queue_bytes(4)
        .listener_blocked_after(Duration::from_millis(5))
        .overflow(Overflow::DropNewest)
        .build()
        .expect("all values are in range")
}

#[test]
fn every_setter_reaches_its_getter() {
    let options = unusual();
    assert_eq!(options.connect_timeout(), Duration::from_millis(500));
    assert_eq!(options.command_timeout(), Duration::from_secs(90));
    assert_eq!(options.shutdown_timeout(), Duration::ZERO);
    assert!(options.lazy_connect());
    assert!(options.shared());
    assert!(!options.ping_before_activate());
    assert!(!options.auto_reconnect());
    assert_eq!(options.reconnect_delay(), Duration::from_secs(5));
    assert!(options.suspend_reconnect_on_protocol_failure());
    assert_eq!(options.heartbeat(), None);
    assert_eq!(options.busy_poll(), None);
    assert_eq!(options.replay(), &ReplayFilter::commands(["GET", "MGET"]));
    assert_eq!(
        options.disconnected_behavior(),
        DisconnectedBehavior::Reject
    );
    assert_eq!(options.request_queue_size(), 5);
    assert_eq!(options.request_queue_bytes(), 6);
    assert_eq!(options.max_reply_size(), 7);
    assert_eq!(options.buffer_usage_ratio(), 8);
    assert_eq!(options.protocol(), Protocol::Resp3);
    assert_eq!(options.session_pool_size(), 1);
    assert_eq!(options.blocking_pool_size(), 2);
    assert_eq!(options.listener_queue_size(), 3);
    assert_eq!(options.listener_queue_bytes(), 4);
    assert_eq!(options.listener_blocked_after(), Duration::from_millis(5));
    assert_eq!(options.overflow(), Overflow::DropNewest);
    assert!(!options.socket().tcp_nodelay());
    assert_eq!(options.socket().keepalive(), None);
    assert_eq!(
        options.socket().user_timeout(),
        Some(Duration::from_millis(1500))
    );
    let path = |pem: Option<&Pem>| {
        pem.and_then(Pem::path)
            .map(|path| path.display().to_string())
    };
    let tls = options.tls();
    assert_eq!(path(tls.ca()).as_deref(), Some("ca.pem"));
    assert_eq!(path(tls.certificate()).as_deref(), Some("client.pem"));
    assert_eq!(path(tls.key()).as_deref(), Some("client.key"));
    assert_eq!(options.to_builder().build().ok(), Some(options));
}

#[test]
fn the_written_form() {
    let expected = json!({
        "connect_timeout": "500ms",
        "command_timeout": "1m 30s",
        "shutdown_timeout": "0s",
        "lazy_connect": true,
        "shared": true,
        "ping_before_activate": false,
        "auto_reconnect": false,
        "reconnect_delay": "5s",
        "suspend_reconnect_on_protocol_failure": true,
        "heartbeat": "off",
        "busy_poll": "off",
        "disconnected_behavior": "reject",
        "read_from": "replica-preferred",
        "replay": ["GET", "MGET"],
        "request_queue_size": 5,
        "request_queue_bytes": 6,
        "max_reply_size": 7,
        "buffer_usage_ratio": 8,
        "protocol": "resp3",
        "session_pool_size": 1,
        "blocking_pool_size": 2,
        "listener_queue_size": 3,
        "listener_queue_bytes": 4,
        "listener_blocked_after": "5ms",
        "overflow": "drop-newest",
        "socket": {"tcp_nodelay": false, "keepalive": "off", "user_timeout": "1s 500ms"},
        "tls": {"ca": "ca.pem", "certificate": "client.pem", "key": "client.key"},
    });
    assert_eq!(serde_json::to_value(unusual()).ok(), Some(expected));
}

#[test]
fn files_survive_the_round_trip() {
    for options in [ClientOptions::default(), unusual()] {
        let json = serde_json::to_string(&options).expect("JSON");
        assert_eq!(
            serde_json::from_str::<ClientOptions>(&json).expect(&json),
            options
        );
        let toml = toml::to_string(&options).expect("TOML");
        assert_eq!(
            toml::from_str::<ClientOptions>(&toml).expect(&toml),
            options
        );
    }
}

#[test]
fn a_file_may_name_a_few() {
    let read: ClientOptions = toml::from_str(
        "protocol = \"resp2\"\n\
         overflow = \"drop-oldest\"\n\
         [socket]\n\
         keepalive = \"2m\"\n\
         user_timeout = \"off\"\n",
    )
    .expect("good options");
    let socket = SocketOptions::default()
        .with_keepalive(Some(Duration::from_secs(120)))
        .with_user_timeout(None);
    let built = ClientOptions::builder()
        .protocol(Protocol::Resp2)
        .socket(socket)
        .build();
    assert_eq!(Some(read), built.ok());
}

#[test]
fn values_out_of_range_are_refused() {
    let new = ClientOptions::builder;
    let keepalive = |d| new().socket(SocketOptions::default().with_keepalive(Some(d)));
    let user_timeout = |d| new().socket(SocketOptions::default().with_user_timeout(Some(d)));
    for (builder, problem) in [
        (
            new().connect_timeout(Duration::ZERO),
            "`connect_timeout` is 0s; it must be longer than 0, such as 500ms",
        ),
        (
            new().command_timeout(Duration::ZERO),
            "`command_timeout` is 0s; it must be longer than 0, such as 500ms",
        ),
        (
            new().reconnect_delay(Duration::ZERO),
            "`reconnect_delay` is 0s; it must be longer than 0, such as 500ms",
        ),
        (
            new().request_queue_size(0),
            "`request_queue_size` is 0; it must be at least 1",
        ),
        (
            new().request_queue_bytes(0),
            "`request_queue_bytes` is 0; it must be at least 1",
        ),
        (
            new().max_reply_size(0),
            "`max_reply_size` is 0; it must be at least 1",
        ),
        (
            new().buffer_usage_ratio(0),
            "`buffer_usage_ratio` is 0; it must be at least 1",
        ),
        (
            new().session_pool_size(0),
            "`session_pool_size` is 0; it must be at least 1",
        ),
        (
            new().blocking_pool_size(0),
            "`blocking_pool_size` is 0; it must be at least 1",
        ),
        (
            new().listener_queue_size(0),
            "`listener_queue_size` is 0; it must be at least 1",
        ),
        (
            new().listener_blocked_after(Duration::ZERO),
            "`listener_blocked_after` is 0s; it must be longer than 0, such as 500ms",
        ),
        (
            new().listener_queue_bytes(0),
            "`listener_queue_bytes` is 0; it must be at least 1",
        ),
        (
            new().heartbeat(Duration::from_secs(86_401)),
            "`heartbeat` is 1day 1s; it must be 10ms to 1day, or off",
        ),
        (
            new().replay(ReplayFilter::commands(["GET", "get key"])),
            "`replay` is \"GET KEY\"; it must be a command's name, such as GET",
        ),
        (
            new().heartbeat(Duration::from_millis(9)),
            "`heartbeat` is 9ms; it must be 10ms to 1day, or off",
        ),
        (
            new().busy_poll(Duration::from_millis(2)),
            "`busy_poll` is 2ms; it must be 1us to 1ms, or off",
        ),
        (
            keepalive(Duration::from_millis(999)),
            "`socket.keepalive` is 999ms; it must be 1s to 32767s, or off",
        ),
        (
            keepalive(Duration::from_secs(32_768)),
            "`socket.keepalive` is 9h 6m 8s; it must be 1s to 32767s, or off",
        ),
        (
            user_timeout(Duration::ZERO),
            "`socket.user_timeout` is 0s; it must be 1ms to 2147483647ms, or off",
        ),
        (
            new().tls(TlsOptions::default().with_ca(Pem::file(""))),
            "`tls.ca` is empty; it must be the path of a file, or PEM text",
        ),
        (
            user_timeout(Duration::from_secs(2_147_484)),
            "`socket.user_timeout` is 24days 20h 31m 24s; it must be 1ms to 2147483647ms, or off",
        ),
    ] {
        let expected = format!("invalid client options: {problem}");
        // What a file says is held to the same.
        let written = serde_json::to_string(&builder).expect("JSON");
        let error = serde_json::from_str::<ClientOptions>(&written).unwrap_err();
        assert_eq!(error.to_string(), expected);

        let error: Error = builder.build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidOptions);
        assert_eq!(error.message(), expected);
    }
}

#[test]
fn the_ends_of_the_ranges_are_allowed() {
    for (keepalive, user_timeout) in [(1_000, 1), (32_767_000, 2_147_483_647)] {
        let socket = SocketOptions::default()
            .with_keepalive(Some(Duration::from_millis(keepalive)))
            .with_user_timeout(Some(Duration::from_millis(user_timeout)));
        assert!(ClientOptions::builder().socket(socket).build().is_ok());
    }
}

#[test]
fn what_a_file_must_not_say() {
    for (json, message) in [
        (
            r#"{"comand_timeout": "1s"}"#,
            "unknown field `comand_timeout`, expected one of `connect_timeout`, \
             `command_timeout`, `shutdown_timeout`, `lazy_connect`, `shared`, `ping_before_activate`, \
             `auto_reconnect`, `reconnect_delay`, `suspend_reconnect_on_protocol_failure`, \
             `heartbeat`, `busy_poll`, `disconnected_behavior`, `read_from`, `replay`, \
             `request_queue_size`, `request_queue_bytes`, `max_reply_size`, \
             `buffer_usage_ratio`, `protocol`, `session_pool_size`, \
             `blocking_pool_size`, `listener_queue_size`, `listener_queue_bytes`, \
             `listener_blocked_after`, `overflow`, `socket`, `tls`",
        ),
        (
            r#"{"socket": {"nodelay": true}}"#,
            "unknown field `nodelay`, expected one of `tcp_nodelay`, `keepalive`, `user_timeout`",
        ),
        (
            r#"{"tls": {"cacert": "ca.pem"}}"#,
            "unknown field `cacert`, expected one of `ca`, `certificate`, `key`",
        ),
        (
            r#"{"tls": {"key": "client.key"}}"#,
            "invalid client options: `tls.certificate` is missing; it must be there beside `tls.key`",
        ),
        (
            r#"{"tls": {"certificate": "client.pem"}}"#,
            "invalid client options: `tls.key` is missing; it must be there beside `tls.certificate`",
        ),
        (
            r#"{"connect_timeout": 10}"#,
            "invalid type: integer `10`, expected a duration such as \"30s\" or \"500ms\"",
        ),
        (
            r#"{"connect_timeout": "10 parsecs"}"#,
            "invalid value: string \"10 parsecs\", expected a duration such as \"30s\" or \"500ms\"",
        ),
        (
            r#"{"socket": {"keepalive": "never"}}"#,
            "invalid value: string \"never\", expected a duration such as \"30s\" or \"500ms\", or \"off\"",
        ),
        (
            r#"{"protocol": "3"}"#,
            "unknown variant `3`, expected one of `auto`, `resp2`, `resp3`",
        ),
        (
            r#"{"overflow": "block"}"#,
            "unknown variant `block`, expected `drop-oldest` or `drop-newest`",
        ),
        (
            r#"{"session_pool_size": -1}"#,
            "invalid value: integer `-1`, expected usize",
        ),
    ] {
        let error = serde_json::from_str::<ClientOptions>(json).unwrap_err();
        assert_eq!(
            error.to_string().split(" at line").next(),
            Some(message),
            "{json}"
        );
    }
}

#[test]
fn a_provider_is_shown_by_nobody_and_equal_to_itself_alone() {
    let provider = || Arc::new(RotatingCredentials::new(Credentials::new("hunter2")));
    let login = provider();
    let with = |login| ClientOptions::builder().credentials(login).build().unwrap();
    let options = with(login.clone());
    assert_eq!(options, with(login.clone()));
    assert_ne!(options, with(provider()));
    assert_ne!(options, ClientOptions::default());
    let sentinels = ClientOptions::builder().sentinel_credentials(login.clone());
    assert_ne!(options, sentinels.clone().build().unwrap());
    assert!(!format!("{sentinels:?}").contains("hunter2"));
    assert!(!format!("{options:?} {login:?}").contains("hunter2"));
    let written = serde_json::to_string(&options).unwrap();
    assert_eq!(
        written,
        serde_json::to_string(&ClientOptions::default()).unwrap()
    );
}
