//! Scripts with different prefixes, and one without, on one connection.

use redis_manager::Protocol;
use redis_manager::prelude::*;
use redis_manager::redis::{Commands, Value, cmd};
use redis_manager_support::TestServer;

use crate::fixture::{Host, PROTOCOLS, unique};
use crate::gaps::{gaps_among, until_resubscribed};
use crate::listening::{next_of, subscribers_of};
use crate::namespace::assert_refused;
use crate::reconnect::kill_connections;

/// A script with this prefix, or without one if it is empty.
fn load(host: &Host, prefix: &str) -> ScriptHandle {
    let options = match prefix {
        "" => ScriptOptions::default(),
        prefix => ScriptOptions::default().with_key_prefix(prefix.parse().unwrap()),
    };
    let script = host.manager.load_script_with(unique("script"), options);
    script.unwrap()
}

fn shared(protocol: Protocol) -> ClientOptions {
    let options = ClientOptions::builder().protocol(protocol).shared(true);
    options.build().unwrap()
}

#[test]
fn each_has_its_own_keys() {
    for protocol in PROTOCOLS {
        let (server, host) = (TestServer::start(), Host::new());
        let clients = ["a:", "b:", ""].map(|prefix| {
            let script = load(&host, prefix);
            let opened = host
                .manager
                .open_with(&script, server.url().as_str(), shared(protocol));
            let client: RedisCommandClient = opened.unwrap();
            client.commands().set::<_, _, ()>("k", prefix).unwrap();
            client
        });
        assert_eq!(server.clients().unwrap().len(), 1);
        // What is everybody's sends for nobody.
        let of_all = clients[0].connection().of_all();
        assert_refused(of_all.request(cmd("GET").arg("b:k")), "shared");
        let [a, b, all] = clients.map(|client| client.commands());
        for (mut one, prefix) in [(a, "a:"), (b, "b:")] {
            assert_eq!(one.get::<_, String>("k").unwrap(), prefix);
            assert_eq!(one.keys::<_, Vec<String>>("*").unwrap(), ["k"]);
            assert!(cmd("DBSIZE").query::<Value>(&mut one).is_err());
        }
        let mut all = all;
        assert_eq!(cmd("DBSIZE").query::<i64>(&mut all).unwrap(), 3);
        assert_eq!(all.get::<_, String>("a:k").unwrap(), "a:");
    }
}

#[test]
fn each_hears_its_own_channels_by_its_own_names() {
    for protocol in PROTOCOLS {
        let (server, host) = (TestServer::start(), Host::new());
        let open = |prefix: &str| -> RedisPubSubClient {
            let (script, url) = (load(&host, prefix), server.url());
            let opened = host
                .manager
                .open_with(&script, url.as_str(), shared(protocol));
            opened.unwrap()
        };
        let (a, b, all) = (open("a:"), open("b:"), open(""));
        let mut by_a = a.listener("news").with_gaps().messages().unwrap();
        let mut by_b = b.messages("news").unwrap();
        let mut by_name = all.messages("a:news").unwrap();
        let mut by_pattern = all.messages(Channel::pattern("*news")).unwrap();
        let mut patterns_of_a = a.messages(Channel::pattern("*")).unwrap();
        assert_eq!(subscribers_of(&server, "a:news"), 1);

        a.publish("news", "from a").unwrap();
        let heard = ListenerEvent::Message(Message::new("news", "from a"));
        assert_eq!(next_of(&mut by_a), heard);
        assert_eq!(next_of(&mut by_name), Message::new("a:news", "from a"));
        let whole = Message::new("a:news", "from a").with_pattern("*news");
        assert_eq!(next_of(&mut by_pattern), whole);
        let own = Message::new("news", "from a").with_pattern("*");
        assert_eq!(next_of(&mut patterns_of_a), own);
        b.publish("news", "from b").unwrap();
        assert_eq!(next_of(&mut by_b), Message::new("news", "from b"));
        assert!(patterns_of_a.try_recv().is_none() && by_name.try_recv().is_none());

        let (mut events_of_a, mut events) = (a.events(), all.events());
        kill_connections(&server);
        let (seen, _) = until_resubscribed(&mut events_of_a);
        assert!(!gaps_among(&seen).is_empty());
        for gap in gaps_among(&seen) {
            assert!(!gap.channel.name().starts_with(b"a:"), "{gap:?}");
        }
        let (seen, _) = until_resubscribed(&mut events);
        let named = gaps_among(&seen).into_iter().map(|gap| gap.channel);
        assert!(
            named
                .into_iter()
                .any(|channel| channel == Channel::new("a:news"))
        );
        let ListenerEvent::Gap(gap) = next_of(&mut by_a) else {
            panic!("a gap");
        };
        assert_eq!(gap.channel, Channel::new("news"));

        // The other's listener stays, and so does the subscription.
        assert_eq!(a.unregister_listeners("news").unwrap(), 1);
        assert_eq!(subscribers_of(&server, "a:news"), 1);
        all.publish("a:news", "still").unwrap();
        assert_eq!(next_of(&mut by_name), Message::new("a:news", "still"));
        assert_eq!(next_of(&mut patterns_of_a).channel(), b"news");
    }
}
