//! Numbers as a person reads them: three digits and a unit.

use std::time::Duration;

/// A number of things.
pub(super) fn count(count: u64) -> String {
    scaled(count, &["", "k", "M", "G", "T", "P", "E"])
}

/// A number of bytes.
pub(super) fn bytes(bytes: u64) -> String {
    scaled(bytes, &["B", "kB", "MB", "GB", "TB", "PB", "EB"])
}

/// A latency, given in microseconds.
pub(super) fn micros(micros: u64) -> String {
    scaled(micros, &["µs", "ms", "s", "ks"])
}

/// An age, in its largest unit.
pub(super) fn age(age: Duration) -> String {
    let seconds = age.as_secs();
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..172_800 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// `units` are a thousand times one another; of the last one there may be more. Cut off, not rounded: 999 999 is not 1M.
fn scaled(number: u64, units: &[&str]) -> String {
    let (mut whole, mut tenth) = (number, 0);
    let mut units = units.iter();
    let mut unit = units.next();
    while whole >= 1000
        && let Some(next) = units.next()
    {
        (whole, tenth) = (whole / 1000, whole % 1000 / 100);
        unit = Some(next);
    }
    let unit = unit.copied().unwrap_or_default();
    if whole < 10 && whole != number {
        format!("{whole}.{tenth}{unit}")
    } else {
        format!("{whole}{unit}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_at_most_three_digits_and_a_unit() {
        let numbers = [
            0,
            7,
            999,
            1_000,
            1_999,
            12_345,
            999_999,
            3_400_000,
            u64::MAX,
        ];
        let printed = [
            "0", "7", "999", "1.0k", "1.9k", "12k", "999k", "3.4M", "18E",
        ];
        assert_eq!(numbers.map(count), printed);
        assert_eq!([0, 64_000_000].map(bytes), ["0B", "64MB"]);
        let latencies = [25, 1_250, 14_000, 3_200_000, 90_000_000].map(micros);
        assert_eq!(latencies, ["25µs", "1.2ms", "14ms", "3.2s", "90s"]);
    }

    #[test]
    fn an_age_has_its_largest_unit() {
        let ages = [0, 59, 60, 3_600, 90_000, 200_000].map(Duration::from_secs);
        assert_eq!(ages.map(age), ["0s", "59s", "1m", "1h", "25h", "2d"]);
    }
}
