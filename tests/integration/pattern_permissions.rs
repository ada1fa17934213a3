//! Patterns of a user who may not use all channels: the server wants the very pattern, and the error says so.

use redis_manager::ScriptOptions;
use redis_manager::prelude::*;
use redis_manager_support::TestServer;

use crate::fixture::{Host, PROTOCOLS};
use crate::gaps::until_resubscribed;
use crate::reconnect::{kill_connections, open, options};

const HINT: &str = "that very pattern among its channels";

#[track_caller]
fn expect_refused(error: &Error, is_explained: bool) {
    assert_eq!(error.code(), Some("NOPERM"), "{error}");
    let hints = error.message().matches(HINT).count();
    assert_eq!(hints, usize::from(is_explained), "{error}");
}

fn url(server: &TestServer) -> String {
    format!("redis://limited:pw@{}:{}", server.host(), server.port())
}

fn limited(rules: &[&str]) -> TestServer {
    let server = TestServer::start();
    let user = ["ACL", "SETUSER", "limited", "on", ">pw", "+@all", "~*"];
    server.run(&[&user, rules].concat());
    server
}

#[test]
fn a_pattern_that_another_one_includes_is_refused_with_the_reason() {
    let server = limited(&["resetchannels", "&news.*", "&shop:*"]);
    for protocol in PROTOCOLS {
        let host = Host::new();
        let client: RedisPubSubClient = open(&host, url(&server), options(protocol));
        let _ = client
            .register_pattern_listener("news.*", |_| Ok(()))
            .unwrap();
        let _ = client.register_listener("news.1", |_| Ok(())).unwrap();
        let narrower = client.register_pattern_listener("news.a*", |_| Ok(()));
        expect_refused(&narrower.unwrap_err(), true);
        let streamed = client.messages(Channel::pattern("news.a*"));
        expect_refused(&streamed.unwrap_err(), true);
        // Of a channel there is nothing more to say.
        let channel = client.register_listener("other", |_| Ok(()));
        expect_refused(&channel.unwrap_err(), false);
        // Under a key prefix it is the pattern behind that.
        let prefixed = ScriptOptions::default().with_key_prefix("shop:".parse().unwrap());
        let script = host.manager.load_script_with("shop", prefixed).unwrap();
        let client: RedisPubSubClient = host.manager.open(&script, url(&server)).unwrap();
        let _ = client.register_pattern_listener("*", |_| Ok(())).unwrap();
        let refused = client.register_pattern_listener("news.*", |_| Ok(()));
        expect_refused(&refused.unwrap_err(), true);
    }
}

#[test]
fn a_pattern_that_is_not_restored_is_told_with_the_reason_too() {
    for protocol in PROTOCOLS {
        let (server, host) = (limited(&["allchannels"]), Host::new());
        let client: RedisPubSubClient = open(&host, url(&server), options(protocol));
        let _ = client
            .register_pattern_listener("news.*", |_| Ok(()))
            .unwrap();
        let _ = client.register_listener("news.1", |_| Ok(())).unwrap();
        let mut events = client.events();
        // Whoever listens to what he may not any more is disconnected by that, by some servers.
        server.run(&["ACL", "SETUSER", "limited", "resetchannels", "&news*"]);
        kill_connections(&server);
        let (seen, restored) = until_resubscribed(&mut events);
        assert_eq!(restored, 1);
        let refused = seen.iter().find_map(|event| match event {
            ClientEvent::SubscriptionRefused { channel, cause } => Some((channel, cause)),
            _ => None,
        });
        let (channel, cause) = refused.expect("it is told");
        assert_eq!(*channel, Channel::pattern("news.*"));
        expect_refused(cause, true);
    }
}

#[test]
fn a_user_who_may_not_subscribe_to_patterns_at_all_is_told_only_that() {
    let server = limited(&["allchannels", "-psubscribe"]);
    for protocol in PROTOCOLS {
        let host = Host::new();
        let client: RedisPubSubClient = open(&host, url(&server), options(protocol));
        let refused = client.register_pattern_listener("news.*", |_| Ok(()));
        expect_refused(&refused.unwrap_err(), false);
    }
}
