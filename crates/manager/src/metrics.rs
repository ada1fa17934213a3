//! The snapshot through the `metrics` facade.

mod catalogue;
#[cfg(test)]
mod tests;

use metrics::{Label, counter, gauge};
use redis_manager_core::{ClientSnapshot, LatencySnapshot};

use crate::{ManagerSnapshot, RedisManager, ScriptSnapshot, ScriptStanding};
use catalogue::{
    CALLS, COUNTERS, GAUGES, LATENCY, LIMIT, LIMIT_USED, OF_THE_MANAGER, described, number,
};

/// Tells the recorder what each metric means, and in which unit it is. For once, when the recorder is installed.
///
/// Needs the feature `metrics`.
pub fn describe_metrics() {
    for (name, unit, description, is_counter) in described() {
        if is_counter {
            metrics::describe_counter!(name, unit, description);
        } else {
            metrics::describe_gauge!(name, unit, description);
        }
    }
}

impl RedisManager {
    /// Takes a [snapshot](Self::snapshot) and [records](ManagerSnapshot::record_metrics) it. Does not block. For each
    /// scrape, or a timer of the host; nothing is recorded otherwise, and a call costs nothing more.
    ///
    /// Needs the feature `metrics`.
    pub fn record_metrics(&self) {
        self.snapshot().record_metrics();
    }
}

impl ManagerSnapshot {
    /// Sets gauges and counters of the recorder that is installed: `redis_manager_…`, as [`describe_metrics`] describes
    /// them.
    ///
    /// What belongs to a client has the labels `script`, `client` (its number), `client_type` and `address`; a latency
    /// besides that `quantile`, with `1` for the longest. A client's number is never used twice in a process, so that a
    /// counter never goes backwards, whichever generation of the script the client belongs to. A script's limits have
    /// the labels `script` and `limit`, and are those of the generation that has the name.
    ///
    /// The series of clients that are closed stay at their last value until the recorder expires them. That of
    /// `metrics-exporter-prometheus` does so with `PrometheusBuilder::idle_timeout(MetricKindMask::ALL, …)`: a time
    /// longer than that between two records, because each record touches all that is there.
    ///
    /// Needs the feature `metrics`.
    ///
    /// ```
    /// # fn example(manager: redis_manager::RedisManager) {
    /// redis_manager::describe_metrics(); // once
    /// manager.record_metrics();          // at each scrape
    /// # }
    /// ```
    pub fn record_metrics(&self) {
        for (name, _, _, value) in OF_THE_MANAGER {
            gauge!(*name).set(number(value(self)));
        }
        for script in &self.scripts {
            if script.standing == ScriptStanding::Loaded {
                record_limits(script);
            }
            for client in &script.clients {
                record_client(client, labels(script, client));
            }
        }
    }
}

fn labels(script: &ScriptSnapshot, client: &ClientSnapshot) -> Vec<Label> {
    vec![
        Label::new("script", script.name.clone()),
        Label::new("client", client.id.to_string()),
        Label::new("client_type", client.client_type.to_string()),
        Label::new("address", client.address.clone()),
    ]
}

fn record_limits(script: &ScriptSnapshot) {
    for limit in &script.limits {
        let labels = vec![
            Label::new("script", script.name.clone()),
            Label::new("limit", limit.name.name()),
        ];
        if let Some(used) = limit.used {
            gauge!(LIMIT_USED.0, labels.clone()).set(number(used as u64));
        }
        gauge!(LIMIT.0, labels).set(number(limit.limit as u64));
    }
}

fn record_client(client: &ClientSnapshot, labels: Vec<Label>) {
    for (name, _, _, value) in GAUGES {
        gauge!(*name, labels.clone()).set(number(value(client)));
    }
    for (name, _, _, value) in COUNTERS {
        counter!(*name, labels.clone()).absolute(value(client));
    }
    let Some(statistics) = &client.statistics else {
        return;
    };
    for (name, _, _, value) in CALLS {
        counter!(*name, labels.clone()).absolute(value(statistics));
    }
    if let Some(latency) = &statistics.latency {
        record_latency(latency, &labels);
    }
}

fn record_latency(latency: &LatencySnapshot, labels: &[Label]) {
    let quantiles = [
        ("0.5", latency.p50_us),
        ("0.9", latency.p90_us),
        ("0.99", latency.p99_us),
        ("0.999", latency.p999_us),
        ("1", latency.max_us),
    ];
    for (quantile, micros) in quantiles {
        let mut labels = labels.to_vec();
        labels.push(Label::new("quantile", quantile));
        gauge!(LATENCY.0, labels).set(number(micros) / 1e6);
    }
}
