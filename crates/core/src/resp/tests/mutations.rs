//! The corpus: cut everywhere, and spoilt everywhere.

use redis::Value;

use super::oracle::{self, Theirs, same};
use super::rng::Rng;
use super::{DecoderLimits, corpus};

fn check(input: &[u8], piece: usize) -> Option<&'static str> {
    match oracle::compare(input, || piece) {
        Ok((_, known)) => known,
        Err(difference) => panic!("{difference}"),
    }
}

#[test]
fn the_corpus_is_decoded_as_redis_does() {
    let mut deviations = 0;
    for frame in corpus::all() {
        let first = match oracle::theirs(frame) {
            Theirs::Reply(value) => Some(value),
            _ => None,
        };
        let ours = oracle::ours(frame, DecoderLimits::default(), || usize::MAX);
        assert_eq!(ours.error, None, "{}", frame.escape_ascii());
        match first {
            Some(first) => assert!(same(&first, &ours.replies[0].0)),
            None => {
                assert!(matches!(ours.replies[0].0, Value::ServerError(_)));
                deviations += 1;
            }
        }
        check(frame, usize::MAX);
    }
    assert_eq!(deviations, 2, "error lines that are no UTF-8");
}

#[test]
fn fragments_do_not_change_what_is_decoded() {
    for frame in corpus::all() {
        let whole = oracle::ours(frame, DecoderLimits::default(), || usize::MAX);
        for cut in 0..=frame.len() {
            let mut first = Some(cut.max(1));
            let cut = oracle::ours(frame, DecoderLimits::default(), || {
                first.take().unwrap_or(usize::MAX)
            });
            assert_eq!(cut.error, None);
            assert_eq!(cut.replies.len(), whole.replies.len());
            for (cut, whole) in cut.replies.iter().zip(&whole.replies) {
                assert!(same(&cut.0, &whole.0) && cut.1 == whole.1);
            }
        }
        check(frame, 1);
    }
}

#[test]
fn spoilt_frames_are_judged_as_redis_does() {
    let mut rng = Rng(7);
    for frame in corpus::all() {
        for at in 0..frame.len() {
            let truncated = &frame[..at];
            check(truncated, usize::MAX);

            let mut flipped = frame.to_vec();
            flipped[at] ^= 1 << rng.below(8);
            check(&flipped, usize::MAX);

            let mut inserted = frame.to_vec();
            inserted.insert(at, rng.next() as u8);
            check(&inserted, 3);

            let mut duplicated = frame.to_vec();
            duplicated.insert(at, frame[at]);
            check(&duplicated, usize::MAX);

            let mut repeated = frame[..at].to_vec();
            repeated.extend(frame);
            check(&repeated, 7);
        }
    }
}

#[test]
fn errors_do_not_depend_on_the_fragmentation() {
    let mut rng = Rng(11);
    let tight = DecoderLimits {
        max_reply_size: 40,
        max_depth: 2,
        ..DecoderLimits::default()
    };
    for frame in corpus::all().cycle().take(2_000) {
        let mut spoilt = frame.to_vec();
        super::generator::spoil(&mut rng, &mut spoilt);
        for limits in [DecoderLimits::default(), tight] {
            let whole = oracle::ours(&spoilt, limits, || usize::MAX);
            for piece in [1, 2, 5] {
                let cut = oracle::ours(&spoilt, limits, || piece);
                assert_eq!(cut.error, whole.error, "{}", spoilt.escape_ascii());
                assert_eq!(cut.replies.len(), whole.replies.len());
            }
        }
    }
}
