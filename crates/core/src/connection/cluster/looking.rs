//! Looking what the cluster is like.

use std::time::{Duration, SystemTime};

use redis::{Value, cmd};
use tokio::time::{Instant, sleep, timeout};

use super::super::exclusive::ExclusiveConnection;
use super::super::link::one;
use super::super::scheme_hint::without_cluster;
use super::super::socket_target::SocketTarget;
use super::super::ticket::Ticket;
use super::Cluster;
use super::nodes::Standing;
use super::pace::Pace;
use crate::cluster::Topology;
use crate::{Deadline, Error, ErrorKind, InFlight, RedisNode, Result};

/// What a server that belongs to no cluster says of itself.
const NO_CLUSTER: &str = "cluster support disabled";
/// How often it is looked if nothing gives reason to.
const SELDOM: Duration = Duration::from_secs(60);
/// How often while an answer or a message is expected.
const EXPECTING: Duration = Duration::from_secs(3);
/// How long one node has to answer.
const ANSWER: Duration = Duration::from_secs(1);

/// What the cluster is like.
struct Told {
    by: RedisNode,
    /// When that was asked.
    at: SystemTime,
    topology: Topology,
    /// Whether another one has said that it has slots itself which were not its own.
    is_disputed: bool,
}

impl Cluster {
    /// Looks from time to time, and whenever there is a doubt, for as long as the client is open.
    pub(super) async fn watch(self) {
        let mut pace = Pace::new();
        let mut last_told = None;
        loop {
            let began = Instant::now();
            self.until_it_is_time().await;
            pace.begin(began.elapsed());
            let is_well = match self.find_out(&mut last_told).await {
                Ok(is_complete) => is_complete && !self.0.nodes.is_any_down(),
                Err(error) => {
                    tracing::debug!(%error, "no node of the cluster says what it is like");
                    self.map().set_failure(error);
                    false
                }
            };
            if pace.looked(is_well, Instant::now()) {
                self.map().doubt();
            }
            sleep(pace.pause()).await;
        }
    }

    /// Takes what one of the nodes tells, which is `last_told` then. Returns whether each slot has a node, as far as it is
    /// certain.
    async fn find_out(&self, last_told: &mut Option<RedisNode>) -> Result<bool> {
        if !self.is_known() {
            // A client that is lazy begins as others do. Boxed, because it is large.
            Box::pin(self.ask_seeds()).await?;
            return Ok(self.map().topology().is_complete());
        }
        let Told {
            by,
            at,
            topology,
            is_disputed,
        } = self.look(last_told.as_ref()).await?;
        let is_complete = topology.is_complete() && !is_disputed;
        if let Some(subscribers) = &self.0.subscribers {
            subscribers.ascertain(&topology, &by, at);
        }
        self.learn(topology);
        *last_told = Some(by);
        Ok(is_complete)
    }

    fn is_known(&self) -> bool {
        !self.map().topology().masters().is_empty()
    }

    /// A node that is silent, and that another has taken over from, gives no reason for doubt.
    async fn until_it_is_time(&self) {
        // Not all clients at the same time.
        let random = |time: Duration| time.mul_f64(0.5 + fastrand::f64());
        let at_last = Instant::now() + random(SELDOM);
        loop {
            if timeout(random(EXPECTING), self.map().doubted())
                .await
                .is_ok()
            {
                return;
            }
            // Of a cluster that nobody has used yet nothing needs to be known.
            let is_late = Instant::now() >= at_last && self.is_known();
            if is_late || self.expects_something() {
                return;
            }
        }
    }

    /// Takes what a node has told.
    pub(super) fn learn(&self, topology: Topology) {
        self.map().set(topology);
        self.0.nodes.keep_to(&self.map().topology());
    }

    /// Asks one node after the other, those first that are likely to answer, and last the one at `last`. Who says that it has
    /// what another had is believed once a third says so: it may have been replaced, and not know.
    async fn look(&self, last: Option<&RedisNode>) -> Result<Told> {
        let known = self.map().topology();
        let (mut disputed, mut failure) = (None, None);
        for by in self.likely_first(last) {
            let at = SystemTime::now();
            match self.ask_at(&by).await {
                Ok(topology) if topology.masters().is_empty() => {
                    // It was cast out, or knows nobody yet; what others have is known better.
                    let message = format!("{by} knows of no node that has slots");
                    failure = Some(Error::new(ErrorKind::Connect, message));
                }
                Ok(topology) => {
                    let told = Told {
                        is_disputed: disputed.is_some(),
                        by,
                        at,
                        topology,
                    };
                    if !told.topology.takes(&told.by, &known) {
                        return Ok(told);
                    }
                    disputed.get_or_insert(told);
                }
                Err(error) => failure = Some(error),
            }
        }
        disputed.ok_or_else(|| failure.unwrap_or_else(|| self.context().closed_error()))
    }

    pub(super) fn likely_first(&self, last: Option<&RedisNode>) -> Vec<RedisNode> {
        let topology = self.map().topology();
        let seeds = self.map().seeds();
        let mut addresses = topology.nodes();
        addresses.extend_from_slice(seeds);
        addresses.sort_unstable();
        addresses.dedup();
        fastrand::shuffle(&mut addresses);
        addresses.sort_by_key(|address| {
            let standing = self.0.nodes.standing(address);
            (
                standing == Standing::Down,
                // A node of the URI may have another name among the others.
                !topology.has(address),
                Some(address) == last,
                standing,
            )
        });
        addresses
    }

    async fn ask_at(&self, address: &RedisNode) -> Result<Topology> {
        let slots = cmd("CLUSTER").arg("SLOTS").to_owned();
        let deadline = Deadline::after(ANSWER);
        let answer = match self.0.nodes.connected_at(address) {
            Some(node) => {
                let wire = node.wire();
                let left = wire.put(&slots, InFlight::uncounted(deadline))?;
                one(Ticket::new(wire.clone(), left).await?)?
            }
            None => {
                let asking = async {
                    let target = SocketTarget::node(address, self.map());
                    let connection = ExclusiveConnection::open_to(self.context(), target).await?;
                    connection.ask_async(&slots, deadline).await
                };
                timeout(ANSWER, asking).await.map_err(|_| {
                    let message = format!("{address} says nothing within {ANSWER:?}");
                    Error::new(ErrorKind::Timeout, message)
                })??
            }
        };
        self.read(answer, address)
    }

    /// What the cluster is like, by the node at `address`, which has answered so.
    pub(super) fn read(&self, answer: Value, address: &RedisNode) -> Result<Topology> {
        let answer = answer.extract_error().map_err(Error::from);
        let topology = answer.and_then(|answer| Topology::read(&answer, address));
        topology.map_err(|error| {
            let said = error.message();
            let mut message = match error.code() {
                Some("NOPERM") => format!(
                    "{address} does not tell what the cluster is like: {said}; \
                     the user needs the ACL rule +cluster|slots (before Redis 7.0: +cluster)"
                ),
                _ => format!("{address} is no node of a cluster: {said}"),
            };
            if error.answer().is_some_and(|it| it.contains(NO_CLUSTER)) {
                let uri = self.context().uri();
                message = format!("{message}; {}", without_cluster(uri));
            }
            Error::new(error.kind(), message).with_source(error)
        })
    }
}
