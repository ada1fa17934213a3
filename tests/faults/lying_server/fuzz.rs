//! Random bytes for the decoder, through its public interface.

use std::time::Instant;

use redis_manager::redis::Value;
use redis_manager_core::resp::{DecodeError, Decoder, DecoderLimits};
use redis_manager_support::TestServer;

use super::PROTOCOLS;
use super::frames::record;
use crate::harness::Run;
use crate::process::memory;
use crate::random::Random;

/// Bytes that mean something to a decoder more often than random ones do.
const ALPHABET: &[u8] = b"$*+-:_,#(!=%~|>\r\n\r\n\r\n0123456789-?. tfoOK\xff\x80\0";

/// One byte, which often means something.
pub(super) fn byte(random: &mut Random) -> u8 {
    match random.below(4) {
        0 => random.below(256) as u8,
        _ => ALPHABET[random.below(ALPHABET.len() as u64) as usize],
    }
}

/// Noise, or a few recorded replies, some of them spoilt.
fn input(random: &mut Random, frames: &[Vec<u8>], bytes: &mut Vec<u8>) {
    bytes.clear();
    if random.below(4) == 0 {
        let length = random.below(60);
        bytes.extend((0..length).map(|_| byte(random)));
        return;
    }
    for _ in 0..=random.below(3) {
        bytes.extend_from_slice(&frames[random.below(frames.len() as u64) as usize]);
    }
    for _ in 0..random.below(5) {
        let at = random.below(bytes.len() as u64 + 1) as usize;
        match random.below(4) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, byte(random)),
            2 if at < bytes.len() => drop(bytes.remove(at)),
            _ => {
                let spoilt = byte(random);
                bytes
                    .iter_mut()
                    .skip(at)
                    .take(1)
                    .for_each(|it| *it = spoilt);
            }
        }
    }
}

/// What a decoder makes of it: replies, where it stands, and what it refused.
type Verdict = (usize, u64, Option<DecodeError>);

/// Feeds it in pieces of up to `largest` bytes.
fn decode(limits: DecoderLimits, input: &[u8], mut largest: impl FnMut() -> usize) -> Verdict {
    let mut decoder = Decoder::new(limits);
    let (mut replies, mut rest) = (0, input);
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(largest().min(rest.len()));
        rest = after;
        decoder.feed(piece);
        loop {
            match decoder.next_value() {
                Ok(Some(value)) => {
                    replies += 1;
                    drop::<Value>(value);
                    assert!(replies <= input.len(), "it ends: {}", input.escape_ascii());
                }
                Ok(None) => break,
                Err(error) => return (replies, decoder.offset(), Some(error)),
            }
        }
        let capacity = decoder.capacity();
        assert!(
            capacity <= 8 * input.len() + 16 * 1024,
            "{capacity} bytes kept of {}",
            input.escape_ascii()
        );
    }
    (replies, decoder.offset(), None)
}

fn fuzz(mut random: Random, inputs: usize, frames: &[Vec<u8>]) -> (usize, usize) {
    let tight = DecoderLimits {
        max_reply_size: 100,
        max_depth: 3,
        ..DecoderLimits::default()
    };
    let (mut bytes, mut replies, mut refused) = (Vec::new(), 0, 0);
    for _ in 0..inputs {
        input(&mut random, frames, &mut bytes);
        let limits = match random.below(4) {
            0 => tight,
            _ => DecoderLimits::default(),
        };
        let whole = decode(limits, &bytes, || usize::MAX);
        let largest = [1, 3, 16, 100][random.below(4) as usize];
        let cut = decode(limits, &bytes, || 1 + random.below(largest) as usize);
        let shown = bytes.escape_ascii();
        assert_eq!((cut.0, &cut.2), (whole.0, &whole.2), "{shown}");
        replies += whole.0;
        refused += usize::from(whole.2.is_some());
    }
    (replies, refused)
}

#[test]
fn no_bytes_make_the_decoder_panic_run_for_ever_or_hoard_memory() {
    let mut run = Run::begin("decoder_fuzz");
    let inputs = run.scale(50_000, 10_000_000);
    let frames = PROTOCOLS
        .map(|it| record(&TestServer::start(), it))
        .concat();
    let (began, before) = (Instant::now(), memory());
    let (replies, refused) = std::thread::scope(|scope| {
        let workers = [(); 2].map(|()| {
            let (random, frames) = (run.random.fork(), &frames);
            scope.spawn(move || fuzz(random, inputs / 2, frames))
        });
        workers.into_iter().fold((0, 0), |sum, worker| {
            let (replies, refused) = worker.join().unwrap();
            (sum.0 + replies, sum.1 + refused)
        })
    });
    let growth = memory().saturating_sub(before);
    run.report("inputs", inputs);
    run.report(
        "replies decoded, inputs refused",
        format!("{replies}, {refused}"),
    );
    run.report("memory grown by", format!("{} KiB", growth / 1024));
    run.report("time", format!("{:.1?}", began.elapsed()));
    assert!(replies > inputs / 4 && refused > inputs / 10);
    assert!(growth < 64 * 1024 * 1024, "{growth}");
}
