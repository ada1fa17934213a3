//! What most programs need: `use redis_manager::prelude::*;`.
//!
//! The command traits of `redis` come along, blocking and asynchronous. Its `Typed*` traits do not:
//! their methods have the same names.

pub use std::time::Duration;

pub use crate::redis::{AsyncCommands, Commands};
pub use crate::{
    AnyClient, ClientEvent, ClientOptions, ClientState, ClientType, Error, ErrorKind,
    ListenerResult, Message, OpenRedisClient, RedisBasicClient, RedisCommandClient, RedisManager,
    RedisPubSubClient, RedisUri, ScriptHandle, ScriptPubSubListener, ScriptRedisClient,
    UnderlyingClient, UnloadReport,
};
