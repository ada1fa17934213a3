//! Publishing.

use redis_manager_core::redis::{ToSingleRedisArg, cmd, from_redis_value};
use redis_manager_core::{Channel, ChannelKind, Error, ErrorKind, Result, ScriptRedisClient, wait};

use super::RedisPubSubClient;

impl RedisPubSubClient {
    /// Publishes `payload` on `channel`, blocking the thread, and returns how many clients received it;
    /// see <https://redis.io/docs/latest/commands/publish/>. The same as
    /// [`publish_sync`](Self::publish_sync).
    ///
    /// # Errors
    ///
    /// As that.
    pub fn publish(
        &self,
        channel: impl Into<Channel>,
        payload: impl ToSingleRedisArg,
    ) -> Result<u64> {
        self.publish_sync(channel, payload)
    }

    /// Publishes `payload` on `channel`, blocking the thread, and returns how many clients received it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Server`] if the server refuses, [`ErrorKind::Timeout`] after the command timeout,
    /// [`ErrorKind::Disconnected`], [`ErrorKind::Closed`]; [`ErrorKind::InvalidArgument`] if `channel` is a
    /// pattern; [`ErrorKind::WouldDeadlock`] on an I/O thread of the library.
    pub fn publish_sync(
        &self,
        channel: impl Into<Channel>,
        payload: impl ToSingleRedisArg,
    ) -> Result<u64> {
        wait(self.publish_async(channel, payload))?
    }

    /// Publishes `payload` on `channel` and completes with how many clients received it.
    ///
    /// # Errors
    ///
    /// As [`publish_sync`](Self::publish_sync).
    pub async fn publish_async(
        &self,
        channel: impl Into<Channel>,
        payload: impl ToSingleRedisArg,
    ) -> Result<u64> {
        let channel = channel.into();
        let command = match channel.kind() {
            ChannelKind::Plain => "PUBLISH",
            ChannelKind::Shard => "SPUBLISH",
            _ => {
                let message = format!("nothing can be published to the {channel}");
                return Err(self.context().error(ErrorKind::InvalidArgument, message));
            }
        };
        let mut publish = cmd(command);
        publish.arg(channel.name()).arg(payload);
        let reply = self.0.connection.request_routed(&publish).await?;
        let receivers = reply
            .extract_error()
            .and_then(|reply| Ok(from_redis_value(reply)?));
        receivers.map_err(|error| {
            Error::from(error)
                .with_command(command)
                .with_client(self.client_id())
        })
    }
}
