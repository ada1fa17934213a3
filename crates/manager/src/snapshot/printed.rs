//! A snapshot as a table for a terminal.

use std::fmt;

use redis_manager_core::{ClientSnapshot, StateSnapshot, StatisticsSnapshot};

use super::table::{Align, Table};
use super::{LimitSnapshot, ManagerSnapshot, ScriptSnapshot, ScriptStanding, Totals, units};

/// What is not there.
const NONE: &str = "-";

/// A table with a line for each client: [`ManagerSnapshot::by_client`].
#[derive(Clone, Copy, Debug)]
pub struct ByClient<'a>(pub(super) &'a ManagerSnapshot);

impl fmt::Display for ManagerSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (counts, is_limited) = (
            self.totals.statistics.is_some(),
            self.scripts.iter().any(|script| !script.limits.is_empty()),
        );
        let mut columns = vec![
            ("SCRIPT", Align::Left),
            ("AGE", Align::Right),
            ("CLIENTS", Align::Right),
            ("DOWN", Align::Right),
            ("SESSIONS", Align::Right),
        ];
        columns.extend(FIGURES);
        columns.extend(COUNTED.iter().filter(|_| counts));
        columns.extend(is_limited.then_some(("FULLEST LIMIT", Align::Left)));
        let mut table = Table::new(columns);
        for script in &self.scripts {
            let mut line = line(name(script), units::age(script.age), &script.totals, counts);
            line.extend(is_limited.then(|| fullest(&script.limits)));
            table.push(line);
        }
        if self.scripts.len() > 1 {
            table.push(line(
                "total".to_owned(),
                String::new(),
                &self.totals,
                counts,
            ));
        }
        write!(f, "{}\n{table}", heading(self))
    }
}

impl fmt::Display for ByClient<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = self.0.totals.statistics.is_some();
        let mut columns = vec![
            ("SCRIPT", Align::Left),
            ("CLIENT", Align::Right),
            ("TYPE", Align::Left),
            ("ADDRESS", Align::Left),
            ("AGE", Align::Right),
        ];
        columns.extend(FIGURES);
        columns.extend(COUNTED.iter().filter(|_| counts));
        columns.push(("STATE", Align::Left));
        let mut table = Table::new(columns);
        for script in &self.0.scripts {
            for client in &script.clients {
                let mut line = vec![
                    name(script),
                    format!("#{}", client.id),
                    client.client_type.to_string(),
                    address(client),
                    units::age(client.age),
                ];
                line.extend(figures(&Totals::of([client], &Default::default())));
                line.extend(counted(counts, client.statistics.as_ref()));
                line.push(state(client));
                table.push(line);
            }
        }
        write!(f, "{}\n{table}", heading(self.0))
    }
}

/// What every client has.
const FIGURES: [(&str, Align); 7] = [
    ("IN FLIGHT", Align::Right),
    ("QUEUED", Align::Right),
    ("LISTENERS", Align::Right),
    ("MESSAGES", Align::Right),
    ("BYTES", Align::Right),
    ("DROPPED", Align::Right),
    ("RECONNECTS", Align::Right),
];

/// What it has with the option `statistics`.
const COUNTED: [(&str, Align); 7] = [
    ("COMMANDS", Align::Right),
    ("ERRORS", Align::Right),
    ("FAILED", Align::Right),
    ("HEARD", Align::Right),
    ("P50", Align::Right),
    ("P99", Align::Right),
    ("MAX", Align::Right),
];

fn heading(snapshot: &ManagerSnapshot) -> String {
    let threads = &snapshot.callback_threads;
    format!(
        "{}: scripts {}, clients {} ({} down), tasks {}, callback threads busy {} of {}",
        humantime::format_rfc3339_seconds(snapshot.when),
        snapshot.scripts.len(),
        snapshot.totals.clients,
        snapshot.totals.disconnected,
        snapshot.tasks,
        threads.busy,
        threads.allowed,
    )
}

fn name(script: &ScriptSnapshot) -> String {
    match script.standing {
        ScriptStanding::Loaded => script.name.clone(),
        standing => format!("{} ({standing})", script.name),
    }
}

fn line(name: String, age: String, totals: &Totals, counts: bool) -> Vec<String> {
    let mut line = vec![
        name,
        age,
        units::count(totals.clients as u64),
        units::count(totals.disconnected as u64),
        units::count((totals.sessions.out + totals.blocking.out) as u64),
    ];
    line.extend(figures(totals));
    line.extend(counted(counts, totals.statistics.as_ref()));
    line
}

fn figures(totals: &Totals) -> [String; 7] {
    [
        units::count(totals.in_flight as u64),
        units::count(totals.requests.count as u64),
        units::count(totals.listeners as u64),
        units::count(totals.messages.count as u64),
        units::bytes(totals.bytes() as u64),
        units::count(totals.dropped),
        units::count(totals.reconnects),
    ]
}

fn counted(counts: bool, statistics: Option<&StatisticsSnapshot>) -> Vec<String> {
    let Some(counted) = statistics else {
        return vec![NONE.to_owned(); if counts { COUNTED.len() } else { 0 }];
    };
    let latency = |of: fn(&redis_manager_core::LatencySnapshot) -> u64| {
        let latency = counted.latency.as_ref();
        latency.map_or_else(|| NONE.to_owned(), |latency| units::micros(of(latency)))
    };
    vec![
        units::count(counted.commands),
        units::count(counted.errors),
        units::count(counted.timeouts + counted.failures),
        units::count(counted.messages_heard),
        latency(|latency| latency.p50_us),
        latency(|latency| latency.p99_us),
        latency(|latency| latency.max_us),
    ]
}

/// The limit of which the script has most.
fn fullest(limits: &[LimitSnapshot]) -> String {
    let share = |limit: &LimitSnapshot| {
        let used = limit.used? as u128;
        // Of a limit of 0 all is used.
        Some(
            (used * 1_000_000)
                .checked_div(limit.limit as u128)
                .unwrap_or(u128::MAX),
        )
    };
    let counted = limits.iter().filter(|limit| limit.used.is_some());
    let fullest = counted.max_by_key(|limit| share(limit));
    let printed = fullest.map(|limit| {
        let used = units::count(limit.used.unwrap_or_default() as u64);
        format!("{} {used}/{}", limit.name, units::count(limit.limit as u64))
    });
    printed.unwrap_or_else(|| NONE.to_owned())
}

fn address(client: &ClientSnapshot) -> String {
    match client.database {
        0 => client.address.clone(),
        database => format!("{}/{database}", client.address),
    }
}

fn state(client: &ClientSnapshot) -> String {
    match (client.state, &client.cause) {
        (StateSnapshot::Disconnected, Some(cause)) => format!("disconnected: {cause}"),
        (state, _) if client.shares.is_some() => format!("{state}, shared"),
        (state, _) => state.to_string(),
    }
}
