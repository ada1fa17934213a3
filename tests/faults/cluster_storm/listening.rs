//! What was published when, and what was heard of it.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use redis_manager::ChannelKind;
use redis_manager::prelude::*;
use redis_manager_support::TestCluster;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use super::course::Course;
use crate::chronicle::{Chronicle, Published};
use crate::harness::{Run, eventually};
use crate::told::{Order, Told};

/// Between two messages on a channel.
const PAUSE: Duration = Duration::from_millis(10);
/// A message that takes longer than that is given up.
const DEADLINE: Duration = Duration::from_secs(1);

/// A plain channel, and so many shard channels of each master.
pub(super) fn channels(cluster: &TestCluster, of_a_master: usize) -> Vec<Channel> {
    let mut channels = vec![Channel::new("storm plain")];
    for master in cluster.masters() {
        let view = cluster.view(master);
        let itself = view.iter().find(|line| line.is("myself")).unwrap();
        let names = (0..).map(|number| format!("storm {number}"));
        let names = names.filter(|name| itself.has(cluster.slot(name)));
        channels.extend(names.take(of_a_master).map(Channel::shard));
    }
    channels
}

pub(super) fn slot(cluster: &TestCluster, channel: &Channel) -> u16 {
    cluster.slot(std::str::from_utf8(channel.name()).unwrap())
}

/// Publishes numbers on each channel, one after the other.
pub(super) struct Publisher {
    client: RedisPubSubClient,
    chronicles: Vec<(Channel, Chronicle)>,
}

impl Publisher {
    pub(super) fn of(client: RedisPubSubClient, channels: &[Channel]) -> Self {
        let of = |channel: &Channel| (channel.clone(), Chronicle::default());
        Self {
            client,
            chronicles: channels.iter().map(of).collect(),
        }
    }

    pub(super) fn begin(&self, runtime: &Runtime, stop: &Arc<AtomicBool>) -> Vec<JoinHandle<()>> {
        let tasks = self.chronicles.iter().cloned().map(|(channel, chronicle)| {
            let (client, stop) = (self.client.clone(), Arc::clone(stop));
            runtime.spawn(chronicle.publish(client, channel, PAUSE, DEADLINE, stop))
        });
        tasks.collect()
    }

    /// Of each channel one that is published from now on.
    pub(super) fn next_numbers(&self) -> Vec<u64> {
        let next = |(_, chronicle): &(Channel, Chronicle)| chronicle.next();
        self.chronicles.iter().map(next).collect()
    }
}

/// A client with a listener to each channel.
pub(super) struct Subscriber {
    _client: RedisPubSubClient,
    told: Vec<Told>,
}

impl Subscriber {
    pub(super) fn listening(client: RedisPubSubClient, channels: &[Channel]) -> Self {
        let listen = |channel: &Channel| {
            let order = match channel.kind() {
                ChannelKind::Shard => Order::Once,
                _ => Order::OfEachNode,
            };
            Told::by(&client, channel, order)
        };
        Self {
            told: channels.iter().map(listen).collect(),
            _client: client,
        }
    }

    /// Waits until each listener has heard a number not below the one given; returns how long it took.
    pub(super) fn expect_heard(&mut self, numbers: &[u64]) -> Duration {
        let began = Instant::now();
        for (told, number) in self.told.iter_mut().zip(numbers) {
            eventually(&format!("{} is heard again", told.channel), || {
                told.listen();
                told.heard.last().is_some_and(|last| last >= number)
            });
        }
        began.elapsed()
    }
}

/// What the listeners of all subscribers have missed outside of their gaps: so far from the nearest.
#[derive(Default)]
pub(super) struct Outside {
    /// Of plain messages: from the nearest gap or kill. What a node was about to hand on when it was killed is missed by
    /// those who listen at other nodes, and they have no gap.
    plain: Vec<Duration>,
    /// Of shard messages that their node has handed to every subscriber.
    handed_over: Vec<Duration>,
    /// Of those that it has not: not everybody was subscribed at the node that took it. It was one of two that took
    /// messages of that slot: for as long as a slot is on its way both its ends may, and so does a master that comes back
    /// and does not know yet that it was replaced (`cluster-allow-pubsubshard-when-down` is the default). Whoever is
    /// subscribed at the one of them misses what the other takes, and cannot know it.
    at_another_node: Vec<Duration>,
}

impl Outside {
    /// Adds what `subscriber`, one of `subscribers`, has missed, and reports what it was told.
    pub(super) fn audit(
        &mut self,
        mut subscriber: Subscriber,
        subscribers: u64,
        publisher: &Publisher,
        run: &Run,
        course: &Course<'_>,
    ) {
        let (mut heard, mut late, mut again, mut missed, mut gaps) = (0, 0, 0, 0, 0);
        for (told, (_, chronicle)) in subscriber.told.iter_mut().zip(&publisher.chronicles) {
            told.listen();
            let missing = chronicle.missing(&told.heard);
            heard += told.heard.len();
            late += told.late.len();
            if told.channel.kind() == ChannelKind::Shard {
                for number in &told.late {
                    let taken_here = chronicle
                        .of(*number)
                        .filter(|it| it.receivers >= subscribers);
                    assert!(taken_here.is_none(), "{number} is late: {taken_here:?}");
                }
            }
            again += told.again;
            missed += missing.len();
            gaps += told.gaps.len();
            for message in missing {
                self.note(&message, told, subscribers, course);
            }
        }
        run.report(
            "messages heard, late, again, missing; gaps",
            format!("{heard}, {late}, {again}, {missed}; {gaps}"),
        );
        assert!(gaps >= course.masters.len(), "the loss of a master is told");
    }

    fn note(&mut self, message: &Published, told: &Told, subscribers: u64, course: &Course<'_>) {
        let distance = message.distance(told.periods());
        if distance.is_zero() {
            return;
        }
        let is_shard = told.channel.kind() == ChannelKind::Shard;
        if !is_shard {
            let kills = course.kills.iter().copied();
            self.plain
                .push(message.distance(told.periods().chain(kills)));
        } else if message.receivers >= subscribers {
            self.handed_over.push(distance);
        } else {
            self.at_another_node.push(distance);
        }
    }

    /// `slack` is what the machine may take to wake anybody.
    pub(super) fn report(self, run: &Run, course: &Course<'_>, slack: Duration) {
        for (what, distances, bound) in [
            (
                "plain messages missing outside of gaps and kills, by up to",
                self.plain,
                slack,
            ),
            (
                "shard messages that were handed to all, and are missing outside of gaps, by up to",
                self.handed_over,
                slack,
            ),
            (
                "shard messages taken by a node that not all were subscribed at, missing outside of gaps, by up to",
                self.at_another_node,
                course.longest_at_two_nodes() + slack,
            ),
        ] {
            let longest = distances.iter().max().copied().unwrap_or_default();
            let count = distances.len();
            run.report(what, format!("{count}, {longest:.1?} (≤ {bound:.1?})"));
            assert!(!run.is_long() || longest <= bound, "{what} {longest:?}");
        }
    }
}
