//! The sockets behind a connection: one, or under RESP2 two where the client subscribes.

use std::sync::Arc;

use futures_util::StreamExt;
use redis::aio::{MultiplexedConnection, PubSubSink, PubSubStream};
use redis::{ProtocolVersion, PushInfo, PushKind, Value};

use super::PushSink;
use super::handshake;
use crate::{ClientContext, Error, ErrorKind, Result};

#[derive(Clone)]
pub(super) struct Link {
    commands: MultiplexedConnection,
    protocol: ProtocolVersion,
    subscriber: Subscriber,
}

#[derive(Clone)]
enum Subscriber {
    /// The connection was not opened to subscribe.
    None,
    /// RESP3: messages come as pushes on the same socket.
    Shared,
    /// RESP2: a socket that subscribes can do nothing else.
    Own(PubSubSink),
}

impl Link {
    pub(super) async fn open(
        context: Arc<ClientContext>,
        pushes: Option<PushSink>,
    ) -> Result<Self> {
        let timeout = context.options().connect_timeout();
        let address = context.uri().address();
        tokio::time::timeout(timeout, Self::connect(&context, pushes))
            .await
            .unwrap_or_else(|_| {
                Err(Error::new(
                    ErrorKind::Timeout,
                    format!("no connection to {address} within {timeout:?}"),
                ))
            })
            .map_err(|error| error.with_client(context.client_id()))
    }

    async fn connect(context: &Arc<ClientContext>, pushes: Option<PushSink>) -> Result<Self> {
        let opened = handshake::commands(context, pushes.clone()).await?;
        let subscriber = match (pushes, opened.protocol) {
            (None, _) => Subscriber::None,
            (Some(_), ProtocolVersion::RESP3) => Subscriber::Shared,
            (Some(pushes), _) => {
                let (sink, stream) = handshake::subscriber(context).await?;
                spawn_reader(context, stream, pushes);
                Subscriber::Own(sink)
            }
        };
        spawn_driver(context, opened.driver);
        Ok(Self {
            commands: opened.connection,
            protocol: opened.protocol,
            subscriber,
        })
    }

    pub(super) fn commands(&self) -> MultiplexedConnection {
        self.commands.clone()
    }

    pub(super) fn protocol(&self) -> ProtocolVersion {
        self.protocol
    }

    pub(super) async fn subscribe(&self, channel: &[u8]) -> Result<()> {
        match &self.subscriber {
            Subscriber::None => return Err(no_subscriber()),
            Subscriber::Shared => self.commands.clone().subscribe(channel).await?,
            Subscriber::Own(sink) => sink.clone().subscribe(channel).await?,
        }
        Ok(())
    }

    pub(super) async fn unsubscribe(&self, channel: &[u8]) -> Result<()> {
        match &self.subscriber {
            Subscriber::None => return Err(no_subscriber()),
            Subscriber::Shared => self.commands.clone().unsubscribe(channel).await?,
            Subscriber::Own(sink) => sink.clone().unsubscribe(channel).await?,
        }
        Ok(())
    }
}

fn no_subscriber() -> Error {
    Error::new(
        ErrorKind::Unsupported,
        "this connection does not subscribe; open a PUB_SUB client",
    )
}

/// Drives the socket until it ends or the client is cut off; dropping the driver closes it.
fn spawn_driver(context: &Arc<ClientContext>, driver: impl Future<Output = ()> + Send + 'static) {
    let told = TellLoss(Arc::clone(context));
    context.spawn(async move {
        driver.await;
        drop(told);
    });
}

/// Tells the loss of the connection however the task that holds this ends: redis' driver may panic.
struct TellLoss(Arc<ClientContext>);

impl Drop for TellLoss {
    fn drop(&mut self) {
        self.0.set_disconnected(lost(&self.0));
    }
}

/// Hands the messages of a RESP2 subscriber on in the form that RESP3 pushes have.
fn spawn_reader(context: &Arc<ClientContext>, mut stream: PubSubStream, pushes: PushSink) {
    let told = TellLoss(Arc::clone(context));
    context.spawn(async move {
        while let Some(message) = stream.next().await {
            let Ok(channel) = message.get_channel::<Vec<u8>>() else {
                continue;
            };
            let payload = Value::BulkString(message.get_payload_bytes().to_vec());
            pushes(PushInfo {
                kind: PushKind::Message,
                data: vec![Value::BulkString(channel), payload],
            });
        }
        drop(told);
    });
}

fn lost(context: &ClientContext) -> Error {
    context.error(
        ErrorKind::Disconnected,
        format!("the connection to {} was lost", context.uri().address()),
    )
}
