//! The page.

use std::fmt::Write;

use crate::run::Run;

use super::comparison;
use super::contestants;
use super::figures;
use super::markdown::{Align, table};
use super::notes::Notes;
use super::number;
use super::section;

const TARGETS: &str = "The targets";

pub(super) fn render(run: &Run, mut notes: Notes) -> String {
    let sections = section::of(run);
    let titles = sections.iter().map(|section| section.title.as_str());
    let headings: Vec<_> = titles.chain([TARGETS]).collect();
    let others = notes.take_others(&headings);

    let mut page = introduction(run) + &machine(run) + &participants(run);
    page += &chapter(TARGETS, &comparison::targets(run), notes.take(TARGETS));
    for (title, body) in others {
        let _ = write!(page, "\n### {title}\n\n{body}\n");
    }
    page += &chapter("Beside the best peer", &comparison::best_peers(run), None);
    for section in &sections {
        let figures = figures::of(run, section);
        page += &chapter(&section.title, &figures, notes.take(&section.title));
    }
    if !run.failures.is_empty() {
        page += &chapter("What failed", &failures(run), None);
    }
    page
}

fn chapter(title: &str, body: &str, note: Option<String>) -> String {
    let note = note.map_or(String::new(), |note| format!("\n{note}\n"));
    format!("\n## {title}\n\n{body}{note}")
}

fn introduction(run: &Run) -> String {
    let rounds = match run.machine.rounds {
        1 => "There was one round".to_owned(),
        rounds => format!("There were {rounds} rounds"),
    };
    format!(
        "# Benchmarks

redis-manager beside the other Rust clients of Redis, on one machine and in one run. `cargo compare` measures, and
writes this page and its charts. What it cannot know is taken from `benches/notes.md`, so nothing is edited here.

- Every contestant has a process of its own for each workload and round, one after the other, on one server, on the
  same machine. {rounds}, interleaved, each begun by another; throughput was measured for {} s a time.
- Every reply is checked. A wrong one ends the measurement, and is told below under \"What failed\".
- A figure is the median of the rounds, followed by the least and the most. A ratio is the median of each round's ratio, so
  that a machine that is slow for a while does not favour anybody.
- CPU is the client's, user and system time of its process. Latency is from the call to its reply, and measured by itself,
  as are the allocations.
",
        run.machine.seconds,
    )
}

fn machine(run: &Run) -> String {
    let machine = &run.machine;
    let versions = machine
        .peers
        .iter()
        .map(|(name, version)| format!("{name} {version}"));
    let rows = [
        (
            "processor",
            format!("{}, {} cores", machine.cpu, machine.cores),
        ),
        ("memory", number::bytes(machine.memory as f64)),
        ("system", format!("{}, {}", machine.os, machine.kernel)),
        ("server", machine.server.clone()),
        ("compiler", machine.rustc.clone()),
        ("clients", versions.collect::<Vec<_>>().join(", ")),
        ("date", machine.date.clone()),
        ("command", format!("`{}`", machine.command)),
    ];
    let rows = rows.map(|(what, value)| vec![what.to_owned(), value]);
    "\n".to_owned() + &table(&[("machine", Align::Left), ("", Align::Left)], &rows)
}

fn participants(run: &Run) -> String {
    let results = run.results.iter().flat_map(|result| &result.contestants);
    let mut names: Vec<&str> = Vec::new();
    for one in results {
        if !names.contains(&one.contestant.as_str()) {
            names.push(&one.contestant);
        }
    }
    names.sort_by_key(|name| contestants::part(name));
    let row = |name: &&str| vec![(*name).to_owned(), contestants::about(name).to_owned()];
    let rows: Vec<_> = names.iter().map(row).collect();
    "\n".to_owned() + &table(&[("contestant", Align::Left), ("", Align::Left)], &rows)
}

fn failures(run: &Run) -> String {
    let header = ["workload", "contestant", "round", "reason"];
    let rows = run.failures.iter().map(|failure| {
        let round = failure.round.to_string();
        let (workload, contestant) = (failure.workload.clone(), failure.contestant.clone());
        vec![workload, contestant, round, failure.reason.clone()]
    });
    let rows: Vec<_> = rows.collect();
    table(&header.map(|title| (title, Align::Left)), &rows)
}
