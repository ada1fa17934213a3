//! The view for operators.

use std::time::SystemTime;

use redis_manager_core::{Latencies, LimitName, ScriptHandle, ScriptRedisClient, StateSnapshot};

use super::RedisManager;
use crate::AnyClient;
use crate::registry::Seen;
use crate::snapshot::{LimitSnapshot, ManagerSnapshot, ScriptSnapshot, whole_millis};

impl RedisManager {
    /// All scripts and their clients at this moment, in figures: what they do, what waits, what went wrong. Its `Display`
    /// is a table. Does not block, and disturbs no call: it takes some microseconds a client, and no lock for longer
    /// than it takes to read some numbers.
    ///
    /// Commands, errors and latencies are there if the resources were made with the option
    /// [`statistics`](crate::ClientResourcesBuilder::statistics).
    ///
    /// ```
    /// use redis_manager::{ClientResources, RedisManager};
    ///
    /// let resources = ClientResources::builder().statistics(true).build()?;
    /// let manager = RedisManager::with_resources(resources);
    /// manager.load_script("economy")?;
    /// let snapshot = manager.snapshot();
    /// println!("{snapshot}");
    /// println!("{}", snapshot.by_client());
    /// assert_eq!(snapshot.scripts[0].name, "economy");
    /// # Ok::<(), redis_manager::Error>(())
    /// ```
    #[must_use]
    pub fn snapshot(&self) -> ManagerSnapshot {
        let seen = self.0.registry.lock().seen();
        let mut all = Latencies::default();
        let scripts = seen.into_iter().map(|seen| script(seen, &mut all));
        let scripts = scripts.collect();
        let resources = &self.0.resources;
        let (tasks, threads) = (resources.alive_tasks(), resources.callback_threads());
        ManagerSnapshot::new(SystemTime::now(), scripts, &all, tasks, threads)
    }
}

/// Adds its latencies to those of `all`.
fn script(seen: Seen<AnyClient>, all: &mut Latencies) -> ScriptSnapshot {
    let mut latencies = Latencies::default();
    let mut clients = Vec::with_capacity(seen.clients.len());
    for client in &seen.clients {
        let snapshot = client.snapshot();
        if snapshot.state == StateSnapshot::Closed {
            continue;
        }
        if let Some(own) = client.context().latencies() {
            latencies.add(&own);
        }
        clients.push(snapshot);
    }
    all.add(&latencies);
    let script = &seen.script;
    ScriptSnapshot::new(
        (script.name(), script.generation(), seen.standing),
        whole_millis(script.age()),
        limits(script),
        clients,
        &latencies,
    )
}

fn limits(script: &ScriptHandle) -> Vec<LimitSnapshot> {
    let limits = LimitName::all().filter_map(|name| {
        let limit = script.options().limits().get(name)?;
        Some(LimitSnapshot::new(name, limit, script.used(name)))
    });
    limits.collect()
}
