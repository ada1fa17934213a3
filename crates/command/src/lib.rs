//! `RedisCommandClient`: Redis commands for scripts, blocking and asynchronous, over one shared
//! connection, with sessions for what needs a connection of its own.
//!
//! Part of [`redis-manager`](https://docs.rs/redis-manager), and usable alone:
//!
//! ```no_run
//! use redis_manager_command::core::{ClientOptions, ClientResources, OpenRedisClient, ScriptHandle};
//! use redis_manager_command::{RedisCommandClient, redis::Commands};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let resources = ClientResources::new()?;
//! let script = ScriptHandle::new("economy");
//! let uri = "redis://localhost".parse()?;
//! let client = RedisCommandClient::open(&script, uri, ClientOptions::default(), &resources)?;
//! client.commands().set::<_, _, ()>("balance:alice", 100)?;
//! # Ok(()) }
//! ```

mod async_commands;
mod async_session;
mod call_span;
mod client;
mod commands;
mod condition;
mod connection_pool;
mod lease;
mod node_pools;
mod roaming;
mod session;
mod session_pool;

pub use async_commands::RedisAsyncCommands;
pub use async_session::{RedisAsyncSession, RedisAsyncTransaction};
pub use client::RedisCommandClient;
pub use commands::RedisCommands;
pub use session::{RedisSession, RedisTransaction};

pub use redis_manager_core as core;
pub use redis_manager_core::redis;
