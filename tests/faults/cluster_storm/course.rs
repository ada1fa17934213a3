//! What is done to the cluster.

use std::time::{Duration, Instant, SystemTime};

use redis_manager_support::{TestCluster, TestServer};

use crate::harness::{Run, eventually};
use crate::random::Random;

/// Slots that move together.
const AT_ONCE: u64 = 8;

pub(super) struct Course<'a> {
    cluster: &'a TestCluster,
    /// When a master was killed.
    pub(super) masters: Vec<Instant>,
    /// The same of every node: from then until it was gone.
    pub(super) kills: Vec<[SystemTime; 2]>,
    /// When all nodes that were left called the cluster up again after that.
    pub(super) up_again: Vec<Instant>,
    replicas: usize,
    moved: usize,
    /// How long slots took to move, and how long it took from the return of a node until all agreed: meanwhile two nodes
    /// may take a slot for theirs.
    at_two_nodes: Vec<Duration>,
    /// From the kill until a replica had the slots.
    promoted: Vec<Duration>,
    /// From the end of a fault until each subscriber heard something on each channel.
    pub(super) restored: Vec<Duration>,
}

impl<'a> Course<'a> {
    pub(super) fn new(cluster: &'a TestCluster) -> Self {
        Self {
            cluster,
            masters: Vec::new(),
            kills: Vec::new(),
            up_again: Vec::new(),
            replicas: 0,
            moved: 0,
            at_two_nodes: Vec::new(),
            promoted: Vec::new(),
            restored: Vec::new(),
        }
    }

    /// Moves some of `slots`, each to another master, with their keys; who writes there goes on.
    pub(super) fn move_slots(&mut self, slots: &[u16], random: &mut Random) {
        // None of them twice: a node that imports a slot anew may be asked by whoever it was named to the time before, and
        // would have the key a second time.
        let mut left = slots.to_vec();
        left.sort_unstable();
        left.dedup();
        for _ in 0..AT_ONCE {
            let slot = left.swap_remove(random.below(left.len() as u64) as usize);
            let from = self.cluster.owner(slot).port();
            let mut masters = self.cluster.masters();
            masters.retain(|master| master.port() != from);
            let to = masters[random.below(masters.len() as u64) as usize];
            let began = Instant::now();
            self.cluster.migrate(slot, to);
            self.at_two_nodes.push(began.elapsed());
            self.moved += 1;
        }
        self.cluster.wait_until_whole();
    }

    /// SIGKILL of a replica, or of a master, whose replica has its slots then. It comes back some time later.
    pub(super) fn kill(&mut self, is_replica: bool, random: &mut Random) {
        let nodes = match is_replica {
            true => self.cluster.replicas(),
            false => self.cluster.masters(),
        };
        let node = nodes[random.below(nodes.len() as u64) as usize];
        let began = Instant::now();
        let heirs = self.cluster.replicas_of(node);
        let kill_began = SystemTime::now();
        node.kill().unwrap();
        self.kills.push([kill_began, SystemTime::now()]);
        if is_replica {
            self.replicas += 1;
        } else {
            self.masters.push(began);
            self.expect_heir(&heirs);
            self.promoted.push(began.elapsed());
            self.cluster.wait_until_ok();
            self.up_again.push(Instant::now());
        }
        std::thread::sleep(Duration::from_millis(random.below(1000)));
        let returned = Instant::now();
        node.restart().unwrap();
        self.cluster.wait_until_whole();
        self.at_two_nodes.push(returned.elapsed());
    }

    pub(super) fn longest_at_two_nodes(&self) -> Duration {
        self.at_two_nodes.iter().max().copied().unwrap_or_default()
    }

    fn expect_heir(&self, heirs: &[&TestServer]) {
        eventually("a replica is promoted", || {
            heirs.iter().any(|heir| self.cluster.is_master(heir))
        });
    }

    pub(super) fn report(&mut self, run: &Run) {
        run.report(
            "kill -9 of masters, of replicas; slots moved with their keys",
            format!("{}, {}; {}", self.masters.len(), self.replicas, self.moved),
        );
        run.report_spread("a replica is master after the kill", &mut self.promoted);
        let what = "every channel is heard by every listener after the nodes agree";
        run.report_spread(what, &mut self.restored);
    }
}
