//! The beginning: what the cluster is like, and what commands it has.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use redis::cmd;
use tokio::time::{Instant, sleep};

use super::super::PushSink;
use super::super::exclusive::ExclusiveConnection;
use super::super::in_time::within;
use super::super::learning::table_of;
use super::super::link::one;
use super::super::progress::Progress;
use super::super::sentinel::share;
use super::super::socket_target::SocketTarget;
use super::super::ticket::Ticket;
use super::{Caller, Cluster};
use crate::cluster::{Target, Topology};
use crate::namespace::CommandTable;
use crate::{ClientContext, Deadline, Error, ErrorKind, RedisNode, Result};

/// After which another node is asked as well.
const HEAD_START: Duration = Duration::from_millis(500);

impl Cluster {
    /// Asks the nodes that the URI names, within the option `connect_timeout`. With the option `lazy_connect` nothing is
    /// asked before there is a request.
    pub(in super::super) async fn open(
        context: &Arc<ClientContext>,
        sink: Option<Arc<dyn PushSink>>,
    ) -> Result<Self> {
        let cluster = Self::new(context, sink);
        if !context.options().lazy_connect() {
            // Boxed, because it is large.
            let asked = Box::pin(cluster.ask_seeds()).await;
            asked.map_err(|error| error.with_client(context.client_id()))?;
        }
        drop(context.spawn(cluster.clone().watch()));
        Ok(cluster)
    }

    /// Asks those that the URI names.
    pub(super) async fn ask_seeds(&self) -> Result<()> {
        let ask = |address, left| self.ask_seed(address, left);
        let asked = self.ask_each(self.map().seeds(), ask).await;
        asked.map_err(|said| nobody_tells("of the URI", said))
    }

    /// Makes sure that there is a node at this moment: one that is connected to, or that answers now, whatever is with the
    /// others. What it says is not taken: it may be one that was cast out.
    pub(in super::super) async fn find_any(&self) -> Result<()> {
        if self.wires().iter().any(|wire| wire.outbox().is_up()) {
            return Ok(());
        }
        let nodes = self.likely_first(None);
        let ask = |address, left| self.ask_whether_there(address, left);
        let asked = self.ask_each(&nodes, ask).await;
        asked.map_err(|said| nobody_tells("that is known", said))
    }

    /// Asks one after the other, within the option `connect_timeout`, until one has answered. Whoever has not answered soon
    /// is still listened to while the next one is asked. Fails with what each has said.
    async fn ask_each<'a, F>(
        &self,
        addresses: &'a [RedisNode],
        ask: impl Fn(&'a RedisNode, Duration) -> F,
    ) -> Result<(), Vec<Error>>
    where
        F: Future<Output = Result<()>>,
    {
        let time = self.context().options().connect_timeout();
        let (began, mut unasked) = (Instant::now(), addresses.iter());
        let (mut asking, mut said) = (FuturesUnordered::new(), Vec::new());
        // There is to be time for all of them.
        let head_start = HEAD_START.min(share(time, addresses.len()));
        loop {
            let left = time.saturating_sub(began.elapsed());
            match unasked.next() {
                Some(address) => asking.push(ask(address, left)),
                None if asking.is_empty() => return Err(said),
                None => {}
            }
            tokio::select! {
                Some(answer) = asking.next() => match answer {
                    Ok(()) => return Ok(()),
                    Err(error) => said.push(error),
                },
                () = sleep(head_start), if unasked.len() > 0 => {}
            }
        }
    }

    /// `left` is the time that it has.
    async fn ask_seed(&self, address: &RedisNode, left: Duration) -> Result<()> {
        let target = SocketTarget::node(address, self.map());
        let progress = Progress::default();
        let asking = self.ask_at_first(address, &target, &progress);
        within(left, self.context(), &target, &progress, asking).await
    }

    /// `left` is the time that it has.
    async fn ask_whether_there(&self, address: &RedisNode, left: Duration) -> Result<()> {
        let target = SocketTarget::node(address, self.map());
        let progress = Progress::default();
        let deadline = Deadline::after(left);
        let asking = self.connect_and_read(address, &target, &progress, deadline);
        let answered = within(left, self.context(), &target, &progress, asking).await;
        answered.map(drop)
    }

    async fn ask_at_first(
        &self,
        address: &RedisNode,
        target: &SocketTarget,
        progress: &Progress,
    ) -> Result<()> {
        let deadline = Deadline::after(self.context().options().connect_timeout());
        let (connection, topology) = self
            .connect_and_read(address, target, progress, deadline)
            .await?;
        self.learn(topology);
        let command = cmd("COMMAND");
        self.learn_commands(deadline, connection.ask_async(&command, deadline))
            .await
    }

    /// What the node at `address` says the cluster is like, by a connection that is made for it.
    async fn connect_and_read(
        &self,
        address: &RedisNode,
        target: &SocketTarget,
        progress: &Progress,
        deadline: Deadline,
    ) -> Result<(ExclusiveConnection, Topology)> {
        let context = self.context();
        let connection = ExclusiveConnection::open_unbounded(context, target, progress).await?;
        let slots = connection
            .ask_async(cmd("CLUSTER").arg("SLOTS"), deadline)
            .await?;
        let topology = self.read(slots, address)?;
        if topology.masters().is_empty() {
            let message = format!("{address} belongs to a cluster in which no node has slots");
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
        Ok((connection, topology))
    }

    async fn learn_commands(
        &self,
        deadline: Deadline,
        asking: impl Future<Output = Result<redis::Value>>,
    ) -> Result<()> {
        let context = self.context();
        let tables = context.resources().command_tables();
        let address = context.uri().address();
        let table = tables.get(&address, deadline, async {
            table_of(asking.await?, "a cluster's client")
        });
        let table = table.await?;
        if let Some(guard) = context.guard() {
            guard.set_table(Arc::clone(&table));
        }
        self.0.table.get_or_init(|| table);
        Ok(())
    }
}

/// The error of an opening in which no node of those `whose` were asked tells of the cluster, of what each said.
fn nobody_tells(whose: &str, mut said: Vec<Error>) -> Error {
    let Some(last) = said.pop() else {
        return Error::new(ErrorKind::Internal, "the URI names no node");
    };
    if said.is_empty() {
        return last;
    }
    let messages: Vec<_> = said.iter().chain([&last]).map(Error::message).collect();
    let messages = messages.join("; ");
    let message = format!("no node {whose} tells what the cluster is like: {messages}");
    match said.iter().all(|other| other.kind() == last.kind()) {
        true => last.with_message(message),
        false => Error::new(ErrorKind::Connect, message).with_source(last),
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
            cluster.learn_commands(deadline, asking).await
        })
        .await?;
        known.get().ok_or_else(|| self.client.closed_error())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(kinds: &[ErrorKind]) -> Vec<Error> {
        let error = |(index, kind): (usize, &ErrorKind)| Error::new(*kind, format!("n{index}"));
        kinds.iter().enumerate().map(error).collect()
    }

    #[test]
    fn the_error_is_that_of_the_one_node_or_tells_what_each_said() {
        use ErrorKind::{Authentication, Connect, Internal};
        for (kinds, kind, message) in [
            (vec![Authentication], Authentication, "n0"),
            (
                vec![Authentication, Authentication],
                Authentication,
                "no node of the URI tells what the cluster is like: n0; n1",
            ),
            (
                vec![Authentication, Connect],
                Connect,
                "no node of the URI tells what the cluster is like: n0; n1",
            ),
            (vec![], Internal, "the URI names no node"),
        ] {
            let error = nobody_tells("of the URI", said(&kinds));
            assert_eq!((error.kind(), error.message()), (kind, message));
        }
    }
}
