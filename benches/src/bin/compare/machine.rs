//! Where and how it is measured.

use std::collections::BTreeMap;
use std::env;
use std::process::Command;
use std::time::SystemTime;

use redis_manager_support::TestServer;
use sysinfo::{CpuRefreshKind, RefreshKind, System};

use crate::plan::Plan;
use crate::run::Machine;

const PEERS: [&str; 5] = ["redis-manager", "redis", "deadpool-redis", "fred", "rustis"];

pub(crate) fn describe(plan: &Plan, server: &TestServer) -> Machine {
    let cpus = RefreshKind::nothing().with_cpu(CpuRefreshKind::nothing());
    let mut system = System::new_with_specifics(cpus);
    system.refresh_memory();
    let cpu = system.cpus().first().map(|cpu| cpu.brand().to_owned());
    Machine {
        cpu: cpu.unwrap_or_default(),
        cores: system.cpus().len(),
        memory: system.total_memory(),
        kernel: System::kernel_long_version(),
        os: System::long_os_version().unwrap_or_default(),
        server: format!("{} {}", server.server_name(), server.version()),
        rustc: rustc(),
        peers: peers(),
        date: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
        command: command(),
        rounds: plan.rounds,
        seconds: plan.seconds,
    }
}

fn rustc() -> String {
    let output = Command::new("rustc").arg("--version").output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    text.unwrap_or_default()
}

fn command() -> String {
    let arguments: Vec<_> = env::args().skip(1).collect();
    format!("cargo compare {}", arguments.join(" "))
        .trim_end()
        .to_owned()
}

/// What this program was built with.
fn peers() -> BTreeMap<String, String> {
    let lock: toml::Table = include_str!("../../../../Cargo.lock")
        .parse()
        .expect("a lock file");
    let packages = lock["package"].as_array().into_iter().flatten();
    let named = packages.filter_map(|package| {
        let [name, version] = ["name", "version"].map(|key| package[key].as_str());
        Some((name?.to_owned(), version?.to_owned()))
    });
    named
        .filter(|(name, _)| PEERS.contains(&name.as_str()))
        .collect()
}
