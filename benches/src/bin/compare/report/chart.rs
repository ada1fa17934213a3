//! What a chart shows: bars of all contestants for each workload, each workload on a scale of its own, since one call
//! at a time and a thousand in flight lie too far apart for one.

use crate::run::{Run, WorkloadResult};

use super::contestants::{Part, part};
use super::number;
use super::quantity::Quantity;
use super::rounds::Rounds;
use super::section::{Section, label};
use super::spread::Spread;

pub(super) struct Chart {
    pub(super) title: String,
    pub(super) bands: Vec<Band>,
}

/// Panels side by side that share their rows.
pub(super) struct Band {
    pub(super) rows: Vec<String>,
    pub(super) panels: Vec<Panel>,
}

pub(super) struct Panel {
    pub(super) title: String,
    pub(super) measure: String,
    pub(super) bars: Vec<Bar>,
}

pub(super) struct Bar {
    pub(super) contestant: String,
    pub(super) part: Part,
    pub(super) spread: Spread,
    pub(super) label: String,
}

/// As many as are readable side by side.
const PANELS: usize = 4;

impl Chart {
    pub(super) fn of(run: &Run, section: &Section<'_>) -> Self {
        let main = section.results.iter().map(|result| {
            let quantity = Quantity::main_of(&result.group);
            panel(run, result, quantity)
        });
        let timed = section
            .results
            .iter()
            .filter(|result| Quantity::main_of(&result.group) == Quantity::Rate);
        let cpu = timed.map(|result| panel(run, result, Quantity::Cpu));
        let (mut main, mut cpu): (Vec<_>, Vec<_>) = (main.collect(), cpu.collect());
        if main.len() + cpu.len() <= PANELS {
            main.append(&mut cpu);
        }
        let bands = [main, cpu].into_iter().flat_map(bands).collect();
        Self {
            title: section.title.clone(),
            bands,
        }
    }
}

fn panel(run: &Run, result: &WorkloadResult, quantity: Quantity) -> Panel {
    let better = if quantity.more_is_better() {
        "more"
    } else {
        "less"
    };
    let bars = result.contestants.iter().filter_map(|one| {
        let spread = Rounds::of(run, &result.workload, &one.contestant)?.spread(quantity)?;
        Some(Bar {
            contestant: one.contestant.clone(),
            part: part(&one.contestant),
            spread,
            label: match quantity {
                Quantity::Memory => number::bytes(spread.median),
                Quantity::Instructions => number::plain(spread.median),
                _ => number::short(spread.median),
            },
        })
    });
    Panel {
        title: label(result),
        measure: format!("{}, {better} is better", quantity.name(&result.unit)),
        bars: bars.collect(),
    }
}

fn bands(panels: Vec<Panel>) -> Vec<Band> {
    let mut panels = panels.into_iter().peekable();
    let mut bands = Vec::new();
    while panels.peek().is_some() {
        let panels: Vec<Panel> = panels.by_ref().take(PANELS).collect();
        let mut rows: Vec<String> = Vec::new();
        for bar in panels.iter().flat_map(|panel| &panel.bars) {
            if !rows.contains(&bar.contestant) {
                rows.push(bar.contestant.clone());
            }
        }
        rows.sort_by_key(|row| part(row));
        bands.push(Band { rows, panels });
    }
    bands
}
