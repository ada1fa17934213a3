//! A section's chart and tables.

use crate::run::{ContestantResult, Run, WorkloadResult};

use super::contestants::{Part, ours, part};
use super::markdown::{Align, table};
use super::number;
use super::quantity::Quantity;
use super::rounds::Rounds;
use super::section::{CHARTS, Section};

pub(super) fn of(run: &Run, section: &Section<'_>) -> String {
    let mut text = format!("![{}]({CHARTS}/{})\n", section.title, section.chart_file());
    for result in &section.results {
        text += &format!("\n**{}**\n\n{}", result.title, figures(run, result));
    }
    text
}

/// A column is left out if nobody has a figure for it.
fn figures(run: &Run, result: &WorkloadResult) -> String {
    let main = Quantity::main_of(&result.group);
    let mut quantities = vec![main];
    if main == Quantity::Rate {
        quantities.push(Quantity::Cpu);
    }
    quantities.extend([
        Quantity::Median,
        Quantity::Percentile99,
        Quantity::Percentile999,
        Quantity::Allocations,
    ]);
    quantities.retain(|quantity| {
        let samples = || result.contestants.iter().flat_map(|one| &one.samples);
        samples().any(|sample| quantity.of(sample).is_some())
    });

    let mut header = vec![("contestant".to_owned(), Align::Left)];
    for quantity in &quantities {
        header.push((quantity.name(&result.unit), Align::Right));
        if *quantity == main {
            header.push(("least–most".to_owned(), Align::Right));
            header.push(("ours ÷ this".to_owned(), Align::Right));
        }
    }
    let row = |one: &ContestantResult| row(run, result, one, &quantities);
    let rows: Vec<_> = result.contestants.iter().map(row).collect();
    table(&header, &rows)
}

fn row(
    run: &Run,
    result: &WorkloadResult,
    one: &ContestantResult,
    quantities: &[Quantity],
) -> Vec<String> {
    let name = match part(&one.contestant) {
        Part::Ours => format!("**{}**", one.contestant),
        _ => one.contestant.clone(),
    };
    let mut row = vec![name];
    let main = Quantity::main_of(&result.group);
    let none = || "–".to_owned();
    let rounds = Rounds::of(run, &result.workload, &one.contestant);
    for &quantity in quantities {
        let spread = rounds.as_ref().and_then(|rounds| rounds.spread(quantity));
        row.push(spread.map_or_else(none, |spread| figure(quantity, spread.median)));
        if quantity == main {
            row.push(spread.map_or_else(none, |spread| {
                format!(
                    "{}–{}",
                    figure(quantity, spread.least),
                    figure(quantity, spread.most)
                )
            }));
            let ours =
                ours(result).and_then(|ours| Rounds::of(run, &result.workload, &ours.contestant));
            let ratio = ours
                .zip(rounds.as_ref())
                .and_then(|(ours, rounds)| ours.ratio(rounds, quantity));
            row.push(ratio.map_or_else(none, |ratio| format!("{:.2}", ratio.median)));
        }
    }
    row
}

fn figure(quantity: Quantity, value: f64) -> String {
    match quantity {
        Quantity::Rate => number::short(value),
        Quantity::Memory => number::bytes(value),
        _ => number::plain(value),
    }
}
