//! The beginning: what the cluster is like, and what commands it has.

use std::sync::Arc;

use redis::cmd;

use super::super::PushSink;
use super::super::exclusive::ExclusiveConnection;
use super::super::link::one;
use super::super::progress::Progress;
use super::super::supervisor::in_time;
use super::super::target::Target as SocketTarget;
use super::super::ticket::Ticket;
use super::looking::read;
use super::{Caller, Cluster};
use crate::cluster::{NodeAddress, Target};
use crate::namespace::CommandTable;
use crate::{ClientContext, Deadline, Error, ErrorKind, Result};

impl Cluster {
    /// Asks the nodes that the URI names, one after the other. With the option `lazy_connect` nothing is asked before
    /// there is a request.
    pub(in super::super) async fn open(
        context: &Arc<ClientContext>,
        sink: Option<Arc<dyn PushSink>>,
    ) -> Result<Self> {
        let cluster = Self::new(context, sink);
        if !context.options().lazy_connect() {
            let target = SocketTarget::AnyNode(cluster.map().clone());
            let asking = Box::pin(cluster.ask_seeds());
            in_time(context, &target, &Progress::default(), asking).await?;
        }
        drop(context.spawn(cluster.clone().watch()));
        Ok(cluster)
    }

    async fn ask_seeds(&self) -> Result<()> {
        let mut failure = None;
        for address in self.map().seeds() {
            match self.ask_seed(address).await {
                Ok(()) => return Ok(()),
                Err(error) => failure = Some(error),
            }
        }
        Err(failure.unwrap_or_else(|| self.context().closed_error()))
    }

    async fn ask_seed(&self, address: &NodeAddress) -> Result<()> {
        let target = SocketTarget::node(address, self.map());
        let connection = ExclusiveConnection::open_to(self.context(), target).await?;
        let deadline = Deadline::after(self.context().options().connect_timeout());
        let slots = connection
            .ask_async(cmd("CLUSTER").arg("SLOTS"), deadline)
            .await?;
        let topology = read(slots, address).map_err(|error| {
            let message = format!("{address} is no node of a cluster: {}", error.message());
            Error::new(error.kind(), message).with_source(error)
        })?;
        if topology.masters().is_empty() {
            let message = format!("{address} belongs to a cluster in which no node has slots");
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
        self.learn(topology);
        self.learn_commands(async { connection.ask_async(&cmd("COMMAND"), deadline).await })
            .await?;
        Ok(())
    }

    async fn learn_commands(
        &self,
        asking: impl Future<Output = Result<redis::Value>>,
    ) -> Result<()> {
        let context = self.context();
        let tables = context.resources().command_tables();
        let address = context.uri().address();
        let table = tables.get(&address, async {
            let refused = |refused| {
                let refused = Error::from(refused);
                let message = format!(
                    "a cluster's client needs the server's reply to COMMAND, which is: {}",
                    refused.message()
                );
                Error::new(refused.kind(), message).with_source(refused)
            };
            CommandTable::read(&asking.await?.extract_error().map_err(refused)?)
        });
        let table = table.await?;
        if let Some(guard) = context.guard() {
            guard.set_table(Arc::clone(&table));
        }
        self.0.table.get_or_init(|| table);
        Ok(())
    }
}

impl<'a> Caller<'a> {
    /// What the servers say of their commands; asks one if that is not known yet.
    pub(in super::super) async fn table(self) -> Result<&'a Arc<CommandTable>> {
        let known = &self.cluster.0.table;
        if let Some(table) = known.get() {
            return Ok(table);
        }
        let node = self.node_for(&Target::AnyNode).await?;
        let (cluster, client, deadline) =
            (self.cluster.clone(), self.client.clone(), self.deadline);
        self.wait(async move {
            let asking = async {
                let left = node
                    .wire()
                    .put(&cmd("COMMAND"), client.admit_until(deadline)?)?;
                one(Ticket::new(node.wire().clone(), left).await?)
            };
            cluster.learn_commands(asking).await
        })
        .await?;
        known.get().ok_or_else(|| self.client.closed_error())
    }
}
