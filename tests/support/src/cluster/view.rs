//! Who is who in a cluster, asked of its nodes.

use crate::cluster::{ClusterNode, SLOTS, TestCluster};
use crate::server::TestServer;

impl TestCluster {
    /// What `node` knows of all nodes; nothing if it does not answer.
    pub fn view(&self, node: &TestServer) -> Vec<ClusterNode> {
        let told = node.command(&["CLUSTER", "NODES"]).map(|told| told.text());
        let told = told.unwrap_or_default();
        told.lines().filter_map(ClusterNode::parse).collect()
    }

    /// What a node that is up says of itself.
    fn itself(&self, node: &TestServer) -> Option<ClusterNode> {
        let mut view = self.view(node).into_iter();
        view.find(|line| line.is("myself"))
    }

    /// Whether it takes itself for a master.
    pub fn is_master(&self, node: &TestServer) -> bool {
        self.itself(node).is_some_and(|line| line.is("master"))
    }

    /// Those of the nodes that are up.
    pub fn masters(&self) -> Vec<&TestServer> {
        self.nodes_up()
            .filter(|node| self.is_master(node))
            .collect()
    }

    /// Those of the nodes that are up.
    pub fn replicas(&self) -> Vec<&TestServer> {
        self.nodes_up()
            .filter(|node| !self.is_master(node))
            .collect()
    }

    /// Those of the nodes that are up and take `master` for theirs.
    pub fn replicas_of(&self, master: &TestServer) -> Vec<&TestServer> {
        let id = self.id(master);
        let follows = |node: &&TestServer| {
            let line = self.itself(node);
            line.is_some_and(|line| line.master.as_deref() == Some(id))
        };
        self.nodes_up().filter(follows).collect()
    }

    /// The node that is up, says that it has the slot and says it with the highest epoch; waits until there is one.
    #[track_caller]
    pub fn owner(&self, slot: u16) -> &TestServer {
        let mut owner = None;
        self.wait(&format!("somebody has slot {slot}"), |cluster| {
            let claims = cluster
                .nodes
                .iter()
                .enumerate()
                .filter_map(|(index, node)| {
                    let is_up = node.is_running() && !node.is_paused();
                    let line = is_up.then(|| cluster.itself(node)).flatten()?;
                    line.has(slot).then_some((line.epoch, index))
                });
            owner = claims.max().map(|(_, index)| index);
            owner.is_some()
        });
        &self.nodes[owner.unwrap_or_default()]
    }

    /// The slot of a key, as the server computes it.
    #[track_caller]
    pub fn slot(&self, key: &str) -> u16 {
        let slot = self.any().run(&["CLUSTER", "KEYSLOT", key]).as_int();
        slot.and_then(|slot| slot.try_into().ok()).unwrap_or(SLOTS)
    }

    /// The node that has the key's slot.
    #[track_caller]
    pub fn owner_of(&self, key: &str) -> &TestServer {
        self.owner(self.slot(key))
    }

    /// A node that is up.
    #[track_caller]
    pub fn any(&self) -> &TestServer {
        #[expect(clippy::expect_used, reason = "a test without any server has failed")]
        self.nodes_up().next().expect("a node that is up")
    }

    /// Waits until every node that is up says that the cluster is.
    #[track_caller]
    pub fn wait_until_ok(&self) {
        self.wait("the cluster is up", |cluster| {
            cluster
                .nodes_up()
                .all(|node| cluster.says(node, "cluster_state:ok"))
        });
    }

    /// Waits until a node that is up says that the cluster is down.
    #[track_caller]
    pub fn wait_until_down(&self) {
        self.wait("the cluster is down", |cluster| {
            cluster
                .nodes_up()
                .all(|node| cluster.says(node, "cluster_state:fail"))
        });
    }

    /// Waits until all nodes are there, take each other for up, agree on who is who, and the replicas are in sync.
    #[track_caller]
    pub fn wait_until_whole(&self) {
        self.wait_until_ok();
        self.wait("all nodes agree", |cluster| {
            let agreed = cluster.view_of_all(cluster.any());
            let mut nodes = cluster.nodes.iter();
            agreed.is_some() && nodes.all(|node| cluster.agrees(node, &agreed))
        });
        self.wait("the replicas follow", |cluster| {
            cluster.nodes.iter().all(|node| {
                let told = node.run(&["INFO", "replication"]).text();
                told.contains("role:master") || told.contains("master_link_status:up")
            })
        });
        self.wait("the masters know", |cluster| {
            cluster.masters().into_iter().all(|master| {
                let told = master.run(&["INFO", "replication"]).text();
                told.matches("state=online").count() == cluster.replicas_of(master).len()
            })
        });
    }

    /// Waits until every node tells clients of all replicas, to whose masters something has to be written before.
    #[track_caller]
    pub fn wait_until_replicas_are_shown(&self) {
        self.wait("the replicas are shown", |cluster| {
            let replicas = cluster.replicas();
            cluster.nodes_up().all(|node| {
                let told = node.run(&["CLUSTER", "SLOTS"]).text();
                let mut ids = replicas.iter().map(|replica| cluster.id(replica));
                ids.all(|id| told.contains(id))
            })
        });
    }

    /// Whether `node` knows how old what `other` says of itself is.
    pub(super) fn knows_epoch(&self, node: &TestServer, other: &TestServer) -> bool {
        let (view, itself) = (self.view(node), self.itself(other));
        let known = view.iter().find(|line| line.id == self.id(other));
        known
            .zip(itself)
            .is_some_and(|(known, itself)| known.epoch == itself.epoch)
    }

    fn agrees(&self, node: &TestServer, agreed: &Option<Vec<ClusterNode>>) -> bool {
        match (self.view_of_all(node), agreed) {
            (Some(view), Some(agreed)) => {
                let mut pairs = view.iter().zip(agreed);
                pairs.all(|(one, other)| one.has_place_of(other))
            }
            _ => false,
        }
    }

    /// Its view in the order of the names, if it has all nodes and finds none of them absent.
    fn view_of_all(&self, node: &TestServer) -> Option<Vec<ClusterNode>> {
        let mut view = self.view(node);
        view.sort_unstable_by(|one, other| one.id.cmp(&other.id));
        let is_there = |line: &ClusterNode| {
            let absent = ["fail", "fail?", "handshake", "noaddr", "noflags"];
            line.is_linked && !absent.iter().any(|flag| line.is(flag))
        };
        (view.len() == self.nodes.len() && view.iter().all(is_there)).then_some(view)
    }

    /// Whether a line of its `CLUSTER INFO` is this one.
    fn says(&self, node: &TestServer, line: &str) -> bool {
        let told = node.command(&["CLUSTER", "INFO"]).map(|told| told.text());
        told.is_ok_and(|told| told.lines().any(|told| told == line))
    }
}
