//! Tests of the decoder; `oracle` is shared with the fuzz target.

mod cases;
mod corpus;
mod generator;
mod limits;
mod long_run;
mod memory;
mod mutations;
mod oracle;
mod properties;
mod rng;
mod work;

use super::{DecodeError, DecodeFault, Decoder, DecoderLimits};
