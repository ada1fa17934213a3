//! Bytes into replies, beside redis-rs' own parser.
//!
//! Ours also copies the bytes into its buffer, as from a socket; redis-rs' gets each reply whole and where it is.
#![allow(
    clippy::expect_used,
    missing_docs,
    reason = "a benchmark fails by panicking, and criterion's macros make undocumented functions"
)]

use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use redis_manager_core::redis::{Value, parse_redis_value};
use redis_manager_core::resp::{Decoder, DecoderLimits};

/// What an Ethernet packet brings.
const SEGMENT: usize = 1_460;

fn decode(criterion: &mut Criterion) {
    let bulk = |size: usize| format!("${size}\r\n{}\r\n", "x".repeat(size));
    let array = |count: usize, element: String| format!("*{count}\r\n{}", element.repeat(count));
    let streams = [
        ("100 strings of 32 B", 100, bulk(32)),
        ("100 strings of 1 kB", 100, bulk(1_000)),
        ("a string of 100 kB", 1, bulk(100_000)),
        ("100 integers", 100, ":1234567\r\n".to_owned()),
        ("an array of 100 strings", 1, array(100, bulk(32))),
        (
            "100 arrays of 3 integers",
            100,
            array(3, ":42\r\n".to_owned()),
        ),
    ];
    for (name, count, reply) in streams {
        let stream = reply.repeat(count).into_bytes();
        let mut group = criterion.benchmark_group(format!("decode/{name}"));
        group.throughput(Throughput::Bytes(stream.len() as u64));

        let mut decoder = Decoder::new(DecoderLimits::default());
        group.bench_function("whole", |bencher| {
            bencher.iter(|| assert_eq!(replies(&mut decoder, &stream, stream.len()), count));
        });
        group.bench_function("in segments", |bencher| {
            bencher.iter(|| assert_eq!(replies(&mut decoder, &stream, SEGMENT), count));
        });
        group.bench_function("redis-rs", |bencher| {
            bencher.iter(|| -> Vec<Value> {
                let replies = stream.chunks(reply.len()).map(parse_redis_value);
                replies.collect::<Result<_, _>>().expect("replies")
            });
        });
        group.finish();
    }
}

/// Feeds `stream` in pieces, and keeps the replies until its end, as their callers do.
fn replies(decoder: &mut Decoder, stream: &[u8], piece: usize) -> usize {
    let mut replies = Vec::new();
    for piece in stream.chunks(piece) {
        decoder.feed(piece);
        while let Some(reply) = decoder.next_value().expect("RESP") {
            replies.push(reply);
        }
    }
    replies.len()
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(50)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    targets = decode
}
criterion_main!(benches);
