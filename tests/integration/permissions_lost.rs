//! A permission that is gone when the connection comes back costs its own channel and no other.

use std::sync::mpsc::{Receiver, channel};
use std::time::SystemTime;

use redis_manager::prelude::*;
use redis_manager::{FailureCause, Gap, ListenerId, ScriptFailure};
use redis_manager_support::TestServer;

use crate::fixture::{Host, PATIENCE, PROTOCOLS, eventually};
use crate::gaps::{gaps_among, until_resubscribed};
use crate::listening::subscribers_of;
use crate::reconnect::{kill_connections, open, options};

/// What the error sink of the host's script is told: the listener, the channel and the error.
fn failures(host: &Host) -> Receiver<(Option<ListenerId>, Channel, Error)> {
    let (sender, failures) = channel();
    host.script
        .set_error_sink(move |failure: &ScriptFailure| match failure.cause() {
            FailureCause::Error(error) => {
                let channel = failure.channel().expect("it names the channel").clone();
                let error = error.downcast_ref::<Error>().expect("ours").clone();
                let _ = sender.send((failure.listener(), channel, error));
            }
            cause => panic!("{cause}"),
        });
    failures
}

/// Makes sure that the next of `events` is a gap, and returns it.
#[track_caller]
fn next_gap(events: &Receiver<ListenerEvent>) -> Gap {
    match events.recv_timeout(PATIENCE) {
        Ok(ListenerEvent::Gap(gap)) => gap,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn expect_message(events: &Receiver<ListenerEvent>, payload: &str) {
    match events.recv_timeout(PATIENCE) {
        Ok(ListenerEvent::Message(message)) => assert_eq!(message.payload(), payload.as_bytes()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn of_a_hundred_channels_the_one_that_is_refused_is_named_once_and_comes_back_with_its_permission()
{
    const REFUSED: usize = 37;
    for protocol in PROTOCOLS {
        let (server, host) = (TestServer::start(), Host::new());
        let rule = ["ACL", "SETUSER", "u", "on", ">pw", "+@all", "allchannels"];
        server.run(&rule);
        let url = format!("redis://u:pw@{}:{}", server.host(), server.port());
        let client: RedisPubSubClient = open(&host, url, options(protocol));
        let listeners: Vec<_> = (0..100)
            .map(|number| {
                let name = format!("c{number}");
                let (sender, told) = channel();
                let listener = client.listener(&name).with_gaps();
                let listener = listener.register(move |event| Ok(sender.send(event.clone())?));
                (name, listener.unwrap(), told)
            })
            .collect();
        let failures = failures(&host);
        let mut events = client.events();
        let mut rule: Vec<_> = ["ACL", "SETUSER", "u", "resetchannels"]
            .map(str::to_owned)
            .into();
        let allowed = (0..100).filter(|number| *number != REFUSED);
        rule.extend(allowed.map(|number| format!("&c{number}")));

        // The server ends whoever listens to what he may not any more.
        server.run(&rule);
        let (seen, restored) = until_resubscribed(&mut events);
        assert_eq!(
            (restored, gaps_among(&seen).len()),
            (99, 99),
            "{protocol:?}"
        );
        let refused: Vec<_> = seen
            .iter()
            .filter_map(|event| match event {
                ClientEvent::SubscriptionRefused { channel, cause } => Some((channel, cause)),
                _ => None,
            })
            .collect();
        assert_eq!(refused.len(), 1, "{refused:?}");
        let name = Channel::new(format!("c{REFUSED}"));
        assert_eq!(*refused[0].0, name);
        assert_eq!(refused[0].1.kind(), ErrorKind::Server);
        assert_eq!(refused[0].1.client_id(), Some(client.client_id()));
        let (listener, channel, error) = failures.recv_timeout(PATIENCE).unwrap();
        assert_eq!((listener, channel), (None, name.clone()));
        assert_eq!(error.kind(), ErrorKind::Server);
        let mut first_loss = None;
        for (number, (name, listener, told)) in listeners.iter().enumerate() {
            assert!(listener.is_registered());
            let is_heard = i64::from(number != REFUSED);
            assert_eq!(subscribers_of(&server, name), is_heard);
            server.run(&["PUBLISH", name, "one"]);
            if number != REFUSED {
                let gap = next_gap(told);
                first_loss = first_loss.or(Some(gap.since));
                // All were lost with one connection.
                assert_eq!(first_loss, Some(gap.since));
                expect_message(told, "one");
            }
        }
        let restored_first = SystemTime::now();

        server.run(&["ACL", "SETUSER", "u", "allchannels"]);
        kill_connections(&server);
        let (seen, restored) = until_resubscribed(&mut events);
        assert_eq!(
            (restored, gaps_among(&seen).len()),
            (100, 100),
            "{protocol:?}"
        );
        for (number, (name, _, told)) in listeners.iter().enumerate() {
            server.run(&["PUBLISH", name, "two"]);
            let gap = next_gap(told);
            if number == REFUSED {
                assert_eq!(first_loss, Some(gap.since));
                assert!(gap.until > restored_first);
            } else {
                assert!(Some(gap.since) > first_loss);
            }
            expect_message(told, "two");
            assert!(told.try_recv().is_err());
        }
        assert!(failures.try_recv().is_err());
        while let Some(event) = events.try_recv() {
            let is_refusal = matches!(event, ClientEvent::SubscriptionRefused { .. });
            assert!(!is_refusal, "{event:?}");
        }
        eventually("all is well", || client.state() == ClientState::Connected);
    }
}
