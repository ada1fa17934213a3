//! The durations of the query key `timeout`, as lettuce writes them.

use std::time::Duration;

const MICROSECOND: u128 = 1_000;
const MILLISECOND: u128 = 1_000 * MICROSECOND;
const SECOND: u128 = 1_000 * MILLISECOND;
const MINUTE: u128 = 60 * SECOND;
const HOUR: u128 = 60 * MINUTE;
const DAY: u128 = 24 * HOUR;

/// Units and their nanoseconds, the longest first.
const UNITS: [(&str, u128); 7] = [
    ("d", DAY),
    ("h", HOUR),
    ("m", MINUTE),
    ("s", SECOND),
    ("ms", MILLISECOND),
    ("us", MICROSECOND),
    ("ns", 1),
];

const EXPECTED: &str =
    "write a whole number and one unit of d, h, m, s, ms, us, ns (none means ms), such as 500ms";

/// Reads a whole number with at most one unit, whose case is ignored; no unit means milliseconds.
pub(super) fn parse(text: &str) -> Result<Duration, String> {
    let end_of_number = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end_of_number);
    let nanoseconds_per_unit = match unit {
        "" => Some(MILLISECOND),
        unit => UNITS
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(unit))
            .map(|(_, nanoseconds)| *nanoseconds),
    };
    if number.is_empty() {
        return Err(EXPECTED.to_owned());
    }
    let nanoseconds_per_unit = nanoseconds_per_unit.ok_or(EXPECTED)?;
    number
        .parse::<u128>()
        .ok()
        .and_then(|number| number.checked_mul(nanoseconds_per_unit))
        .and_then(from_nanoseconds)
        .ok_or_else(|| "the duration is too long".to_owned())
}

/// Writes a duration in the longest unit that holds it exactly.
pub(super) fn format(duration: Duration) -> String {
    let nanoseconds = duration.as_nanos();
    let (unit, length) = UNITS
        .into_iter()
        .find(|(_, length)| nanoseconds.is_multiple_of(*length))
        .unwrap_or(("ns", 1));
    format!("{}{unit}", nanoseconds / length)
}

fn from_nanoseconds(nanoseconds: u128) -> Option<Duration> {
    let seconds = u64::try_from(nanoseconds / SECOND).ok()?;
    let rest = u32::try_from(nanoseconds % SECOND).ok()?;
    Some(Duration::new(seconds, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units() {
        for (text, expected) in [
            ("250", Duration::from_millis(250)),
            ("2d", Duration::from_secs(172_800)),
            ("3h", Duration::from_secs(10_800)),
            ("4m", Duration::from_secs(240)),
            ("4M", Duration::from_secs(240)),
            ("5s", Duration::from_secs(5)),
            ("6ms", Duration::from_millis(6)),
            ("6Ms", Duration::from_millis(6)),
            ("7us", Duration::from_micros(7)),
            ("8NS", Duration::from_nanos(8)),
            ("007s", Duration::from_secs(7)),
            ("0", Duration::ZERO),
        ] {
            assert_eq!(parse(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "", "s", "1.5s", "1h30m", "-1s", "+1s", "1 s", " 1s", "1w", "1sec", "١s",
        ] {
            assert_eq!(parse(text), Err(EXPECTED.to_owned()), "{text}");
        }
        for text in ["18446744073709551616s", &"9".repeat(60)] {
            assert_eq!(
                parse(text),
                Err("the duration is too long".to_owned()),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_written_reads_back() {
        for (duration, text) in [
            (Duration::from_millis(1500), "1500ms"),
            (Duration::from_secs(60), "1m"),
            (Duration::from_secs(86_400), "1d"),
            (Duration::from_nanos(1_001), "1001ns"),
            (Duration::from_micros(1_001), "1001us"),
            (Duration::MAX, "18446744073709551615999999999ns"),
        ] {
            assert_eq!(format(duration), text);
            assert_eq!(parse(text), Ok(duration));
        }
    }
}
