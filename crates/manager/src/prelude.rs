//! What most programs need: `use redis_manager::prelude::*;`.
//!
//! The `redis` crate comes along, in the version that this library is built on, with its command traits,
//! blocking and asynchronous. Its `Typed*` traits are left out: their methods have the same names.

pub use std::time::Duration;

pub use crate::redis::{self, AsyncCommands, Commands};
pub use crate::{
    AnyClient, Budget, Channel, ClientEvent, ClientOptions, ClientState, ClientType, CloseOutcome,
    Credentials, CredentialsProvider, Delivery, DeniedCommands, DisconnectedBehavior, Error,
    ErrorKind, FailureCause, Gap, KeyPrefix, ListenerEvent, ListenerResult, LocalListener, Mailbox,
    ManagerConfig, Message, MessageStream, Overflow, Protocol, RedisAsyncSession, RedisBasicClient,
    RedisCommandClient, RedisManager, RedisPubSubClient, RedisSession, RedisUri,
    RotatingCredentials, ScriptCommand, ScriptFailure, ScriptFuture, ScriptHandle, ScriptLimits,
    ScriptOptions, ScriptPubSubListener, ScriptRedisClient, ScriptReload, ScriptValue,
    UnderlyingClient, UnloadReport, named,
};
