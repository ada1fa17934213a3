use std::collections::{BTreeMap, HashSet};

use metrics_util::MetricKind;
use metrics_util::debugging::{DebugValue, DebuggingRecorder};

use super::*;
use crate::snapshot::tests::snapshot;

/// Records with a recorder of our own, and returns each series as text with its value.
fn recorded(record: impl FnOnce()) -> BTreeMap<String, DebugValue> {
    let recorder = DebuggingRecorder::new();
    metrics::with_local_recorder(&recorder, record);
    let series = recorder.snapshotter().snapshot().into_vec().into_iter();
    let series = series.map(|(key, unit, description, value)| {
        let (kind, key) = key.into_parts();
        assert!(
            unit.is_some() && description.is_some(),
            "{key} is described"
        );
        let is_counter = key.name().ends_with("_total");
        assert_eq!(kind == MetricKind::Counter, is_counter, "{key}");
        let labels = key
            .labels()
            .map(|label| format!("{}={}", label.key(), label.value()));
        let labels: Vec<_> = labels.collect();
        (format!("{}{{{}}}", key.name(), labels.join(",")), value)
    });
    series.collect()
}

#[test]
fn every_figure_of_a_client_is_a_series_with_its_labels() {
    let snapshot = snapshot();
    let series = recorded(|| {
        describe_metrics();
        snapshot.record_metrics();
    });
    let gauge = |value: f64| DebugValue::Gauge(value.into());
    let economy = "script=economy,client=1,client_type=COMMAND,address=localhost:6379";
    let chat = "script=chat,client=3,client_type=PUB_SUB,address=localhost:6379";
    let of = |name: &str, labels: &str| &series[&format!("redis_manager_{name}{{{labels}}}")];
    assert_eq!(of("scripts", ""), &gauge(2.0));
    assert_eq!(of("callback_threads_busy", ""), &gauge(1.0));
    assert_eq!(of("in_flight", economy), &gauge(3.0));
    assert_eq!(of("request_bytes_queued", economy), &gauge(1_500.0));
    assert_eq!(of("commands_total", economy), &DebugValue::Counter(12_345));
    assert_eq!(of("connected", economy), &gauge(1.0));
    assert_eq!(of("connected", chat), &gauge(0.0));
    assert_eq!(
        of("messages_dropped_total", chat),
        &DebugValue::Counter(1_200_000)
    );
    let slowest = format!("{economy},quantile=1");
    assert_eq!(of("latency_seconds", &slowest), &gauge(0.014));
    let limit = "script=economy,limit=commands_in_flight";
    assert_eq!(of("limit", limit), &gauge(4.0));
    assert_eq!(of("limit_used", limit), &gauge(3.0));
}

#[test]
fn without_statistics_there_are_no_series_of_them() {
    let mut snapshot = snapshot();
    snapshot.scripts.remove(0);
    let series = recorded(|| {
        describe_metrics();
        snapshot.record_metrics();
    });
    assert!(
        series
            .keys()
            .any(|name| name.starts_with("redis_manager_losses_total"))
    );
    assert!(
        !series
            .keys()
            .any(|name| name.starts_with("redis_manager_commands_total"))
    );
    assert!(
        !series
            .keys()
            .any(|name| name.starts_with("redis_manager_latency"))
    );
    // The limits of a generation that is leaving would overwrite those of the one that has the name.
    assert!(
        !series
            .keys()
            .any(|name| name.starts_with("redis_manager_limit"))
    );
}

#[test]
fn every_name_is_described_once() {
    let names: Vec<_> = described().map(|(name, ..)| name).collect();
    let unique: HashSet<_> = names.iter().collect();
    assert_eq!(unique.len(), names.len());
    assert!(names.iter().all(|name| name.starts_with("redis_manager_")));
}
