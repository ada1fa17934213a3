//! The decoder against redis-rs' parser, with the table of what they are meant to differ in.

use std::panic;

use redis::Value;

use super::{DecodeError, DecodeFault, Decoder, DecoderLimits};

/// What redis-rs makes of the front of some bytes.
#[derive(Debug)]
pub(super) enum Theirs {
    /// A reply.
    Reply(Value),
    /// It waits for more.
    Incomplete,
    /// It refuses them.
    Refused,
}

/// Asks redis-rs.
pub(super) fn theirs(bytes: &[u8]) -> Theirs {
    match panic::catch_unwind(|| redis::parse_redis_value(bytes)) {
        Ok(Ok(value)) => Theirs::Reply(value),
        Ok(Err(error)) if error.kind() == redis::ErrorKind::Io => Theirs::Incomplete,
        Ok(Err(_)) => Theirs::Refused,
        // It must not, but its panic is no fault of ours.
        Err(_) => Theirs::Refused,
    }
}

/// What the decoder makes of some bytes.
#[derive(Debug)]
pub(super) struct Ours {
    /// The replies, each with where it ends.
    pub(super) replies: Vec<(Value, usize)>,
    /// The error, if that is what came after them.
    pub(super) error: Option<DecodeError>,
}

/// Feeds `input` in pieces of the sizes that `piece` says, and decodes after each.
pub(super) fn ours(input: &[u8], limits: DecoderLimits, mut piece: impl FnMut() -> usize) -> Ours {
    let mut decoder = Decoder::new(limits);
    let mut replies = Vec::new();
    let mut rest = input;
    loop {
        loop {
            match decoder.next_value() {
                Ok(Some(value)) => replies.push((value, decoder.offset() as usize)),
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(decoder.next_value(), Err(error.clone()), "it stays failed");
                    let error = Some(error);
                    return Ours { replies, error };
                }
            }
        }
        if rest.is_empty() {
            return Ours {
                replies,
                error: None,
            };
        }
        let (now, later) = rest.split_at(piece().clamp(1, rest.len()));
        decoder.feed(now);
        rest = later;
    }
}

/// Decodes `input` in pieces, and says what the decoder and redis-rs disagree about without being
/// meant to; otherwise how many replies there were, and which known deviation came first.
pub(super) fn compare(
    input: &[u8],
    piece: impl FnMut() -> usize,
) -> Result<(usize, Option<&'static str>), String> {
    let ours = ours(input, DecoderLimits::default(), piece);
    let fail = |what: &str, at: usize| {
        let bytes = &input[at..];
        Err(format!(
            "{what} at {at}: input b\"{}\", ours {ours:?}, theirs {:?}",
            input.escape_ascii(),
            theirs(bytes)
        ))
    };
    let mut known = None;
    let mut at = 0;
    for (value, end) in &ours.replies {
        let frame = &input[at..*end];
        match theirs(frame) {
            Theirs::Reply(theirs) if same(&theirs, value) => {
                // So that both agree where the reply ends, too.
                if matches!(theirs_of_prefix(frame), Theirs::Reply(_)) {
                    return fail("a reply that ended before", at);
                }
            }
            Theirs::Refused => match more_lenient(frame, value) {
                Some(why) => known = known.or(Some(why)),
                None => return fail("a reply that they refuse", at),
            },
            _ => return fail("another reply", at),
        }
        at = *end;
    }
    let rest = &input[at..];
    match (&ours.error, theirs(rest)) {
        (None, Theirs::Incomplete) => {}
        (Some(_), Theirs::Refused) => {}
        (Some(error), Theirs::Incomplete) => {
            match stricter(input, error).or_else(|| sooner(rest, error)) {
                Some(why) => known = known.or(Some(why)),
                None => return fail("refused what they wait for", at),
            }
        }
        (Some(error), Theirs::Reply(_)) => match stricter(input, error) {
            Some(why) => known = known.or(Some(why)),
            None => return fail("refused what they accept", at),
        },
        (None, Theirs::Refused) if odd_error_line(rest) => known = known.or(Some(ODD_ERROR_LINE)),
        (None, _) => return fail("waits where they do not", at),
    }
    Ok((ours.replies.len(), known))
}

fn theirs_of_prefix(frame: &[u8]) -> Theirs {
    theirs(&frame[..frame.len().saturating_sub(1)])
}

const ODD_ERROR_LINE: &str = "an error line that is no UTF-8";

/// Deviation: what redis-rs refuses and we decode.
fn more_lenient(frame: &[u8], value: &Value) -> Option<&'static str> {
    (has_error(value) && odd_error_line(frame)).then_some(ODD_ERROR_LINE)
}

fn odd_error_line(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") {
        let (line, after) = rest.split_at(end);
        if line.starts_with(b"-") && std::str::from_utf8(line).is_err() {
            return true;
        }
        rest = &after[2..];
    }
    false
}

fn has_error(value: &Value) -> bool {
    let among = |values: &[Value]| values.iter().any(has_error);
    let in_pairs =
        |pairs: &[(Value, Value)]| pairs.iter().any(|(k, v)| has_error(k) || has_error(v));
    match value {
        Value::ServerError(_) => true,
        Value::Array(values) | Value::Set(values) | Value::Push { data: values, .. } => {
            among(values)
        }
        Value::Map(pairs) => in_pairs(pairs),
        Value::Attribute { data, attributes } => has_error(data) || in_pairs(attributes),
        _ => false,
    }
}

/// Deviations: what redis-rs accepts and we refuse.
fn stricter(input: &[u8], error: &DecodeError) -> Option<&'static str> {
    let line = &input[error.offset() as usize + 1..];
    let end = line.windows(2).position(|pair| pair == b"\r\n")?;
    let line = std::str::from_utf8(&line[..end]).ok()?;
    let number = line.trim().parse::<i64>();
    match error.fault() {
        DecodeFault::Integer | DecodeFault::Length | DecodeFault::Double if line != line.trim() => {
            Some("white space around a number")
        }
        DecodeFault::Length if number.as_ref().is_ok_and(|&number| number < -1) => {
            Some("a length below -1")
        }
        DecodeFault::Integer | DecodeFault::Length if line.len() > 32 && number.is_ok() => {
            Some("a number of more than 32 characters")
        }
        DecodeFault::Null if !line.is_empty() => Some("a null with content"),
        DecodeFault::BigNumber if line.contains('_') => Some("a big number with underscores"),
        DecodeFault::BigNumber if line.len() > 65_536 => Some("a big number that is too long"),
        _ => None,
    }
}

/// Deviations: what redis-rs waits for and we refuse already.
fn sooner(rest: &[u8], error: &DecodeError) -> Option<&'static str> {
    // What is wrong with the end of its input, redis-rs takes for the end of the stream.
    if matches!(theirs(&[rest, b"\r\n"].concat()), Theirs::Refused) {
        return Some("what is wrong at the very end");
    }
    match error.fault() {
        DecodeFault::TooLarge { .. } => Some("an announced length beyond the limit"),
        DecodeFault::Length | DecodeFault::Integer | DecodeFault::Streamed => {
            Some("a number that is wrong before its line ends")
        }
        DecodeFault::Null | DecodeFault::Boolean | DecodeFault::BigNumber => {
            Some("a line that is too long before it ends")
        }
        _ => None,
    }
}

/// Whether two values are equal; unlike `==`, it finds a NaN equal to itself.
pub(super) fn same(left: &Value, right: &Value) -> bool {
    let all = |left: &[Value], right: &[Value]| {
        left.len() == right.len() && left.iter().zip(right).all(|(l, r)| same(l, r))
    };
    let pairs = |left: &[(Value, Value)], right: &[(Value, Value)]| {
        left.len() == right.len()
            && left
                .iter()
                .zip(right)
                .all(|(l, r)| same(&l.0, &r.0) && same(&l.1, &r.1))
    };
    match (left, right) {
        (Value::Double(left), Value::Double(right)) => left.to_bits() == right.to_bits(),
        (Value::Array(left), Value::Array(right)) | (Value::Set(left), Value::Set(right)) => {
            all(left, right)
        }
        (Value::Map(left), Value::Map(right)) => pairs(left, right),
        (
            Value::Attribute {
                data: left_data,
                attributes: left,
            },
            Value::Attribute {
                data: right_data,
                attributes: right,
            },
        ) => same(left_data, right_data) && pairs(left, right),
        (
            Value::Push {
                kind: left_kind,
                data: left,
            },
            Value::Push {
                kind: right_kind,
                data: right,
            },
        ) => left_kind == right_kind && all(left, right),
        _ => left == right,
    }
}
