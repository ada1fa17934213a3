//! Every row of the feature table on a real server, blocking and asynchronous, RESP2 and RESP3.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod fixture;
#[path = "../faults/random.rs"]
mod random;

mod bad_uris;
mod basic_client;
mod blocked_listeners;
mod blocking;
mod bursts;
mod closing;
mod closing_callbacks;
mod cluster_commands;
mod cluster_failover;
mod cluster_fixture;
mod cluster_opening;
mod cluster_outages;
mod cluster_resharding;
mod cluster_scripts;
mod cluster_sessions;
mod command_client;
mod configured;
mod credentials;
mod credentials_storm;
mod culprits;
mod denied_commands;
mod differential;
mod differential_cases;
mod error_sinks;
mod executors;
mod failures;
mod gaps;
mod handshakes;
mod lazy_connect;
mod leading;
mod limits;
mod listener_calls;
mod listener_drops;
mod listener_ends;
mod listener_queues;
mod listeners;
mod listening;
mod local_listeners;
mod mailbox;
mod mailbox_budgets;
mod mailbox_ends;
mod mailbox_hook;
mod mailbox_listeners;
mod message_streams;
mod misbehaving_callbacks;
mod mistakes;
mod namespace;
mod namespace_fuzz;
mod namespace_pubsub;
mod namespace_sharing;
mod namespace_walk;
mod nested_blocking;
mod opening;
mod opening_layers;
mod ownership;
mod patterns;
mod permissions_lost;
mod pubsub_client;
mod pubsub_limits;
mod quickstart;
mod reconnect;
mod reconnect_closing;
mod reconnect_faults;
mod reconnect_liars;
mod reconnect_options;
mod reconnect_pubsub;
mod registering_many;
mod reloading;
mod routing;
mod routing_walk;
mod script_commands;
mod scripts_and_scans;
mod sentinel;
mod sentinel_access;
mod sentinel_failover;
mod session;
mod session_connections;
mod shard_channels;
mod sharing;
mod sharing_closing;
mod sharing_listeners;
mod sharing_storm;
mod slot_walk;
mod snapshots;
mod snapshots_of_many;
mod threads;
mod tls;
mod tls_certificates;
mod tls_fixture;
mod tls_mistakes;
mod transactions;
mod unix_sockets;
mod unload;
mod unload_races;
mod unregistering;
mod uri_forms;
