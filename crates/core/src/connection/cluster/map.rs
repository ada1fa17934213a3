//! What a client knows of its cluster.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use crate::cluster::{Redirect, Slot, Topology};
use crate::{Error, RedisNode, RedisUri};

use super::super::endpoint::Endpoint;

/// The nodes and what they have, as far as it is known at this moment.
#[derive(Debug)]
pub(in super::super) struct ClusterMap {
    /// Those that the URI names.
    seeds: Vec<RedisNode>,
    topology: watch::Sender<Arc<Topology>>,
    doubts: Notify,
    /// Why no node told what the cluster is like, the last time that none did.
    failure: Mutex<Option<Error>>,
    frequent_looks: AtomicUsize,
}

impl ClusterMap {
    pub(in super::super) fn of(uri: &RedisUri) -> Arc<Self> {
        Arc::new(Self {
            seeds: uri.nodes().to_vec(),
            topology: watch::Sender::default(),
            doubts: Notify::new(),
            failure: Mutex::default(),
            frequent_looks: AtomicUsize::new(0),
        })
    }

    pub(super) fn seeds(&self) -> &[RedisNode] {
        &self.seeds
    }

    pub(super) fn topology(&self) -> Arc<Topology> {
        Arc::clone(&self.topology.borrow())
    }

    /// Tells when it is another one.
    pub(super) fn changes(&self) -> watch::Receiver<Arc<Topology>> {
        self.topology.subscribe()
    }

    /// Takes what a node has told.
    pub(super) fn set(&self, topology: Topology) {
        self.topology.send_if_modified(|known| {
            let is_news = **known != topology;
            if is_news {
                *known = Arc::new(topology);
            }
            is_news
        });
    }

    /// Takes note of why no node has told anything.
    pub(super) fn set_failure(&self, failure: Error) {
        *self.failure.lock() = Some(failure);
    }

    /// Why nothing is known, if that is known.
    pub(super) fn failure(&self) -> Option<Error> {
        self.failure.lock().clone()
    }

    /// Takes note of what a node has said that has not run a command.
    pub(in super::super) fn note(&self, redirect: &Redirect) {
        match redirect {
            Redirect::Moved { slot, to } => self.moved(*slot, to),
            Redirect::Down => self.doubt(),
            // The slot is where it was for now.
            Redirect::Ask { .. } | Redirect::TryAgain => {}
        }
    }

    fn moved(&self, slot: Slot, to: &RedisNode) {
        self.topology.send_if_modified(|known| {
            let is_news = known.owner(slot) != Some(to);
            if is_news {
                *known = Arc::new(known.with_moved(slot, to));
            }
            is_news
        });
        self.doubt();
    }

    /// Has the nodes asked soon: what is known may be true no more.
    pub(in super::super) fn doubt(&self) {
        self.doubts.notify_one();
    }

    /// Completes when that was wished.
    pub(super) async fn doubted(&self) {
        self.doubts.notified().await;
    }

    /// Whether somebody waits for a node, and not by the connection that the client's calls share.
    pub(super) fn is_waited_for(&self) -> bool {
        self.frequent_looks.load(Ordering::Relaxed) > 0
    }

    /// Nodes of which any will do, in another order each time.
    pub(in super::super) fn in_any_order(&self) -> Vec<Endpoint> {
        let topology = self.topology();
        let known = match topology.masters() {
            [] => &self.seeds,
            masters => masters,
        };
        let mut nodes: Vec<_> = known.iter().map(Endpoint::from).collect();
        fastrand::shuffle(&mut nodes);
        nodes
    }
}

/// While it lives, it is looked every few seconds which node has what: somebody waits for a node by a connection of its own,
/// or for one to be known. Made by [`Connection::look_often`](crate::Connection::look_often), which shows its use.
#[derive(Debug)]
pub struct FrequentLooks(Arc<ClusterMap>);

impl FrequentLooks {
    pub(in super::super) fn at(map: &Arc<ClusterMap>) -> Self {
        map.frequent_looks.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(map))
    }
}

impl Drop for FrequentLooks {
    fn drop(&mut self) {
        self.0.frequent_looks.fetch_sub(1, Ordering::Relaxed);
    }
}
