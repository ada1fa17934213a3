//! Numbers for people: three digits, or all that stand before the point.

/// "1.23 M", "45.6 k", "789".
pub(super) fn short(value: f64) -> String {
    let (value, unit) = match value {
        999_500.0.. => (value / 1e6, " M"),
        1_000.0.. => (value / 1e3, " k"),
        _ => (value, ""),
    };
    format!("{}{unit}", plain(value))
}

/// "1 234", "56.7", "0.89", "0.012".
pub(super) fn plain(value: f64) -> String {
    match value {
        99.95.. => grouped(&format!("{value:.0}")),
        9.995.. => format!("{value:.1}"),
        0.0 => "0".to_owned(),
        0.0..0.0995 => format!("{value:.3}"),
        _ => format!("{value:.2}"),
    }
}

/// "1 000", "8".
pub(super) fn count(value: usize) -> String {
    grouped(&value.to_string())
}

pub(super) fn bytes(value: f64) -> String {
    let (value, unit) = match value {
        999_500_000.0.. => (value / 1e9, "GB"),
        999_500.0.. => (value / 1e6, "MB"),
        1_000.0.. => (value / 1e3, "kB"),
        _ => (value, "B"),
    };
    format!("{} {unit}", plain(value))
}

/// Two decimals, or three where two would hide on which side of `bound` it is.
pub(super) fn ratio(value: f64, bound: f64) -> String {
    let short = format!("{value:.2}");
    if short == format!("{bound:.2}") && value != bound {
        return format!("{value:.3}");
    }
    short
}

fn grouped(digits: &str) -> String {
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            // Narrow, and no place to break a line.
            grouped.push('\u{202f}');
        }
        grouped.push(digit);
    }
    grouped
}
