//! The `redis` crate: its multiplexed connection, as it comes and tuned. RESP2, its default.

use redis_manager::redis::aio::MultiplexedConnection;
use redis_manager::redis::{AsyncConnectionConfig, Client};

use super::typed::Typed;
use crate::role::{Load, Peer};

pub(crate) struct Default(Client);

impl Peer for Default {
    type Client = Typed<MultiplexedConnection>;

    async fn start(load: Load) -> Self {
        Self(client(load))
    }

    async fn open(&self) -> Self::Client {
        Typed(connect(&self.0).await)
    }
}

/// Without a timeout, and with room for all calls in the channel and in the buffer that is written.
pub(crate) struct Tuned {
    client: Client,
    config: AsyncConnectionConfig,
}

impl Peer for Tuned {
    type Client = Typed<MultiplexedConnection>;

    async fn start(load: Load) -> Self {
        Self {
            client: client(load),
            config: AsyncConnectionConfig::new()
                .set_response_timeout(None)
                .set_pipeline_buffer_size(load.depth.max(50))
                .set_write_backpressure_boundary(256 * 1024),
        }
    }

    async fn open(&self) -> Self::Client {
        let connection = self
            .client
            .get_multiplexed_async_connection_with_config(&self.config);
        Typed(connection.await.expect("a connection"))
    }
}

pub(crate) fn client(load: Load) -> Client {
    Client::open(load.url()).expect("a URL")
}

pub(crate) async fn connect(client: &Client) -> MultiplexedConnection {
    let connection = client.get_multiplexed_async_connection().await;
    connection.expect("a connection")
}
