use std::time::{Duration, UNIX_EPOCH};

use redis_manager_core::{
    CallbackThreadsSnapshot, ClientSnapshot, Latencies, LatencySnapshot, LimitName,
};
use serde_json::{Value, json};

use super::*;

fn client(id: u64, client_type: &str, more: &Value) -> ClientSnapshot {
    let nothing = json!({"count": 0, "bytes": 0});
    let no_pool = json!({"out": 0, "idle": 0, "waiting": 0});
    let mut client = json!({
        "id": id, "client_type": client_type, "address": "localhost:6379", "database": 0,
        "state": "connected", "cause": null, "shares": null, "age": "2m 3s", "in_flight": 0, "requests": nothing,
        "sessions": no_pool, "blocking": no_pool, "listeners": 0, "channels": 0, "messages": nothing,
        "dropped": 0, "listener_failures": 0, "losses": 0, "reconnects": 0, "statistics": null,
    });
    let fields = more.as_object().unwrap();
    let client_fields = client.as_object_mut().unwrap();
    client_fields.extend(fields.clone());
    serde_json::from_value(client).unwrap()
}

fn economy() -> Vec<ClientSnapshot> {
    let statistics = json!({
        "commands": 12_345, "errors": 2, "timeouts": 1, "failures": 3, "bytes_sent": 500_000,
        "messages_heard": 0,
        "latency": {"p50_us": 42, "p90_us": 60, "p99_us": 1_250, "p999_us": 2_000, "max_us": 14_000},
    });
    vec![
        client(
            1,
            "COMMAND",
            &json!({
                "in_flight": 3, "requests": {"count": 2, "bytes": 1_500}, "reconnects": 1, "losses": 1,
                "sessions": {"out": 1, "idle": 2, "waiting": 0}, "statistics": statistics,
            }),
        ),
        client(2, "BASIC", &json!({"state": "idle", "database": 3})),
    ]
}

fn chat() -> Vec<ClientSnapshot> {
    let lost = json!({
        "state": "disconnected", "cause": "the connection to localhost:6379 was lost",
        "listeners": 12, "channels": 4, "messages": {"count": 65_536, "bytes": 2_000_000},
        "dropped": 1_200_000, "losses": 1,
    });
    vec![client(3, "PUB_SUB", &lost)]
}

pub(crate) fn snapshot() -> ManagerSnapshot {
    let script = |name, generation, standing, limits, clients| {
        let whose = (name, generation, standing);
        let age = Duration::from_secs(7_300);
        ScriptSnapshot::new(whose, age, limits, clients, &Latencies::default())
    };
    let limits = vec![
        LimitSnapshot::new(LimitName::Clients, 4, Some(2)),
        LimitSnapshot::new(LimitName::CommandsInFlight, 4, Some(3)),
        LimitSnapshot::new(LimitName::OperationsPerSecond, 1, None),
    ];
    let scripts = vec![
        script("economy", 1, ScriptStanding::Loaded, limits, economy()),
        script("chat", 2, ScriptStanding::Leaving, Vec::new(), chat()),
    ];
    let when = UNIX_EPOCH + Duration::from_secs(1_795_000_000);
    let mut threads = CallbackThreadsSnapshot::default();
    (threads.busy, threads.allowed) = (1, 16);
    let mut snapshot = ManagerSnapshot::new(when, scripts, &Latencies::default(), 9, threads);
    // A percentile cannot be made from those of others.
    let latency: LatencySnapshot = snapshot.scripts[0].clients[0]
        .statistics
        .and_then(|counted| counted.latency)
        .unwrap();
    for totals in [&mut snapshot.totals, &mut snapshot.scripts[0].totals] {
        if let Some(statistics) = &mut totals.statistics {
            statistics.latency = Some(latency);
        }
    }
    snapshot
}

#[test]
fn the_sums_are_those_of_all_clients() {
    let clients: Vec<_> = economy().into_iter().chain(chat()).collect();
    let totals = Totals::of(&clients, &Latencies::default());
    assert_eq!((totals.clients, totals.disconnected), (3, 1));
    assert_eq!((totals.in_flight, totals.requests.count), (3, 2));
    assert_eq!((totals.listeners, totals.channels), (12, 4));
    assert_eq!(totals.bytes(), 2_001_500);
    assert_eq!((totals.losses, totals.reconnects), (2, 1));
    assert_eq!((totals.dropped, totals.sessions.idle), (1_200_000, 2));
    // Of the clients that have them; a percentile is no sum.
    let statistics = totals.statistics.unwrap();
    assert_eq!((statistics.commands, statistics.errors), (12_345, 2));
    assert_eq!(statistics.latency, None);
    assert_eq!(Totals::of(&chat(), &Latencies::default()).statistics, None);
}

#[test]
fn what_waits_on_a_shared_connection_counts_once() {
    let shared = json!({"shares": 7, "requests": {"count": 2, "bytes": 50}});
    let clients = [
        client(1, "COMMAND", &shared),
        client(2, "COMMAND", &shared),
        client(
            3,
            "COMMAND",
            &json!({"requests": {"count": 1, "bytes": 10}}),
        ),
    ];
    let requests = Totals::of(&clients, &Latencies::default()).requests;
    assert_eq!((requests.count, requests.bytes), (3, 60));
}

#[test]
fn the_table_has_a_line_a_script_and_the_sums() {
    let expected = "\
2026-11-18T11:06:40Z: scripts 2, clients 3 (1 down), tasks 9, callback threads busy 1 of 16
SCRIPT          AGE  CLIENTS  DOWN  SESSIONS  IN FLIGHT  QUEUED  LISTENERS  MESSAGES  BYTES  DROPPED  RECONNECTS  COMMANDS  ERRORS  FAILED  HEARD   P50    P99   MAX  FULLEST LIMIT
economy          2h        2     0         1          3       2          0         0  1.5kB        0           1       12k       2       4      0  42µs  1.2ms  14ms  commands_in_flight 3/4
chat (leaving)   2h        1     1         0          0       0         12       65k  2.0MB     1.2M           0         -       -       -      -     -      -     -  -
total                      3     1         1          3       2         12       65k  2.0MB     1.2M           1       12k       2       4      0  42µs  1.2ms  14ms";
    assert_eq!(snapshot().to_string(), expected);
}

#[test]
fn the_other_table_has_a_line_a_client_and_says_why_one_is_down() {
    let expected = "\
2026-11-18T11:06:40Z: scripts 2, clients 3 (1 down), tasks 9, callback threads busy 1 of 16
SCRIPT          CLIENT  TYPE     ADDRESS           AGE  IN FLIGHT  QUEUED  LISTENERS  MESSAGES  BYTES  DROPPED  RECONNECTS  COMMANDS  ERRORS  FAILED  HEARD   P50    P99   MAX  STATE
economy             #1  COMMAND  localhost:6379     2m          3       2          0         0  1.5kB        0           1       12k       2       4      0  42µs  1.2ms  14ms  connected
economy             #2  BASIC    localhost:6379/3   2m          0       0          0         0     0B        0           0         -       -       -      -     -      -     -  idle
chat (leaving)      #3  PUB_SUB  localhost:6379     2m          0       0         12       65k  2.0MB     1.2M           0         -       -       -      -     -      -     -  disconnected: the connection to localhost:6379 was lost";
    assert_eq!(snapshot().by_client().to_string(), expected);
}

#[test]
fn without_statistics_and_limits_their_columns_are_not_there() {
    let mut snapshot = snapshot();
    snapshot.scripts.remove(0);
    snapshot.totals = snapshot.scripts[0].totals.clone();
    let printed = snapshot.to_string();
    let heading = printed.lines().nth(1).unwrap();
    assert!(heading.ends_with("RECONNECTS"), "{heading}");
    assert_eq!(printed.lines().count(), 3, "one script needs no sums");
}

#[test]
fn it_reads_back_as_it_was_written() {
    let before = snapshot();
    let text = serde_json::to_string(&before).unwrap();
    assert!(text.contains(r#""when":"2026-11-18T11:06:40Z""#), "{text}");
    assert!(text.contains(r#""age":"2h 1m 40s""#), "{text}");
    let after: ManagerSnapshot = serde_json::from_str(&text).unwrap();
    assert_eq!(after, before);
}
