//! The line of a length or an integer.

/// A 64-bit number has 20 characters at most; leading zeros, which redis-rs accepts, have the rest.
/// The bound keeps a line that never ends from being awaited, and from being looked at again and
/// again.
const LONGEST: usize = 32;

/// What the bytes after a type byte say.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Number {
    /// A number, in a line of `used` bytes, its end included.
    Complete { value: i64, used: usize },
    /// The line has not ended, and may still be one.
    Incomplete,
    /// The line is none.
    Malformed,
}

/// Reads the number that `bytes` begin with: `[<+|->]<digits>\r\n`, as the specification has it.
pub(super) fn number(bytes: &[u8]) -> Number {
    let negative = bytes.first() == Some(&b'-');
    let sign = usize::from(negative || bytes.first() == Some(&b'+'));
    let mut magnitude = 0_u64;
    for (index, &byte) in bytes.iter().enumerate().skip(sign) {
        let digit = byte.wrapping_sub(b'0');
        if digit < 10 {
            let next = magnitude
                .checked_mul(10)
                .and_then(|tens| tens.checked_add(u64::from(digit)));
            match next {
                Some(next) if index < LONGEST => magnitude = next,
                _ => return Number::Malformed,
            }
        } else if byte == b'\r' && index > sign {
            return match (bytes.get(index + 1), signed(negative, magnitude)) {
                (_, None) => Number::Malformed,
                (None, _) => Number::Incomplete,
                (Some(b'\n'), Some(value)) => Number::Complete {
                    value,
                    used: index + 2,
                },
                _ => Number::Malformed,
            };
        } else {
            return Number::Malformed;
        }
    }
    Number::Incomplete
}

fn signed(negative: bool, magnitude: u64) -> Option<i64> {
    if negative {
        0_i64.checked_sub_unsigned(magnitude)
    } else {
        i64::try_from(magnitude).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_at_the_edges() {
        let complete = |value, used| Number::Complete { value, used };
        for (bytes, expected) in [
            (&b"0\r\n"[..], complete(0, 3)),
            (b"+7\r\nrest", complete(7, 4)),
            (b"-0\r\n", complete(0, 4)),
            (b"9223372036854775807\r\n", complete(i64::MAX, 21)),
            (b"-9223372036854775808\r\n", complete(i64::MIN, 22)),
            (b"9223372036854775808\r\n", Number::Malformed),
            (b"-9223372036854775809\r\n", Number::Malformed),
            (b"99999999999999999999999\r\n", Number::Malformed),
            (b"00000000000000000000000000000012\r\n", complete(12, 34)),
            (b"000000000000000000000000000000012", Number::Malformed),
            (b"", Number::Incomplete),
            (b"-", Number::Incomplete),
            (b"12", Number::Incomplete),
            (b"12\r", Number::Incomplete),
            (b"\r", Number::Malformed),
            (b"-\r\n", Number::Malformed),
            (b"+-1\r\n", Number::Malformed),
            (b"1\rX", Number::Malformed),
            (b"1\n", Number::Malformed),
            (b" 1\r\n", Number::Malformed),
            (b"1x", Number::Malformed),
        ] {
            assert_eq!(number(bytes), expected, "{}", bytes.escape_ascii());
        }
    }
}
