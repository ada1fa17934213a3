//! How servers become a cluster.

use std::thread;

use crate::builder::TestServerBuilder;
use crate::cluster::{SLOTS, TestCluster, TestClusterBuilder};
use crate::error::SupportError;
use crate::server::TestServer;

impl TestCluster {
    pub(super) fn form(options: TestClusterBuilder) -> Result<Self, SupportError> {
        let TestClusterBuilder {
            masters, replicas, ..
        } = options;
        let timeout = options.node_timeout.as_millis().to_string();
        let server = options.server.args(["--cluster-node-timeout", &timeout]);
        let nodes = start_all(server, masters * (1 + replicas))?;
        let ids = nodes.iter().map(|node| ask(node, &["CLUSTER", "MYID"]));
        let cluster = Self {
            ids: ids.collect::<Result<_, _>>()?,
            nodes,
            uses_tls: options.uses_tls,
        };
        cluster.share_slots(masters)?;
        cluster.meet()?;
        cluster.replicate(masters);
        cluster.wait_until_whole();
        Ok(cluster)
    }

    /// Each master has its part before they meet, and an epoch of its own, so that there is nothing to agree on.
    fn share_slots(&self, masters: usize) -> Result<(), SupportError> {
        for (index, node) in self.nodes[..masters].iter().enumerate() {
            let [from, to] = [index, index + 1].map(|part| usize::from(SLOTS) * part / masters);
            let mut add = vec!["CLUSTER".to_owned(), "ADDSLOTS".to_owned()];
            add.extend((from..to).map(|slot| slot.to_string()));
            ask(node, &add)?;
            let epoch = (index + 1).to_string();
            ask(node, &["CLUSTER", "SET-CONFIG-EPOCH", &epoch])?;
        }
        Ok(())
    }

    /// Everybody meets everybody: gossip would take some rounds.
    fn meet(&self) -> Result<(), SupportError> {
        for (index, node) in self.nodes.iter().enumerate() {
            for other in &self.nodes[index + 1..] {
                let port = self.port(other).to_string();
                ask(node, &["CLUSTER", "MEET", "127.0.0.1", &port])?;
            }
        }
        Ok(())
    }

    /// The nodes that have no slots follow the masters in turn, once they know of them.
    #[track_caller]
    fn replicate(&self, masters: usize) {
        for (index, node) in self.nodes.iter().enumerate().skip(masters) {
            let master = &self.ids[index % masters];
            self.wait("the replica knows its master", |_| {
                ask(node, &["CLUSTER", "REPLICATE", master]).is_ok()
            });
        }
    }
}

/// The first shows which binary will do; the others start together.
fn start_all(server: TestServerBuilder, count: usize) -> Result<Vec<TestServer>, SupportError> {
    let first = server.clone().start()?;
    let server = server.binary(first.binary().clone());
    let mut nodes = vec![first];
    let others = thread::scope(|scope| {
        let starting: Vec<_> = (1..count)
            .map(|_| scope.spawn(|| server.clone().start()))
            .collect();
        let others = starting.into_iter().map(|starting| starting.join());
        others.collect::<Vec<_>>()
    });
    for other in others {
        match other {
            Ok(node) => nodes.push(node?),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
    Ok(nodes)
}

/// The text of an answer that is no refusal.
fn ask<A: AsRef<[u8]>>(node: &TestServer, arguments: &[A]) -> Result<String, SupportError> {
    match node.command(arguments)? {
        crate::Reply::Error(error) => Err(SupportError::UnexpectedReply(error)),
        reply => Ok(reply.text()),
    }
}
