//! The RESP decoder against redis-rs' parser: the first byte of an input says how the rest of it is
//! fragmented.
//!
//! ```text
//! cargo install cargo-fuzz
//! cargo +nightly fuzz run decoder
//! ```

#![no_main]

use libfuzzer_sys::fuzz_target;
use redis_manager_core::resp::{DecodeError, DecodeFault, Decoder, DecoderLimits};

// The comparison, and the table of known deviations, are those of the crate's own tests.
#[path = "../../crates/core/src/resp/tests/oracle.rs"]
mod oracle;
#[path = "../../crates/core/src/resp/tests/rng.rs"]
mod rng;

fuzz_target!(|input: &[u8]| {
    let Some((&seed, bytes)) = input.split_first() else {
        return;
    };
    let mut rng = rng::Rng(seed.into());
    let largest = rng.pick(&[1, 3, 16, 4_096]);
    if let Err(difference) = oracle::compare(bytes, || 1 + rng.below(largest)) {
        panic!("{difference}");
    }
});
