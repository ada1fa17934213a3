//! Error replies.

use redis::Value;

use super::error::DecodeFault;

/// Lets redis-rs make the error, because its type has no constructor that keeps the codes it knows:
/// `make_extension_error` would turn NOSCRIPT into an extension, and break `redis::Script`.
///
/// The frame is always that of a blob error: its text redis-rs decodes lossily, while it refuses an
/// error line that is no UTF-8, as Redis 7.0 sends them.
pub(super) fn server_error(text: &[u8]) -> Result<Value, DecodeFault> {
    let mut frame = format!("!{}\r\n", text.len()).into_bytes();
    frame.extend_from_slice(text);
    frame.extend_from_slice(b"\r\n");
    redis::parse_redis_value(&frame).map_err(|_| DecodeFault::ServerError)
}
