//! What the connection promises while servers die, stall, lie and come back. Seeded; a short form by
//! default, and with `REDIS_MANAGER_FAULTS=long` the form that makes the figures of
//! `docs/reliability.md`:
//!
//! ```sh
//! REDIS_MANAGER_FAULTS=long cargo test --release -p redis-manager-tests --test faults -- --nocapture
//! ```
#![cfg(target_os = "linux")] // It looks at the process through /proc.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and a run prints its report"
)]

mod chronicle;
mod harness;
mod process;
mod proxy;
mod publisher;
mod random;
#[path = "../integration/tls_fixture.rs"]
#[allow(dead_code, reason = "the integration tests use the rest")]
mod tls_fixture;
mod told;

mod blocking_conservation;
mod cancel_storm;
mod cluster_storm;
mod cure_matrix;
mod deaf_listener;
mod herd;
mod idle_clients;
mod increment_ledger;
mod kill_storm;
mod lying_server;
mod numbered_messages;
mod outage;
mod reply_matching;
mod restore_storm;
mod sentinel_failovers;
mod silent_peer;
mod soak;
mod unload_storm;
