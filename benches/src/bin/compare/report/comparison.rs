//! Ours beside others, in ratios.

use crate::run::{Run, WorkloadResult};

use super::contestants::{best_peer, ours};
use super::markdown::{Align, table};
use super::number;
use super::quantity::Quantity;
use super::rounds::Rounds;
use super::section::{self, label};
use super::spread::Spread;
use super::target::{Bound, Target};
use super::targets::TARGETS;

/// Each figure to reach, and whether it is.
pub(super) fn targets(run: &Run) -> String {
    let header = [
        ("work", Align::Left),
        ("figure", Align::Left),
        ("beside", Align::Left),
        ("wanted", Align::Right),
        ("measured", Align::Right),
        ("holds", Align::Left),
    ];
    let rows: Vec<_> = TARGETS
        .iter()
        .map(|target| target_row(run, target))
        .collect();
    let explanation = "\
Measured is redis-manager's figure as a share of the other's: of throughput, more is better, of all else, less. Values
are of 32 B. The best peer is the one with the most throughput in that workload; the raw socket is none.";
    format!("{explanation}\n\n{}", table(&header, &rows))
}

fn target_row(run: &Run, target: &Target) -> Vec<String> {
    let outcome = target.evaluate(run);
    let wanted = match target.stretch {
        Some(stretch) => format!("{}; stretch {}", bound(target.bound), bound(stretch)),
        None => bound(target.bound),
    };
    let (measured, holds) = match outcome.ratio {
        None => ("–".to_owned(), "not measured"),
        Some(ratio) => {
            let holds = |bound: Bound| bound.holds(ratio.median);
            let verdict = match (holds(target.bound), target.stretch.is_some_and(holds)) {
                (true, true) => "yes, the stretch too",
                (true, false) => "yes",
                (false, _) => "**no**",
            };
            (ratio_text(ratio, target.bound.value()), verdict)
        }
    };
    let (work, figure) = (target.work.to_owned(), target.figure());
    vec![
        work,
        figure,
        outcome.rival,
        wanted,
        measured,
        holds.to_owned(),
    ]
}

fn bound(bound: Bound) -> String {
    match bound {
        Bound::AtLeast(least) => format!("≥ {least:.2}"),
        Bound::AtMost(most) => format!("≤ {most:.2}"),
    }
}

/// "1.23 (1.20–1.27)".
fn ratio_text(ratio: Spread, bound: f64) -> String {
    let median = number::ratio(ratio.median, bound);
    format!("{median} ({:.2}–{:.2})", ratio.least, ratio.most)
}

/// Every workload beside the peer that does best in it.
pub(super) fn best_peers(run: &Run) -> String {
    let header = [
        ("workload", Align::Left),
        ("best peer", Align::Left),
        ("figure", Align::Left),
        ("ratio", Align::Right),
        ("CPU", Align::Right),
    ];
    let sections = section::of(run);
    let rows = sections.iter().flat_map(|section| {
        let row = |result: &&WorkloadResult| best_peer_row(run, &section.title, result);
        section.results.iter().filter_map(row).collect::<Vec<_>>()
    });
    let explanation =
        "The same for all workloads, redis-manager's figure as a share of the best peer's.";
    format!(
        "{explanation}\n\n{}",
        table(&header, &rows.collect::<Vec<_>>())
    )
}

fn best_peer_row(run: &Run, section: &str, result: &WorkloadResult) -> Option<Vec<String>> {
    let peer = best_peer(run, &result.workload)?;
    let ours = Rounds::of(run, &result.workload, &ours(result)?.contestant)?;
    let theirs = Rounds::of(run, &result.workload, peer)?;
    let quantity = Quantity::main_of(&result.group);
    let ratio = |quantity| {
        let ratio = ours.ratio(&theirs, quantity);
        ratio.map_or("–".to_owned(), |ratio| ratio_text(ratio, 1.0))
    };
    let cpu = (quantity == Quantity::Rate).then(|| ratio(Quantity::Cpu));
    Some(vec![
        format!("{section}: {}", label(result)),
        peer.to_owned(),
        quantity.name(&result.unit),
        ratio(quantity),
        cpu.unwrap_or_default(),
    ])
}
