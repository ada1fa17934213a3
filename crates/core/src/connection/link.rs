//! The sockets behind a connection: one, or under RESP2 two where the client subscribes; in a cluster one a node.

use std::ops::Deref;
use std::sync::Arc;

use redis::{Cmd, Pipeline, ProtocolVersion, RedisError, Value};

use super::aborted_transaction::aborted_transaction;
use super::cluster::Cluster;
use super::confirmation::Awaited;
use super::handshake::greet;
use super::in_time::in_time;
use super::progress::Progress;
use super::reply::Reply;
use super::socket_target::SocketTarget;
use super::subscription::Subscription;
use super::supervisor::Supervisor;
use super::ticket::Ticket;
use super::wire::Wire;
use super::{PushSink, SocketId};
use crate::{
    Channel, ClientContext, Error, ErrorKind, InFlight, KeyPrefix, Protocol, RedisTopology, Result,
    Waiting,
};

#[derive(Clone)]
pub(super) enum Link {
    Server(Sockets),
    Cluster(Cluster),
}

impl Link {
    pub(super) async fn open(
        context: Arc<ClientContext>,
        sink: Option<Arc<dyn PushSink>>,
    ) -> Result<Self> {
        if context.uri().topology() == RedisTopology::Cluster {
            // Boxed, because it is large and most have none.
            return Ok(Self::Cluster(
                Box::pin(Cluster::open(&context, sink)).await?,
            ));
        }
        Ok(Self::Server(Sockets::open(context, sink).await?))
    }

    /// Fails the requests of clients that were closed and wait no more.
    pub(super) async fn cut(&self) {
        match self {
            Self::Server(sockets) => sockets.cut().await,
            Self::Cluster(cluster) => cluster.cut().await,
        }
    }

    /// Whether it takes no request any more.
    pub(super) fn has_ended(&self) -> bool {
        match self {
            Self::Server(sockets) => sockets.has_ended(),
            Self::Cluster(cluster) => cluster.has_ended(),
        }
    }

    pub(super) fn protocol(&self) -> Option<ProtocolVersion> {
        match self {
            Self::Server(sockets) => sockets.commands.outbox().protocol(),
            Self::Cluster(cluster) => cluster.protocol(),
        }
    }

    /// Whether there is no connection at this moment by which `channel` would come; by `socket`, if that is subscribed to it.
    pub(super) fn is_subscription_lost(&self, socket: Option<SocketId>, channel: &Channel) -> bool {
        match self {
            Self::Server(sockets) => sockets.subscriptions_are_lost(),
            Self::Cluster(cluster) => cluster.is_subscription_lost(socket, channel),
        }
    }

    /// Leaves `subscription` for the client of `context`; by `socket`, if that is subscribed to the channel.
    pub(super) fn subscribe(
        &self,
        context: &Arc<ClientContext>,
        socket: Option<SocketId>,
        subscription: Subscription,
    ) -> Result<Awaited> {
        match self {
            Self::Server(sockets) => {
                let ticket = sockets.subscription(subscription, context.admit()?)?;
                Ok(Awaited::Server(ticket))
            }
            Self::Cluster(cluster) => cluster.subscribe(context, socket, subscription),
        }
    }

    /// What waits to be sent.
    pub(super) fn waiting(&self) -> Waiting {
        match self {
            Self::Server(sockets) => sockets.waiting(),
            Self::Cluster(cluster) => cluster.waiting(),
        }
    }
}

/// Those of one server.
#[derive(Clone)]
pub(super) struct Sockets {
    commands: Arc<Wire>,
    /// That of the socket that subscribes, if the connection was opened for that.
    subscriptions: Option<Arc<Wire>>,
}

impl Sockets {
    async fn open(context: Arc<ClientContext>, sink: Option<Arc<dyn PushSink>>) -> Result<Self> {
        if context.options().lazy_connect() {
            return Ok(Self::open_lazily(&context, sink));
        }
        // Boxed, or each future around it would have room for it twice, and all of them are moved.
        let progress = Progress::default();
        let connecting = Box::pin(Self::connect(&context, sink, &progress));
        in_time(&context, &SocketTarget::OfUri, &progress, connecting).await
    }

    /// Connects when there is a request. Which protocol the server will agree to is not known yet, so what
    /// subscribes has a socket of its own.
    fn open_lazily(context: &Arc<ClientContext>, sink: Option<Arc<dyn PushSink>>) -> Self {
        let supervise = |sink| Supervisor {
            context: Arc::clone(context),
            target: SocketTarget::OfUri,
            protocol: context.protocol(),
            sink,
            retired: None,
        };
        Self {
            commands: supervise(None).start_lazily(),
            subscriptions: sink.map(|sink| supervise(Some(sink)).start_lazily()),
        }
    }

    async fn connect(
        context: &Arc<ClientContext>,
        sink: Option<Arc<dyn PushSink>>,
        progress: &Progress,
    ) -> Result<Self> {
        let supervise = |protocol, sink| Supervisor {
            context: Arc::clone(context),
            target: SocketTarget::OfUri,
            protocol,
            sink,
            retired: None,
        };
        let protocol = context.protocol();
        let greeted = greet(context, &SocketTarget::OfUri, protocol, progress).await?;
        let (commands, subscriptions) = match (greeted.protocol, sink) {
            (_, None) => (supervise(protocol, None).start(greeted), None),
            (ProtocolVersion::RESP3, sink) => {
                // Under RESP2 one socket would not be enough, so every later connection is to be like this.
                let wire = supervise(Protocol::Resp3, sink).start(greeted);
                (Arc::clone(&wire), Some(wire))
            }
            // A RESP2 socket that subscribes can do nothing else.
            (_, sink) => {
                let subscriber = greet(context, &SocketTarget::OfUri, protocol, progress).await?;
                let subscriber = supervise(protocol, sink).start(subscriber);
                let commands = supervise(protocol, None).start(greeted);
                (commands, Some(subscriber))
            }
        };
        Ok(Self {
            commands,
            subscriptions,
        })
    }

    /// Where commands are left.
    pub(super) fn commands(&self) -> &Arc<Wire> {
        &self.commands
    }

    async fn cut(&self) {
        self.commands.cut().await;
        if let Some(subscriptions) = &self.subscriptions {
            subscriptions.cut().await;
        }
    }

    fn has_ended(&self) -> bool {
        let mut wires = std::iter::once(&self.commands).chain(&self.subscriptions);
        wires.any(|wire| wire.outbox().has_ended())
    }

    /// Leaves `cmd`, with `prefix` before its first argument.
    pub(super) fn command(
        &self,
        cmd: &Cmd,
        prefix: Option<&KeyPrefix>,
        in_flight: InFlight,
    ) -> Result<Ticket<&Wire>> {
        let left = self.commands.put_prefixed(cmd, prefix, in_flight)?;
        Ok(Ticket::new(&*self.commands, left))
    }

    pub(super) fn pipeline(
        &self,
        pipeline: &Pipeline,
        in_flight: InFlight,
    ) -> Result<Ticket<&Wire>> {
        let left = self.commands.put_pipeline(pipeline, in_flight)?;
        Ok(Ticket::new(&*self.commands, left))
    }

    fn waiting(&self) -> Waiting {
        let mut waiting = self.commands.outbox().waiting();
        let other = self.subscriptions.as_ref();
        if let Some(other) = other.filter(|other| !Arc::ptr_eq(other, &self.commands)) {
            waiting.add(other.outbox().waiting());
        }
        waiting
    }

    fn subscriptions_are_lost(&self) -> bool {
        let subscriptions = self.subscriptions.as_ref();
        subscriptions.is_some_and(|wire| !wire.outbox().is_up())
    }

    fn subscription(
        &self,
        subscription: Subscription,
        in_flight: InFlight,
    ) -> Result<Ticket<Arc<Wire>>> {
        match &self.subscriptions {
            Some(subscriptions) => {
                let left = subscriptions
                    .outbox()
                    .put_subscription(subscription, in_flight)?;
                Ok(Ticket::new(Arc::clone(subscriptions), left))
            }
            None => Err(Error::new(
                ErrorKind::Unsupported,
                "this connection does not subscribe; open a PUB_SUB client",
            )),
        }
    }
}

/// The value of `cmd`, whose ticket it is.
pub(super) async fn value<W>(cmd: &Cmd, ticket: Ticket<W>) -> Result<Value>
where
    W: Deref<Target = Wire> + Unpin,
{
    if cmd.is_no_response() {
        ticket.forget();
        return Ok(Value::Nil);
    }
    one(ticket.await?)
}

/// The value of a request that has one.
pub(super) fn one(reply: Reply) -> Result<Value> {
    match reply {
        Reply::One(value) => Ok(value),
        Reply::Each(_) | Reply::Aborted(_) => Err(Error::new(
            ErrorKind::Internal,
            "a single command has several replies",
        )),
    }
}

/// The values of a pipeline of `commands` commands; of a transaction, the one that EXEC replied.
pub(super) async fn all(reply: Reply, commands: usize) -> Result<Vec<Value>> {
    match reply {
        Reply::Each(values) => Ok(values),
        // An error of EXEC, or of MULTI, is that of the whole; one inside EXEC's array is its command's.
        Reply::One(Value::ServerError(error)) => Err(RedisError::from(error).into()),
        Reply::One(value) => Ok(vec![value]),
        Reply::Aborted(refused) => Err(aborted_transaction(commands, &refused).await.into()),
    }
}
