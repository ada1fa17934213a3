//! Redis for the scripts and plugins of a Rust host: a script opens clients, the manager knows who owns
//! them, and when the script is unloaded nothing of it is left — no socket, no thread, no callback —
//! while nothing else is disturbed. The Rust counterpart of PySpigot's Redis manager.
//!
//! ```no_run
//! use redis_manager::prelude::*;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let manager = RedisManager::new()?;                                   // its own small I/O runtime
//! let economy = manager.load_script("economy")?;
//!
//! let client = manager.open::<RedisCommandClient>(&economy, ("localhost", 6379))?;
//! client.commands().set::<_, _, ()>("balance:alice", 100)?;             // blocks, from any thread
//! let balance: i64 = client.async_commands().get("balance:alice").await?; // a future, under any executor
//!
//! let chat = manager.load_script("chat")?;
//! let options = manager.new_client_options().command_timeout(Duration::from_secs(2)).build()?;
//! let pubsub = manager.open_with::<RedisPubSubClient>(&chat, "redis://:secret@localhost:6379/0", options)?;
//! let greeter = pubsub.register_listener("global", |message: &Message| {
//!     println!("heard {}", message.payload_str()?);
//!     Ok(())
//! })?;                                                                  // the server has confirmed it
//! let receivers = pubsub.publish("global", "hello")?;
//! greeter.unregister()?;
//!
//! let basic = manager.open_redis_client(&chat, ClientType::Basic, ("localhost", 6379, "secret"))?;
//! let underlying = basic.redis_client();                                // what the redis crate offers
//!
//! let report = manager.unload_script(&chat);                            // drained, cut off, failed
//! # Ok(()) }
//! ```
//!
//! Start with [`RedisManager`]; then [`RedisCommandClient`], [`RedisPubSubClient`] and
//! [`RedisBasicClient`]; [`RedisUri`] and [`ClientOptions`] say where and how to connect, [`ErrorKind`]
//! what can go wrong.
//!
//! **Blocking and asynchronous.** A method without a suffix blocks its thread, and works from any
//! thread: a plain one, a worker of a tokio runtime, a listener callback, `Drop`. Its twin ending in
//! `_async` returns a future, for any executor.
//!
//! A blocking call inside an asynchronous task holds up the task's worker thread; the library warns of
//! it once through `tracing`, where events such as a lost connection go too.
//!
//! **Listening.** Where a listener's code runs, what it can miss and how it learns of that is the subject of the guide
//! `docs/pubsub.md` in the repository. [`Mailbox`] is for engines whose values are not `Send`.
//!
//! **Names in examples.** `redis_manager_core::X`, `redis_manager_command::X` and
//! `redis_manager_pubsub::X` are here `redis_manager::X`.
//!
//! **Features.** `acl`, `geospatial` and `streams` (on by default), `bloom` and `json` forward to those
//! of the `redis` crate, which is re-exported as [`redis`]. `metrics`, off by default, records the
//! [snapshot](RedisManager::snapshot) through the `metrics` facade.

mod any_client;
mod command_name;
mod config;
mod mailbox;
mod manager;
#[cfg(feature = "metrics")]
mod metrics;
mod open_target;
pub mod prelude;
mod registry;
mod script_command;
mod script_value;
mod snapshot;
mod unload_report;

pub use any_client::AnyClient;
pub use config::{
    ManagerConfig, PrefixTemplate, ResourcesConfig, ScriptConfig, SentinelConfig, ServerConfig,
};
pub use mailbox::{Budget, Mailbox, Polled, ScriptFuture};
pub use manager::{RedisManager, ScriptReload};
#[cfg(feature = "metrics")]
pub use metrics::describe_metrics;
pub use open_target::{Named, OpenTarget, Target, named};
pub use script_command::ScriptCommand;
pub use script_value::{ScriptValue, ValueLimits};
pub use snapshot::{
    ByClient, LimitSnapshot, ManagerSnapshot, ScriptSnapshot, ScriptStanding, Totals,
};
pub use unload_report::UnloadReport;

pub use redis_manager_command::{
    RedisAsyncCommands, RedisAsyncSession, RedisAsyncTransaction, RedisCommandClient,
    RedisCommands, RedisSession, RedisTransaction,
};
pub use redis_manager_core::{
    CallbackThreadsSnapshot, Channel, ChannelKind, ClientContext, ClientEvent, ClientId,
    ClientOptions, ClientOptionsBuilder, ClientResources, ClientResourcesBuilder, ClientSnapshot,
    ClientState, ClientType, CloseOutcome, CloseReport, Connection, Credentials,
    CredentialsProvider, CredentialsRotation, Delivery, DeniedCommands, DisconnectedBehavior,
    Error, ErrorKind, ErrorSink, EventStream, FailureCause, Gap, Gate, IntoRedisUri, KeyPrefix,
    Latencies, LatencySnapshot, LimitName, ListenerId, OpenRedisClient, Overflow, Pem,
    PoolSnapshot, Protocol, PushSink, ReadFrom, RedisBasicClient, RedisNode, RedisTopology,
    RedisUri, RedisUriBuilder, ReplayFilter, Result, RotatingCredentials, ScriptFailure,
    ScriptHandle, ScriptLimits, ScriptOptions, ScriptRedisClient, SocketId, SocketOptions,
    StateSnapshot, StatisticsSnapshot, TlsOptions, UnderlyingClient, VerifyPeer, Waiting,
};
pub use redis_manager_pubsub::{
    Delivered, ListenerBuilder, ListenerError, ListenerEvent, ListenerResult, LocalListener,
    Message, MessageStream, RedisPubSubClient, ScriptPubSubListener,
};

pub use redis_manager_core::{deadpool_redis, redis};

/// The README, whose examples are compiled with the documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;

/// The guide for operators, likewise.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/operating.md")]
struct OperatingGuide;

/// The guide to configurations, likewise.
#[cfg(all(doctest, feature = "tls"))]
#[doc = include_str!("../../../docs/deployment.md")]
struct DeploymentGuide;

/// The guide to listeners, likewise.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/pubsub.md")]
struct ListenersGuide;
