//! Rhai scripts on a real server.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod clients;
mod commands;
mod errors;
mod fixture;
mod futures;
mod limits;
mod listeners;
mod reload;
mod shipped;
mod threads;
mod unload;
mod values;
