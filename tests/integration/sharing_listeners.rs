//! Clients that share a connection listen each for itself, and the server is subscribed once.

use std::sync::{Arc, Mutex};
use std::thread;

use redis_manager::prelude::*;
use redis_manager::{ClientOptionsBuilder, Protocol};
use redis_manager_support::TestServer;

use crate::fixture::{Host, PROTOCOLS, eventually, unique};
use crate::gaps::{gaps_among, until_resubscribed};
use crate::listening::{hearing, next_text};
use crate::reconnect::kill_connections;
use crate::reloading::{Heard, account, number};
use crate::sharing::{open_for_another, sharing};

fn open(
    host: &Host,
    url: &str,
    options: ClientOptionsBuilder,
) -> (ScriptHandle, RedisPubSubClient) {
    open_for_another(host, url, options)
}

/// To how many connections the server would send a message.
fn subscribers(channel: &str) -> i64 {
    let reply = TestServer::shared().run(&["PUBSUB", "NUMSUB", channel]);
    reply.items()[1].as_int().unwrap()
}

#[test]
fn a_channel_is_subscribed_to_once_for_all_scripts_and_ended_with_the_last() {
    for protocol in PROTOCOLS {
        let (host, channel) = (Host::new(), unique("channel"));
        let clients: Vec<_> = (0..5)
            .map(|_| open(&host, &host.url(), sharing(protocol)))
            .collect();
        let heard: Vec<_> = clients
            .iter()
            .map(|(_, client)| {
                let (function, heard) = hearing();
                client.register_listener(&channel, function).unwrap();
                heard
            })
            .collect();
        assert_eq!(subscribers(&channel), 1);
        assert_eq!(clients[0].1.publish(&channel, "one").unwrap(), 1);
        assert!(heard.iter().all(|heard| next_text(heard) == "one"));
        // One unregisters, one closes, one is unloaded: the others hear on.
        assert_eq!(clients[0].1.unregister_listeners(&channel).unwrap(), 1);
        assert_eq!(clients[1].1.close().commands_cut_off(), 0);
        assert!(host.manager.unload_script(&clients[2].0).is_clean());
        assert_eq!(subscribers(&channel), 1);
        assert_eq!(clients[0].1.publish(&channel, "two").unwrap(), 1);
        for heard in &heard[3..] {
            assert_eq!(next_text(heard), "two");
        }
        for heard in &heard[..3] {
            assert!(heard.try_recv().is_err(), "it hears nothing more");
        }
        let _ = host.manager.unload_script(&clients[3].0);
        assert_eq!(subscribers(&channel), 1);
        let _ = host.manager.unload_script(&clients[4].0);
        assert_eq!(subscribers(&channel), 0, "confirmed before the close ends");
        assert_eq!(clients[0].1.publish(&channel, "three").unwrap(), 0);
    }
}

#[test]
fn what_a_loss_has_cost_is_told_to_the_clients_that_listen() {
    for protocol in PROTOCOLS {
        let (server, host) = (TestServer::start(), Host::new());
        let clients: Vec<_> = (0..3)
            .map(|_| open(&host, &server.url(), sharing(protocol)).1)
            .collect();
        let (function, first_heard) = hearing();
        clients[0].register_listener("both", function).unwrap();
        let told = Arc::new(Mutex::new(Vec::new()));
        let telling = Arc::clone(&told);
        let asking = clients[1].listener("both").with_gaps();
        asking
            .register(move |event: &ListenerEvent| {
                let is_gap = matches!(event, ListenerEvent::Gap(_));
                telling.lock().unwrap().push(is_gap);
                Ok(())
            })
            .unwrap();
        let (function, own_heard) = hearing();
        clients[1].register_listener("own", function).unwrap();
        let mut events: Vec<_> = clients.iter().map(|client| client.events()).collect();
        kill_connections(&server);
        for (events, expected) in events.iter_mut().zip([vec!["both"], vec!["both", "own"]]) {
            let (seen, channels) = until_resubscribed(events);
            assert_eq!(channels, expected.len());
            let mut gaps: Vec<_> = gaps_among(&seen)
                .iter()
                .map(|gap| String::from_utf8_lossy(gap.channel.name()).into_owned())
                .collect();
            gaps.sort();
            assert_eq!(gaps, expected);
        }
        eventually("it was subscribed again", || {
            server.run(&["PUBLISH", "both", "x"]).as_int() == Some(1)
        });
        server.run(&["PUBLISH", "own", "x"]);
        assert_eq!(next_text(&first_heard), "x");
        assert_eq!(next_text(&own_heard), "x");
        eventually("the gap, and what follows", || {
            told.lock().unwrap().first() == Some(&true) && told.lock().unwrap().len() > 1
        });
        // Who does not listen hears only of the connection.
        let mut others = std::iter::from_fn(|| events[2].try_recv());
        assert!(others.all(|event| !matches!(
            event,
            ClientEvent::Gaps(_) | ClientEvent::Resubscribed { .. }
        )));
    }
}

#[test]
fn a_refused_channel_is_the_matter_of_those_who_want_it() {
    let (server, host) = (TestServer::start(), Host::new());
    server.run(&[
        "ACL",
        "SETUSER",
        "some",
        "on",
        ">p",
        "+@all",
        "~*",
        "resetchannels",
        "&allowed",
    ]);
    let url = server.url().replace("redis://", "redis://some:p@");
    let ((_, one), (_, other)) = (
        open(&host, &url, sharing(Protocol::Auto)),
        open(&host, &url, sharing(Protocol::Auto)),
    );
    let (function, heard) = hearing();
    thread::scope(|scope| {
        let refused = scope.spawn(|| {
            for _ in 0..50 {
                let error = one.register_listener("forbidden", |_| Ok(())).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Server);
            }
        });
        other.register_listener("allowed", function).unwrap();
        refused.join().unwrap();
    });
    server.run(&["PUBLISH", "allowed", "x"]);
    assert_eq!(next_text(&heard), "x");
}

#[test]
fn a_client_that_closes_in_the_middle_of_a_registration_confuses_no_other() {
    for protocol in PROTOCOLS {
        let host = Host::new();
        for _ in 0..50 {
            let channel = unique("channel");
            let ((leaving, one), (staying, other)) = (
                open(&host, &host.url(), sharing(protocol)),
                open(&host, &host.url(), sharing(protocol)),
            );
            let (function, heard) = hearing();
            thread::scope(|scope| {
                let closed = scope.spawn(|| one.register_listener(&channel, |_| Ok(())));
                let registered = scope.spawn(|| other.register_listener(&channel, function));
                let _ = host.manager.unload_script(&leaving);
                // It was in time, or not.
                if let Err(error) = closed.join().unwrap() {
                    assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
                }
                registered.join().unwrap().unwrap();
            });
            assert_eq!(other.publish(&channel, "x").unwrap(), 1);
            assert_eq!(next_text(&heard), "x");
            let _ = host.manager.unload_script(&staying);
            assert_eq!(subscribers(&channel), 0);
        }
    }
}

#[test]
fn reloads_under_traffic_lose_no_message_and_repeat_none_on_a_connection_that_is_shared() {
    for protocol in PROTOCOLS {
        let host = Host::new();
        let (name, channel) = (unique("chat"), unique("channel"));
        // Somebody else listens all the time, so that the channel is never left.
        let options = || sharing(protocol).listener_queue_size(1_000_000);
        let (_, steady) = open(&host, &host.url(), options());
        let (function, heard_all) = hearing();
        steady.register_listener(&channel, function).unwrap();
        let reload = |heard: &Heard| {
            let reload = host.manager.reload_script(&name).unwrap();
            let heard = Arc::clone(heard);
            let client: RedisPubSubClient = host
                .manager
                .open_with(reload.script(), host.url(), options().build().unwrap())
                .unwrap();
            client
                .register_listener(&channel, move |message: &Message| {
                    heard.lock().unwrap().push(number(message));
                    Ok(())
                })
                .unwrap();
            if let (_, Some(report)) = reload.finish().unwrap() {
                assert!(report.is_clean(), "{report}");
            }
        };
        account(&host, &channel, reload, || {});
        let heard: Vec<_> = heard_all
            .try_iter()
            .map(|message| number(&message))
            .collect();
        assert!(heard.iter().copied().eq(0..heard.len() as u64));
        assert_eq!(subscribers(&channel), 1);
    }
}

#[test]
fn a_client_that_unsubscribes_from_everything_hears_what_was_sent_and_others_go_on() {
    for protocol in PROTOCOLS {
        let (host, channel) = (Host::new(), unique("channel"));
        let ((_, one), (_, other)) = (
            open(&host, &host.url(), sharing(protocol)),
            open(&host, &host.url(), sharing(protocol)),
        );
        let ((function, left), (others, heard)) = (hearing(), hearing());
        one.register_listener(&channel, function).unwrap();
        other.register_listener(&channel, others).unwrap();
        for number in 0..100 {
            other.publish(&channel, number.to_string()).unwrap();
        }
        one.unsubscribe_all().unwrap();
        assert!(one.catch_up().unwrap());
        assert_eq!(left.try_iter().count(), 100);
        assert_eq!(other.publish(&channel, "more").unwrap(), 1);
        for _ in 0..100 {
            next_text(&heard);
        }
        assert_eq!(next_text(&heard), "more");
        assert!(left.try_recv().is_err());
        // Whoever registers again listens again, for all of the channel.
        one.register_listener(&channel, |_: &Message| Ok(()))
            .unwrap();
        other.publish(&channel, "again").unwrap();
        assert_eq!(next_text(&left), "again");
    }
}

#[test]
fn a_slow_listener_holds_up_no_other_client() {
    let (host, channel) = (Host::new(), unique("channel"));
    let ((_, slow), (_, quick)) = (
        open(&host, &host.url(), sharing(Protocol::Auto)),
        open(&host, &host.url(), sharing(Protocol::Auto)),
    );
    let (release, released) = std::sync::mpsc::channel::<()>();
    slow.register_listener(&channel, move |_: &Message| {
        let _ = released.recv();
        Ok(())
    })
    .unwrap();
    let (function, heard) = hearing();
    quick.register_listener(&channel, function).unwrap();
    for number in 0..5_000 {
        quick.publish(&channel, number.to_string()).unwrap();
        assert_eq!(next_text(&heard), number.to_string());
    }
    drop(release);
}

#[test]
fn a_snapshot_shows_each_client_its_own_listeners() {
    let host = Host::new();
    let url = host.url();
    let open = || -> (ScriptHandle, RedisPubSubClient) {
        open_for_another(&host, &url, sharing(Protocol::Resp3))
    };
    let (clients, channel) = ([open(), open(), open()], unique("snapshot"));
    for (number, (_, client)) in clients.iter().enumerate() {
        for _ in 0..=number {
            client
                .register_listener(&channel, |_: &Message| Ok(()))
                .unwrap();
        }
    }
    for (number, (_, client)) in clients.iter().enumerate() {
        let snapshot = client.snapshot();
        assert_eq!((snapshot.listeners, snapshot.channels), (number + 1, 1));
    }
}
