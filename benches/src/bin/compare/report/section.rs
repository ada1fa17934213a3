//! Workloads that are told together, with one chart.

use crate::run::{Run, WorkloadResult};

use super::number;

/// The folder of the charts, beside the page.
pub(super) const CHARTS: &str = "benchmarks";

pub(super) struct Section<'run> {
    pub(super) title: String,
    /// What the file of its chart is called.
    name: String,
    pub(super) results: Vec<&'run WorkloadResult>,
}

/// Title, name of the chart, and how the workloads' ids begin.
const SECTIONS: [(&str, &str, &[&str]); 10] = [
    (
        "Many calls on one client, 32 B",
        "async-32B",
        &["async/32B/"],
    ),
    (
        "Many calls on one client, 1 kB",
        "async-1kB",
        &["async/1kB/"],
    ),
    (
        "Many calls on one client, 100 kB",
        "async-100kB",
        &["async/100kB/"],
    ),
    (
        "2 000 scripts, each with its own client",
        "scripts",
        &["scripts/"],
    ),
    ("Threads that wait", "sync", &["sync/"]),
    ("Pipelines", "pipeline", &["pipeline/"]),
    (
        "Publishing and subscribing",
        "pubsub",
        &["publish/", "subscribe/"],
    ),
    ("Fan-out", "fanout", &["fanout/"]),
    (
        "Clients that come and go",
        "clients",
        &["open-close/", "unload/", "memory/"],
    ),
    ("What the facade costs", "facade", &["instructions/"]),
];

/// All of a run, those that no section knows by their groups.
pub(super) fn of(run: &Run) -> Vec<Section<'_>> {
    let mut sections: Vec<Section<'_>> = Vec::new();
    for result in &run.results {
        let (title, name) = place(result);
        match sections.iter_mut().find(|section| section.name == name) {
            Some(section) => section.results.push(result),
            None => sections.push(Section {
                title: title.to_owned(),
                name: name.to_owned(),
                results: vec![result],
            }),
        }
    }
    let order = |section: &Section<'_>| {
        let known = SECTIONS
            .iter()
            .position(|(_, name, _)| *name == section.name);
        known.unwrap_or(SECTIONS.len())
    };
    sections.sort_by_key(order);
    sections
}

fn place(result: &WorkloadResult) -> (&str, &str) {
    let starts = |prefix: &&str| result.workload.starts_with(prefix);
    let known = SECTIONS
        .iter()
        .find(|(_, _, prefixes)| prefixes.iter().any(starts));
    known.map_or((&result.group, &result.group), |(title, name, _)| {
        (title, name)
    })
}

impl Section<'_> {
    pub(super) fn chart_file(&self) -> String {
        format!("{}.svg", self.name)
    }
}

/// A workload in some words, for where its section is clear.
pub(super) fn label(result: &WorkloadResult) -> String {
    let id = &result.workload;
    let (_, last) = id.rsplit_once('/').unwrap_or(("", id));
    let count = last.parse().map_or(last.to_owned(), number::count);
    match result.group.as_str() {
        "async" | "scripts" => format!("{count} in flight"),
        "sync" if last == "1" => "one thread".to_owned(),
        "sync" => format!("{count} threads"),
        "pipeline" => format!("pipelines of {count}"),
        "publish" => format!("PUBLISH, {count} in flight"),
        "subscribe" => "one subscriber".to_owned(),
        "fanout" => format!("{count} listeners of a channel"),
        "open-close" => format!("open and close of {count} clients"),
        "unload" => format!("unload of {count} scripts"),
        "memory" => format!("memory, {count} clients"),
        "instructions" => "a typed call".to_owned(),
        _ => result.title.clone(),
    }
}
