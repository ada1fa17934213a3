//! Who takes part.

pub(crate) mod deadpool_redis;
pub(crate) mod fred;
pub(crate) mod raw_socket;
pub(crate) mod redis_manager;
pub(crate) mod redis_rs;
pub(crate) mod rustis;
pub(crate) mod typed;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Contestant {
    RedisManager,
    RedisManagerAsync,
    RedisManagerAsleep,
    RedisManagerWatched,
    RedisManagerShared,
    RedisRs,
    RedisRsTuned,
    RedisRsBlocking,
    DeadpoolRedis,
    Fred,
    Rustis,
    RawSocket,
    TokioBroadcast,
    ThroughAsyncCommands,
    TypedBareConnection,
    BareConnection,
}

impl Contestant {
    pub(crate) const ALL: [Self; 16] = [
        Self::RedisManager,
        Self::RedisManagerAsync,
        Self::RedisManagerAsleep,
        Self::RedisManagerWatched,
        Self::RedisManagerShared,
        Self::RedisRs,
        Self::RedisRsTuned,
        Self::RedisRsBlocking,
        Self::DeadpoolRedis,
        Self::Fred,
        Self::Rustis,
        Self::RawSocket,
        Self::TokioBroadcast,
        Self::ThroughAsyncCommands,
        Self::TypedBareConnection,
        Self::BareConnection,
    ];

    pub(crate) fn id(self) -> &'static str {
        match self {
            Self::RedisManager => "redis-manager",
            Self::RedisManagerAsync => "redis-manager async",
            Self::RedisManagerAsleep => "redis-manager asleep",
            Self::RedisManagerWatched => "redis-manager watched",
            Self::RedisManagerShared => "redis-manager shared",
            Self::RedisRs => "redis-rs",
            Self::RedisRsTuned => "redis-rs tuned",
            Self::RedisRsBlocking => "redis-rs blocking",
            Self::DeadpoolRedis => "deadpool-redis",
            Self::Fred => "fred",
            Self::Rustis => "rustis",
            Self::RawSocket => "raw socket",
            Self::TokioBroadcast => "tokio broadcast",
            Self::ThroughAsyncCommands => "through async_commands()",
            Self::TypedBareConnection => "typed on core's connection",
            Self::BareConnection => "bare connection of core",
        }
    }

    pub(crate) fn by_id(id: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|contestant| contestant.id() == id)
    }
}
