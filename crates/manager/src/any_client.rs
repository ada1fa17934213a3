//! A client whose kind is known only when the program runs.

use std::sync::Arc;

use async_trait::async_trait;
use redis_manager_command::RedisCommandClient;
use redis_manager_core::{
    ClientContext, ClientSnapshot, CloseReport, RedisBasicClient, ScriptRedisClient,
};
use redis_manager_pubsub::RedisPubSubClient;

/// A client of any kind, as `open_redis_client` returns it and as scripts are listed with. Cheap to
/// clone.
///
/// ```no_run
/// # fn example(client: redis_manager::AnyClient) {
/// use redis_manager::{AnyClient, ScriptRedisClient};
///
/// match &client {
///     AnyClient::Command(commands) => { commands.commands(); }
///     AnyClient::PubSub(pubsub) => { pubsub.connection(); }
///     AnyClient::Basic(basic) => { basic.redis_client(); }
/// }
/// println!("{} {}", client.client_type(), client.redis_uri());
/// # }
/// ```
#[derive(Clone, Debug)]
pub enum AnyClient {
    /// A BASIC client.
    Basic(RedisBasicClient),
    /// A COMMAND client.
    Command(RedisCommandClient),
    /// A PUB_SUB client.
    PubSub(RedisPubSubClient),
}

impl AnyClient {
    /// The BASIC client, if it is one.
    #[must_use]
    pub fn as_basic(&self) -> Option<&RedisBasicClient> {
        match self {
            Self::Basic(client) => Some(client),
            _ => None,
        }
    }

    /// The COMMAND client, if it is one.
    #[must_use]
    pub fn as_command(&self) -> Option<&RedisCommandClient> {
        match self {
            Self::Command(client) => Some(client),
            _ => None,
        }
    }

    /// The PUB_SUB client, if it is one.
    #[must_use]
    pub fn as_pub_sub(&self) -> Option<&RedisPubSubClient> {
        match self {
            Self::PubSub(client) => Some(client),
            _ => None,
        }
    }
}

#[async_trait]
impl ScriptRedisClient for AnyClient {
    fn context(&self) -> &Arc<ClientContext> {
        match self {
            Self::Basic(client) => client.context(),
            Self::Command(client) => client.context(),
            Self::PubSub(client) => client.context(),
        }
    }

    fn snapshot(&self) -> ClientSnapshot {
        match self {
            Self::Basic(client) => client.snapshot(),
            Self::Command(client) => client.snapshot(),
            Self::PubSub(client) => client.snapshot(),
        }
    }

    async fn close_async(&self) -> CloseReport {
        match self {
            Self::Basic(client) => client.close_async().await,
            Self::Command(client) => client.close_async().await,
            Self::PubSub(client) => client.close_async().await,
        }
    }
}

impl From<RedisBasicClient> for AnyClient {
    fn from(client: RedisBasicClient) -> Self {
        Self::Basic(client)
    }
}

impl From<RedisCommandClient> for AnyClient {
    fn from(client: RedisCommandClient) -> Self {
        Self::Command(client)
    }
}

impl From<RedisPubSubClient> for AnyClient {
    fn from(client: RedisPubSubClient) -> Self {
        Self::PubSub(client)
    }
}
