//! Registrations that are under way together share their way to the server.

use futures_util::FutureExt;
use futures_util::future::join_all;
use redis_manager::prelude::*;
use redis_manager::redis::{InfoDict, Value, from_redis_value};
use redis_manager_support::TestServer;

use crate::fixture::{Host, PROTOCOLS};
use crate::listening::{hearing_async, next_text};
use crate::reconnect::{open, options};

const CHANNELS: usize = 1_000;

/// How many times the server has read from a socket so far.
fn reads(server: &TestServer) -> u64 {
    let info = server.run(&["INFO", "stats"]).text();
    let info: InfoDict = from_redis_value(Value::BulkString(info.into())).unwrap();
    info.get("total_reads_processed").unwrap()
}

fn registering(
    client: &RedisPubSubClient,
) -> impl Future<Output = Vec<redis_manager::Result<ScriptPubSubListener>>> + Send + use<> {
    let client = client.clone();
    join_all((0..CHANNELS).map(move |number| {
        let client = client.clone();
        async move {
            let channel = format!("c{number}");
            let listener = client.register_async_listener(channel, |_| async { Ok(()) });
            listener.await
        }
    }))
}

/// Polls `together` for the first time while the server answers nobody, and then until all is done. Returns how
/// many times the server has read from a socket for that.
#[cfg(unix)]
fn reads_for<T>(server: &TestServer, together: impl Future<Output = T>) -> (T, u64) {
    let mut together = std::pin::pin!(together);
    let before = reads(server);
    server.pause().unwrap();
    assert!(together.as_mut().now_or_never().is_none());
    server.resume().unwrap();
    let done = pollster::block_on(together);
    (done, reads(server) - before)
}

#[cfg(unix)]
#[test]
fn a_thousand_channels_are_registered_and_unregistered_together_in_a_handful_of_round_trips() {
    for protocol in PROTOCOLS {
        let (server, host) = (TestServer::start(), Host::new());
        let client: RedisPubSubClient = open(&host, server.url(), options(protocol));
        // All are handed over at the first poll; one after the other, there would be as many as channels.
        let (registered, taken) = reads_for(&server, registering(&client));
        assert!(registered.iter().all(|listener| listener.is_ok()));
        assert!(taken < 50, "{taken} reads for {CHANNELS} channels");
        let channels = server.run(&["PUBSUB", "CHANNELS"]);
        assert_eq!(channels.items().len(), CHANNELS, "{protocol:?}");

        let unregistering = join_all(registered.into_iter().map(|listener| async move {
            let listener = listener.unwrap();
            listener.unregister_async().await
        }));
        let (outcomes, taken) = reads_for(&server, unregistering);
        assert!(outcomes.iter().all(|outcome| outcome.is_ok()));
        assert!(taken < 50, "{taken} reads for {CHANNELS} channels");
        assert!(server.run(&["PUBSUB", "CHANNELS"]).items().is_empty());
    }
}

#[cfg(unix)]
#[test]
fn none_of_them_waits_for_the_answer_to_another() {
    for protocol in PROTOCOLS {
        let (server, host) = (TestServer::start(), Host::new());
        let client: RedisPubSubClient = open(&host, server.url(), options(protocol));
        server.pause().unwrap();
        // All are handed over at the first poll, though nobody answers.
        let mut registering = Box::pin(registering(&client));
        assert!((&mut registering).now_or_never().is_none());
        let (function, heard) = hearing_async();
        let mut last = Box::pin(client.register_async_listener("last", function));
        assert!((&mut last).now_or_never().is_none());
        server.resume().unwrap();
        // In order: the last one is there, so all are, though nobody has polled for their answers.
        let last = pollster::block_on(last).unwrap();
        let channels = server.run(&["PUBSUB", "CHANNELS"]);
        assert_eq!(channels.items().len(), CHANNELS + 1, "{protocol:?}");
        let registered = pollster::block_on(registering);
        assert!(registered.iter().all(|listener| listener.is_ok()));
        assert_eq!(client.publish(last.channel(), "hello").unwrap(), 1);
        assert_eq!(next_text(&heard), "hello");
    }
}
