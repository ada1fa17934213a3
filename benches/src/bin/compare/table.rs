//! A finished workload, for the terminal.

use std::fmt::Write;

use comfy_table::{CellAlignment, Table, presets};

use crate::contestant::Contestant;
use crate::run::{ContestantResult, Failure, Sample, WorkloadResult};

const HEADER: [&str; 8] = [
    "",
    "/s",
    "min–max",
    "to ours",
    "CPU µs",
    "p50/p99/p99.9 µs",
    "allocations",
    "other",
];

pub(crate) fn of(result: &WorkloadResult) -> String {
    let is_ours = |one: &&ContestantResult| one.contestant == Contestant::RedisManager.id();
    let ours = result.contestants.iter().find(is_ours).and_then(rate);
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_header(HEADER);
    for contestant in &result.contestants {
        table.add_row(row(contestant, ours));
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    format!(
        "{}: {}, {}\n{table}\n",
        result.workload, result.title, result.unit
    )
}

fn row(contestant: &ContestantResult, ours: Option<f64>) -> [String; 8] {
    let samples = &contestant.samples;
    let column = |of: fn(&Sample) -> Option<f64>| median(samples.iter().filter_map(of));
    let rates = || samples.iter().filter_map(rate_of);
    let least = rates().min_by(f64::total_cmp).map(number);
    let most = rates().max_by(f64::total_cmp).map(number);
    let spread = least
        .zip(most)
        .map(|(least, most)| format!("{least}–{most}"));
    let ratio = rate(contestant)
        .zip(ours)
        .map(|(rate, ours)| format!("{:.2}", rate / ours));
    let latency = [
        column(|sample| Some(sample.latency?.p50)),
        column(|sample| Some(sample.latency?.p99)),
        column(|sample| Some(sample.latency?.p999)),
    ];
    let latency = latency
        .into_iter()
        .map(|one| one.map(number))
        .collect::<Option<Vec<_>>>();
    let other = [
        column(|sample| sample.memory).map(|bytes| format!("{} B", number(bytes))),
        column(|sample| sample.instructions).map(|count| format!("{} instructions", number(count))),
    ];
    [
        Some(contestant.contestant.clone()),
        rate(contestant).map(number),
        spread,
        ratio,
        column(cpu_of).map(number),
        latency.map(|parts| parts.join(" / ")),
        column(|sample| sample.allocations).map(number),
        Some(other.into_iter().flatten().collect::<Vec<_>>().join(", ")),
    ]
    .map(|cell| cell.unwrap_or_else(|| "–".to_owned()))
}

fn rate(contestant: &ContestantResult) -> Option<f64> {
    median(contestant.samples.iter().filter_map(rate_of))
}

/// `None` where the time was not what was measured.
fn rate_of(sample: &Sample) -> Option<f64> {
    (sample.elapsed > 0.0).then(|| sample.operations as f64 / sample.elapsed)
}

fn cpu_of(sample: &Sample) -> Option<f64> {
    (sample.elapsed > 0.0).then(|| sample.cpu * 1e6 / sample.operations as f64)
}

fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        length if length % 2 == 1 => Some(values[middle]),
        _ => Some(f64::midpoint(values[middle - 1], values[middle])),
    }
}

/// Three digits of it, or all that stand before the point.
fn number(value: f64) -> String {
    match value {
        100.0.. => {
            let digits = format!("{value:.0}");
            let mut grouped = String::new();
            for (index, digit) in digits.chars().enumerate() {
                if index > 0 && (digits.len() - index) % 3 == 0 {
                    grouped.push(' ');
                }
                grouped.push(digit);
            }
            grouped
        }
        10.0.. => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

pub(crate) fn failures(failures: &[Failure]) -> String {
    let mut text = "Failed:\n".to_owned();
    for failure in failures {
        let Failure {
            workload,
            contestant,
            round,
            reason,
        } = failure;
        let _ = writeln!(text, "{workload} {contestant}, round {round}: {reason}");
    }
    text
}
