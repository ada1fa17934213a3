//! The page and its charts.
//!
//! | file | what it holds |
//! |---|---|
//! | `page`, `comparison`, `figures`, `markdown` | the page; its ratios; its other tables; how tables are written |
//! | `section` | which workloads are told together |
//! | `chart`, `drawing` | what a chart shows; the same as SVG |
//! | `targets`, `target` | the figures to reach, as data; whether one is reached |
//! | `rounds`, `spread`, `quantity` | what was measured, round by round; its median; of what |
//! | `contestants` | who is ours, who a peer, who the limit |
//! | `notes` | what people wrote, which stays |
//! | `number` | numbers for people |

mod chart;
mod comparison;
mod contestants;
mod drawing;
mod figures;
mod markdown;
mod notes;
mod number;
mod page;
mod quantity;
mod rounds;
mod section;
mod spread;
mod target;
mod targets;
#[cfg(test)]
mod tests;

use std::fs;
use std::io;
use std::path::Path;

use crate::run::Run;
use chart::Chart;
use notes::Notes;

/// What people wrote about the figures.
const NOTES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/notes.md");

/// Writes `benchmarks.md` and `benchmarks/*.svg` into `folder`.
pub(crate) fn write(run: &Run, folder: &Path) -> io::Result<()> {
    let notes = match fs::read_to_string(NOTES) {
        Ok(text) => Notes::parse(&text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Notes::default(),
        Err(error) => return Err(error),
    };
    let charts = folder.join(section::CHARTS);
    fs::create_dir_all(&charts)?;
    for section in section::of(run) {
        let chart = Chart::of(run, &section);
        fs::write(charts.join(section.chart_file()), drawing::svg(&chart))?;
    }
    fs::write(folder.join("benchmarks.md"), page::render(run, notes))
}
