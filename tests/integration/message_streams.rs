//! Messages that are taken out of a stream.

use std::sync::mpsc;
use std::thread;

use futures_util::stream::FusedStream;
use futures_util::{FutureExt, StreamExt};
use redis_manager::prelude::*;
use redis_manager::{ErrorKind, MessageStream};

use crate::fixture::{Host, PROTOCOLS, eventually, unique};
use crate::listener_ends::in_time;
use crate::listening::{hearing, next_of, next_text, publish_from_outside, subscribers};

fn text(message: Message) -> String {
    message.payload_str().unwrap().to_owned()
}

/// Publishes the numbers from `first` on, and waits until a listener that is behind `stream` has them all.
fn publish(client: &RedisPubSubClient, channel: &str, numbers: std::ops::Range<usize>) {
    let (function, heard) = hearing();
    let witness = client.register_listener(channel, function).unwrap();
    for number in numbers {
        publish_from_outside(channel, number.to_string());
        assert_eq!(next_text(&heard), number.to_string());
    }
    witness.unregister().unwrap();
}

#[test]
fn messages_come_in_order_in_each_way_to_take_them() {
    for protocol in PROTOCOLS {
        let (host, channel) = (Host::new(), unique("order"));
        let client: RedisPubSubClient = host.open(protocol);
        let mut blocking = client.messages(&channel).unwrap();
        let mut asynchronous = pollster::block_on(client.messages_async(&channel)).unwrap();
        let mut trying = client.messages(&channel).unwrap();
        let stream = client.messages(&channel).unwrap();
        assert_eq!(subscribers(&channel), 1);
        assert!(trying.try_recv().is_none());
        let taking = thread::spawn(move || {
            let taken = std::iter::from_fn(|| blocking.recv().unwrap());
            taken.take(1_000).map(text).collect::<Vec<_>>()
        });
        publish(&client, &channel, 0..1_000);
        let expected: Vec<_> = (0..1_000).map(|number| number.to_string()).collect();
        let taken = in_time("taking them", move || taking.join().unwrap());
        assert_eq!(taken, expected, "{protocol:?}");
        let taken = in_time("taking them", move || {
            let taken = std::iter::from_fn(|| pollster::block_on(asynchronous.recv_async()));
            taken.take(1_000).map(text).collect::<Vec<_>>()
        });
        assert_eq!(taken, expected, "{protocol:?}");
        let taken: Vec<_> = std::iter::from_fn(|| trying.try_recv()).map(text).collect();
        assert_eq!(taken, expected, "{protocol:?}");
        let taken = stream.take(1_000).map(text).collect::<Vec<_>>();
        let taken = in_time("taking them", move || pollster::block_on(taken));
        assert_eq!(taken, expected, "{protocol:?}");
    }
}

#[test]
fn a_wait_that_is_cancelled_loses_nothing() {
    for protocol in PROTOCOLS {
        let (host, channel) = (Host::new(), unique("cancelled"));
        let client: RedisPubSubClient = host.open(protocol);
        let mut stream = client.messages(&channel).unwrap();
        for round in 0..100 {
            // One that was polled and one that was not.
            assert!(stream.recv_async().now_or_never().is_none());
            drop(stream.recv_async());
            publish(&client, &channel, round..round + 1);
            let message = stream.recv_async().now_or_never().flatten();
            assert_eq!(text(message.expect("it is there")), round.to_string());
        }
    }
}

#[test]
fn who_waits_for_a_stream_is_woken_by_its_end() {
    for protocol in PROTOCOLS {
        for way in ["unregister", "all", "close", "unload"] {
            for is_async in [false, true] {
                let (host, channel) = (Host::new(), unique("end"));
                let client: RedisPubSubClient = host.open(protocol);
                let mut stream = client.messages(&channel).unwrap();
                let handle = stream.handle().clone();
                let (wait, waiting) = mpsc::channel();
                let taking = thread::spawn(move || {
                    wait.send(()).unwrap();
                    let ended = if is_async {
                        assert!(stream.recv_async().now_or_never().is_none());
                        wait.send(()).unwrap();
                        pollster::block_on(stream.next())
                    } else {
                        wait.send(()).unwrap();
                        stream.recv().unwrap()
                    };
                    assert!(ended.is_none());
                    assert!(stream.is_terminated());
                    // It stays ended, in each way to take from it.
                    assert!(stream.try_recv().is_none());
                    assert!(stream.recv().unwrap().is_none());
                    assert!(pollster::block_on(stream.recv_async()).is_none());
                });
                for _ in 0..2 {
                    waiting.recv().unwrap();
                }
                match way {
                    "unregister" => handle.unregister().unwrap(),
                    "all" => assert_eq!(client.unregister_listeners(&channel).unwrap(), 1),
                    "close" => drop(client.close()),
                    _ => assert!(host.manager.unload_script(&host.script).is_clean()),
                }
                assert!(!handle.is_registered());
                in_time(way, move || taking.join().unwrap());
                eventually("the server is told", || subscribers(&channel) == 0);
            }
        }
    }
}

#[test]
fn a_stream_is_not_terminated_before_its_end_was_seen_and_what_was_not_taken_by_then_is_gone() {
    for protocol in PROTOCOLS {
        let (host, channel) = (Host::new(), unique("fused"));
        let client: RedisPubSubClient = host.open(protocol);
        let mut stream = client.messages(&channel).unwrap();
        publish(&client, &channel, 0..3);
        assert_eq!(text(next_of(&mut stream)), "0");
        assert!(!stream.is_terminated());
        stream.handle().unregister().unwrap();
        assert!(!stream.is_terminated());
        assert!(stream.next().now_or_never().unwrap().is_none());
        assert!(stream.is_terminated());
    }
}

#[test]
fn dropping_a_stream_unregisters_it_alone_and_the_server_is_told_of_the_last() {
    for protocol in PROTOCOLS {
        let (host, channel) = (Host::new(), unique("dropped"));
        let client: RedisPubSubClient = host.open(protocol);
        let stream = client.messages(&channel).unwrap();
        let mut other = client.messages(&channel).unwrap();
        let handle = stream.handle().clone();
        drop(stream);
        assert!(!handle.is_registered() && other.handle().is_registered());
        assert_eq!(publish_from_outside(&channel, "still"), 1);
        assert_eq!(text(next_of(&mut other)), "still");
        // Within a runtime, where a drop must not block.
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.unwrap().block_on(async move { drop(other) });
        eventually("the server is told", || subscribers(&channel) == 0);
        assert_eq!(client.unregister_listeners(&channel).unwrap(), 0);
    }
}

/// Takes out what is there.
fn rest(mut stream: MessageStream) -> Vec<String> {
    let rest = std::iter::from_fn(|| stream.try_recv());
    rest.map(text).collect()
}

#[test]
fn its_queue_is_bounded_as_the_builder_says_and_counts_what_it_drops() {
    for protocol in PROTOCOLS {
        let (host, channel) = (Host::new(), unique("bounded"));
        // The client's own bounds are others, and hold for who does not choose.
        let options = ClientOptions::builder()
            .protocol(protocol)
            .listener_queue_size(6)
            .overflow(Overflow::DropNewest);
        let client: RedisPubSubClient = host.open_with(options.build().unwrap());
        let builder = || client.listener(&channel);
        let bytes = 2 * (channel.len() + 1);
        let cases = [
            (builder(), ["0", "1", "2", "3", "4", "5"].as_slice()),
            (builder().queue_size(2), &["0", "1"]),
            (builder().queue_bytes(bytes), &["0", "1"]),
            (
                builder().queue_size(3).overflow(Overflow::DropOldest),
                &["7", "8", "9"],
            ),
            (
                builder().queue_bytes(bytes).overflow(Overflow::DropOldest),
                &["8", "9"],
            ),
            (
                builder().queue_size(1_000),
                &["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
            ),
        ];
        let streams = cases.map(|(builder, expected)| (builder.messages().unwrap(), expected));
        publish(&client, &channel, 0..10);
        for (stream, expected) in streams {
            assert_eq!(stream.handle().dropped(), 10 - expected.len() as u64);
            assert_eq!(rest(stream), expected, "{protocol:?}");
        }
    }
}

#[test]
fn a_queue_without_room_is_refused_and_nothing_is_registered() {
    for protocol in PROTOCOLS {
        let (host, channel) = (Host::new(), unique("no-room"));
        let client: RedisPubSubClient = host.open(protocol);
        let builder = || client.listener(&channel);
        let errors = [
            builder().queue_size(0).messages().unwrap_err(),
            builder().queue_bytes(0).messages().unwrap_err(),
            builder().queue_size(0).with_gaps().messages().unwrap_err(),
            builder()
                .queue_size(0)
                .register(|_: &Message| Ok(()))
                .unwrap_err(),
            builder()
                .queue_size(0)
                .register_local(|_: &Message| Ok(()))
                .unwrap_err(),
            pollster::block_on(
                builder()
                    .queue_bytes(0)
                    .register_async(|_| async { Ok(()) }),
            )
            .unwrap_err(),
        ];
        for error in errors {
            assert_eq!(error.kind(), ErrorKind::InvalidArgument);
            assert_eq!(error.client_id(), Some(client.client_id()));
            assert!(error.message().contains("must be at least 1"), "{error}");
        }
        assert_eq!(subscribers(&channel), 0);
        assert_eq!(client.unregister_listeners(&channel).unwrap(), 0);
    }
}
