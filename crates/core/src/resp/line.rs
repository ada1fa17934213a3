//! The types that are one line: simple string, error, null, boolean, double, big number.

use std::str;

use redis::Value;

use super::error::DecodeFault;
use super::server_error::server_error;

/// Converting digits takes quadratic time, so that a line of the size that replies may have would
/// occupy an I/O thread for hours.
const LONGEST_BIG_NUMBER: usize = 65_536;

/// How long the line of a type may be without its type byte and end, and what a longer one is.
/// Only [`max_reply_size`](super::DecoderLimits::max_reply_size) bounds the others.
pub(super) fn longest(type_byte: u8) -> Option<(usize, DecodeFault)> {
    match type_byte {
        b'_' => Some((0, DecodeFault::Null)),
        b'#' => Some((1, DecodeFault::Boolean)),
        b'(' => Some((LONGEST_BIG_NUMBER, DecodeFault::BigNumber)),
        _ => None,
    }
}

/// Where the first CRLF in `line` begins, if none ends within the first `searched` bytes.
pub(super) fn end(line: &[u8], searched: usize) -> Option<usize> {
    let mut from = searched;
    loop {
        let newline = from + memchr::memchr(b'\n', line.get(from..)?)?;
        // Simple strings must not contain a lone newline, but redis-rs lets them.
        match newline.checked_sub(1) {
            Some(end) if line.get(end) == Some(&b'\r') => return Some(end),
            _ => from = newline + 1,
        }
    }
}

/// The value of a line, given without its type byte and end.
pub(super) fn value(type_byte: u8, line: &[u8]) -> Result<Value, DecodeFault> {
    match type_byte {
        b'+' if line == b"OK" => Ok(Value::Okay),
        b'+' => text(line)
            .map(|line| Value::SimpleString(line.to_owned()))
            .ok_or(DecodeFault::NotUtf8),
        b'-' => server_error(line),
        b'_' if line.is_empty() => Ok(Value::Nil),
        b'_' => Err(DecodeFault::Null),
        b'#' => match line {
            b"t" => Ok(Value::Boolean(true)),
            b"f" => Ok(Value::Boolean(false)),
            _ => Err(DecodeFault::Boolean),
        },
        // The names of what is no finite number ("inf", "-inf", "nan", and the "-nan" of Redis before
        // 7.2) are the same in the specification and in Rust.
        b',' => text(line)
            .and_then(|line| line.parse().ok())
            .map(Value::Double)
            .ok_or(DecodeFault::Double),
        b'(' => big_number(line),
        _ => Err(DecodeFault::UnknownType),
    }
}

fn text(line: &[u8]) -> Option<&str> {
    str::from_utf8(line).ok()
}

/// Lets redis-rs make the number, so that its type need not be a dependency of ours.
fn big_number(line: &[u8]) -> Result<Value, DecodeFault> {
    let digits = line.strip_prefix(b"-").or(line.strip_prefix(b"+"));
    let digits = digits.unwrap_or(line);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(DecodeFault::BigNumber);
    }
    let frame = [b"(", line, b"\r\n"].concat();
    redis::parse_redis_value(&frame).map_err(|_| DecodeFault::BigNumber)
}
