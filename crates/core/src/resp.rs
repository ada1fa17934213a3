//! From bytes to replies: an incremental decoder for RESP2 and RESP3, free of I/O.
//!
//! [`Decoder`] takes bytes in whatever pieces a socket delivers them and yields [`redis::Value`]s. It
//! keeps three promises of the connection: a partly arrived reply is never scanned again, so that the
//! work is linear in the bytes whatever their fragmentation; a reply that is larger or deeper than
//! [`DecoderLimits`] allows, or that announces to be, is refused before memory is spent on it; and what
//! is no RESP ends the stream with a [`DecodeError`] that names the place and quotes nothing.
//!
//! # Differences from redis-rs
//!
//! What is decoded equals what [`redis::parse_redis_value`] makes of the same bytes, apart from the
//! following. The tests compare the two and know this list.
//!
//! | bytes | redis-rs | here | why |
//! |---|---|---|---|
//! | an error line that is no UTF-8 | refused | decoded lossily | Redis 7.0 sends such, when it quotes an argument |
//! | white space around an integer, a length or a double | trimmed | refused | the specification has none |
//! | a length below -1 | null | refused | the specification knows -1 alone |
//! | a length or an integer of more than 32 characters | accepted | refused | only leading zeros make it so long |
//! | `_` with content | null | refused | the specification has none |
//! | a big number with underscores | skipped over | refused | the specification has digits alone |
//! | a big number of more than 65 536 characters | accepted | refused | conversion takes quadratic time |
//! | an announced length beyond [`DecoderLimits::max_reply_size`] | awaited | refused | so that it is never allocated |
//! | a number, null or boolean that is wrong or too long before its line ends | awaited | refused | what follows cannot mend it |
//! | what is wrong at the very end of the input | taken for its end | refused | likewise; redis-rs refuses it once more arrives |

mod aggregate;
mod blob;
mod buffer;
mod decoder;
mod error;
mod limits;
mod line;
mod number;
mod server_error;
#[cfg(test)]
mod tests;

pub use decoder::Decoder;
pub use error::{DecodeError, DecodeFault};
pub use limits::DecoderLimits;
