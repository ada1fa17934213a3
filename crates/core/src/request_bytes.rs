//! Commands out of the bytes that they were packed into.
//!
//! The blocking trait of `redis` hands over packed bytes and says how many replies they get. What does
//! not parse, or is counted wrongly, would shift every reply that follows it, so both are checked.

use redis::{Cmd, Pipeline};

use crate::{Delivery, Error, ErrorKind, Result};

/// Unpacks exactly one command.
///
/// # Errors
///
/// [`ErrorKind::InvalidArgument`] if `bytes` are not one well-formed, non-empty command.
///
/// ```
/// use redis_manager_core::{redis::cmd, request_bytes::unpack_command};
///
/// let ping = unpack_command(&cmd("PING").get_packed_command())?;
/// assert_eq!(ping.get_packed_command(), b"*1\r\n$4\r\nPING\r\n");
/// # Ok::<(), redis_manager_core::Error>(())
/// ```
pub fn unpack_command(bytes: &[u8]) -> Result<Cmd> {
    let mut commands = unpack_all(bytes)?;
    match (commands.pop(), commands.is_empty()) {
        (Some(command), true) => Ok(command),
        _ => Err(invalid("one command was expected")),
    }
}

/// Unpacks a pipeline whose replies are to be returned from the `offset`th on, `count` of them, as
/// `redis` does it: an atomic pipeline comes wrapped in MULTI and EXEC, and only EXEC's reply counts.
///
/// # Errors
///
/// [`ErrorKind::InvalidArgument`] if `bytes` are no well-formed commands, or if `offset` and `count`
/// do not fit them.
pub fn unpack_pipeline(bytes: &[u8], offset: usize, count: usize) -> Result<Pipeline> {
    let mut commands = unpack_all(bytes)?;
    let mut pipeline = redis::pipe();
    if offset == 0 && count == commands.len() {
        for command in commands {
            pipeline.add_command(command);
        }
        return Ok(pipeline);
    }
    let wrapped = commands.len() >= 2
        && commands.first().is_some_and(|first| is(first, "MULTI"))
        && commands.last().is_some_and(|last| is(last, "EXEC"));
    if wrapped && offset == commands.len() - 1 && count == 1 {
        commands.pop();
        pipeline.atomic();
        for command in commands.into_iter().skip(1) {
            pipeline.add_command(command);
        }
        return Ok(pipeline);
    }
    Err(invalid(format!(
        "{} commands do not give {count} replies from number {offset} on",
        commands.len()
    )))
}

fn is(command: &Cmd, name: &str) -> bool {
    command.get_packed_command() == redis::cmd(name).get_packed_command()
}

fn unpack_all(bytes: &[u8]) -> Result<Vec<Cmd>> {
    let mut rest = bytes;
    let mut commands = Vec::new();
    while !rest.is_empty() {
        let arguments = take_length(&mut rest, b'*')?;
        if arguments == 0 {
            return Err(invalid("the command is empty"));
        }
        let mut command = Cmd::new();
        for _ in 0..arguments {
            let length = take_length(&mut rest, b'$')?;
            command.arg(take_bulk(&mut rest, length)?);
        }
        commands.push(command);
    }
    Ok(commands)
}

fn take_length(rest: &mut &[u8], marker: u8) -> Result<usize> {
    let end = rest.windows(2).position(|pair| pair == b"\r\n");
    let (line, after) = match end {
        Some(end) => (&rest[..end], &rest[end + 2..]),
        None => return Err(truncated()),
    };
    let digits = line
        .strip_prefix(&[marker])
        .filter(|digits| !digits.is_empty() && digits.iter().all(u8::is_ascii_digit))
        .ok_or_else(|| invalid("the bytes are not packed commands"))?;
    let length = std::str::from_utf8(digits)
        .ok()
        .and_then(|digits| digits.parse().ok())
        .ok_or_else(|| invalid("a length is out of range"))?;
    *rest = after;
    Ok(length)
}

fn take_bulk<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8]> {
    let (bulk, after) = rest.split_at_checked(length).ok_or_else(truncated)?;
    *rest = after.strip_prefix(b"\r\n").ok_or_else(truncated)?;
    Ok(bulk)
}

fn truncated() -> Error {
    invalid("the packed commands are cut short")
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidArgument, message).with_delivery(Delivery::NotSent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_redis_packs_comes_back_the_same() {
        let mut set = redis::cmd("SET");
        set.arg("key").arg(b"\r\n$1\r\n\xff").arg("");
        let packed = set.get_packed_command();
        assert_eq!(
            unpack_command(&packed).unwrap().get_packed_command(),
            packed
        );

        let mut pipeline = redis::pipe();
        pipeline.set("a", 1).get("a");
        let packed = pipeline.get_packed_pipeline();
        let unpacked = unpack_pipeline(&packed, 0, 2).unwrap();
        assert_eq!(unpacked.get_packed_pipeline(), packed);
        assert!(!unpacked.is_transaction());

        pipeline.atomic();
        let packed = pipeline.get_packed_pipeline();
        let unpacked = unpack_pipeline(&packed, 3, 1).unwrap();
        assert_eq!(unpacked.get_packed_pipeline(), packed);
        assert!(unpacked.is_transaction());

        assert!(unpack_pipeline(b"", 0, 0).unwrap().is_empty());
    }

    #[test]
    fn what_would_shift_replies_is_refused() {
        let two = redis::pipe().get("a").get("b").get_packed_pipeline();
        assert!(unpack_command(&two).is_err());
        for (offset, count) in [(0, 1), (0, 3), (1, 1), (1, 2), (3, 1)] {
            assert!(
                unpack_pipeline(&two, offset, count).is_err(),
                "{offset} {count}"
            );
        }
        for bytes in [
            &b"*0\r\n"[..],
            b"",
            b"PING\r\n",
            b"*1\r\n",
            b"*1\r\n$4\r\nPIN",
            b"*1\r\n$4\r\nPING",
            b"*1\r\n$-1\r\n",
            b"*-1\r\n",
            b"*+1\r\n$4\r\nPING\r\n",
            b"*99999999999999999999999\r\n",
            b"*1\r\n$18446744073709551615\r\nPING\r\n",
            b"*1\r\n$4\r\nPING\r\nx",
        ] {
            let error = unpack_command(bytes).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument);
            assert_eq!(error.delivery(), Some(Delivery::NotSent));
        }
    }
}
