//! The layer under [`redis-manager`](https://docs.rs/redis-manager): who owns a client, where it connects
//! to, how it behaves, and the one connection that its calls share.
//!
//! Most users want the facade `redis-manager`. Those who want one kind of client alone depend on
//! `redis-manager-command` or `redis-manager-pubsub`, which bring this crate along.
//!
//! | what | where |
//! |---|---|
//! | ownership | [`ScriptHandle`], [`Gate`], [`ScriptOptions`] |
//! | configuration | [`RedisUri`], [`ClientOptions`], [`ClientResources`] |
//! | what all clients have in common | [`ScriptRedisClient`], [`ClientContext`], [`CloseReport`] |
//! | the connection | [`Connection`], [`route`] |
//! | what an operator sees | [`ClientSnapshot`], [`Latencies`] |
//! | telling what happened | [`Error`], [`ClientState`], [`ClientEvent`], [`ErrorSink`] |
//! | the BASIC client | [`RedisBasicClient`], [`UnderlyingClient`] |

mod basic_client;
mod callback;
mod callback_threads;
mod channel;
mod client_context;
mod client_id;
mod client_snapshot;
mod client_type;
mod close_report;
mod cluster;
mod connection;
mod connection_info;
mod credentials;
mod deadline;
mod error;
mod error_sink;
mod event;
mod gap;
mod gate;
mod last_caller;
mod listener_id;
mod namespace;
mod options;
mod pool;
pub mod request_bytes;
mod resources;
pub mod resp;
pub mod route;
mod script;
mod script_failure;
mod script_options;
mod script_redis_client;
mod state;
mod statistics;
#[cfg(feature = "tls")]
mod tls;
mod underlying;
mod uri;
mod usage;
mod wait;

pub use basic_client::RedisBasicClient;
pub use callback::{CallbackScope, as_callback, in_callback};
pub use callback_threads::CallbackThreadsSnapshot;
pub use channel::{Channel, ChannelKind};
pub use client_context::{ClientContext, InFlight, Teardown};
pub use client_id::ClientId;
pub use client_snapshot::{
    ClientSnapshot, LatencySnapshot, PoolSnapshot, StateSnapshot, StatisticsSnapshot, Waiting,
};
pub use client_type::ClientType;
pub use close_report::{CloseOutcome, CloseReport};
pub use connection::{
    Backoff, Confirmation, Connection, Detour, ExclusiveConnection, FrequentLooks, PushSink,
    SocketId,
};
pub use credentials::{Credentials, CredentialsProvider, CredentialsRotation, RotatingCredentials};
pub use deadline::Deadline;
pub use error::{Delivery, Error, ErrorKind, Result};
pub use error_sink::ErrorSink;
pub use event::{ClientEvent, EventStream};
pub use gap::Gap;
pub use gate::{Gate, GatePass};
pub use listener_id::ListenerId;
pub use namespace::{DeniedCommands, KeyPrefix};
pub use options::{
    ClientOptions, ClientOptionsBuilder, DisconnectedBehavior, Overflow, Pem, Protocol, ReadFrom,
    ReplayFilter, SocketOptions, TlsOptions,
};
pub use resources::{ClientResources, ClientResourcesBuilder};
pub use script::ScriptHandle;
pub use script_failure::{FailureCause, ScriptFailure};
pub use script_options::{LimitName, ScriptLimits, ScriptOptions};
pub use script_redis_client::{OpenRedisClient, ScriptRedisClient};
pub use state::ClientState;
pub use statistics::Latencies;
pub use underlying::UnderlyingClient;
pub use uri::{IntoRedisUri, RedisNode, RedisTopology, RedisUri, RedisUriBuilder, VerifyPeer};
pub use usage::Share;
pub use wait::wait;

pub use deadpool_redis;
pub use redis;
