//! What the tests of listeners in a cluster have in common.

use std::collections::HashSet;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

use redis_manager::prelude::*;
use redis_manager::{ChannelKind, Protocol};
use redis_manager_support::{Reply, TestCluster, TestServer};

use crate::fixture::{Host, PATIENCE, eventually};
use crate::reconnect::{open, options};

/// A client of `cluster`, whose connections carry the host's name.
pub(crate) fn open_in(host: &Host, cluster: &TestCluster, protocol: Protocol) -> RedisPubSubClient {
    open(host, named(host, cluster), options(protocol))
}

/// Where clients of the host connect to.
pub(crate) fn named(host: &Host, cluster: &TestCluster) -> String {
    format!("{}?clientName={}", cluster.url(), host.name)
}

/// How many connections to the nodes that are up carry the host's name.
pub(crate) fn connections(host: &Host, cluster: &TestCluster) -> usize {
    let nodes = cluster.nodes_up();
    let clients = nodes.flat_map(|node| node.clients().unwrap_or_default());
    clients.filter(|client| client.name == host.name).count()
}

/// The nodes that have told somebody that he listens to `channel`, each as often as it has.
pub(crate) fn listened_at<'a>(cluster: &'a TestCluster, channel: &Channel) -> Vec<&'a TestServer> {
    let command = match channel.kind() {
        ChannelKind::Shard => "SHARDNUMSUB",
        _ => "NUMSUB",
    };
    let count = |node: &TestServer| {
        let command = [b"PUBSUB", command.as_bytes(), channel.name()];
        let reply = node.command(&command).ok();
        let count = reply.and_then(|reply| reply.items().get(1)?.as_int());
        usize::try_from(count.unwrap_or_default()).unwrap_or_default()
    };
    let nodes = cluster.nodes_up();
    nodes
        .flat_map(|node| std::iter::repeat_n(node, count(node)))
        .collect()
}

/// The one node by which `channel` comes.
#[track_caller]
pub(crate) fn listened_at_one<'a>(cluster: &'a TestCluster, channel: &Channel) -> &'a TestServer {
    let mut nodes = Vec::new();
    eventually(&format!("one node has {channel}"), || {
        nodes = listened_at(cluster, channel);
        nodes.len() == 1
    });
    nodes[0]
}

/// What a channel is called.
pub(crate) fn name_of(channel: &Channel) -> &str {
    std::str::from_utf8(channel.name()).unwrap()
}

/// Numbered messages on one channel, and what a listener hears of them.
pub(crate) struct Account {
    channel: Channel,
    /// To which messages are published.
    name: String,
    told: Receiver<ListenerEvent>,
    published: u64,
    /// Those of which it is not known whether they were.
    doubtful: HashSet<u64>,
    last: u64,
    gaps: usize,
    /// Whether a gap was told since the last message.
    is_excused: bool,
}

impl Account {
    /// Registers the listener.
    #[track_caller]
    pub(crate) fn open(client: &RedisPubSubClient, channel: &Channel) -> Self {
        Self::open_as(client, channel, name_of(channel))
    }

    /// To a pattern, which matches `name`.
    #[track_caller]
    pub(crate) fn open_as(client: &RedisPubSubClient, channel: &Channel, name: &str) -> Self {
        let name = match channel.kind() {
            ChannelKind::Pattern => name,
            _ => name_of(channel),
        };
        let (sender, told) = std::sync::mpsc::channel();
        let listener = client.listener(channel.clone()).with_gaps();
        let tell = move |event: &ListenerEvent| Ok(sender.send(event.clone())?);
        listener.register(tell).unwrap();
        Self {
            channel: channel.clone(),
            name: name.to_owned(),
            told,
            published: 0,
            doubtful: HashSet::new(),
            last: 0,
            gaps: 0,
            is_excused: false,
        }
    }

    pub(crate) fn channel(&self) -> &Channel {
        &self.channel
    }

    /// How many gaps were told so far.
    pub(crate) fn gaps(&self) -> usize {
        self.gaps
    }

    /// Publishes the next number by the node that has the channel's slot.
    pub(crate) fn publish(&mut self, cluster: &TestCluster) {
        let number = self.published + 1;
        let text = number.to_string();
        let command = match self.channel.kind() {
            ChannelKind::Shard => "SPUBLISH",
            _ => "PUBLISH",
        };
        // Any node would do for what is no shard channel, if it belongs to the cluster.
        let node = cluster.owner_of(&self.name);
        match node.command(&[command, &self.name, &text]) {
            // It was not published.
            Ok(Reply::Error(_)) => return,
            Ok(_) => {}
            // Perhaps.
            Err(_) => {
                self.doubtful.insert(number);
            }
        }
        self.published = number;
    }

    /// Publishes until the listener hears what is published, each once and in order, and what it did not hear before that
    /// within a gap.
    #[track_caller]
    pub(crate) fn expect_heard(&mut self, cluster: &TestCluster) {
        let (from, began) = (self.published, Instant::now());
        while self.last <= from {
            let heard = self.last;
            assert!(
                began.elapsed() < PATIENCE,
                "{} is not heard: {heard}",
                self.channel
            );
            self.publish(cluster);
            self.take();
            std::thread::sleep(Duration::from_millis(2));
        }
        // Whatever is on its way.
        let published = self.published;
        eventually("the last one is heard", || {
            self.take();
            self.last == published || self.doubtful.contains(&published)
        });
    }

    #[track_caller]
    fn take(&mut self) {
        for event in self.told.try_iter() {
            match event {
                ListenerEvent::Gap(gap) => {
                    assert_eq!(gap.channel, self.channel);
                    assert!(gap.since <= gap.until);
                    self.gaps += 1;
                    self.is_excused = true;
                }
                ListenerEvent::Message(message) => {
                    let number = message.payload_str().unwrap().parse().unwrap();
                    if number == 0 {
                        // Published by a test itself.
                        continue;
                    }
                    if number <= self.last && self.is_excused {
                        // The node by which the channel comes now heard it after the one before had sent it.
                        continue;
                    }
                    let mut next = self.last + 1;
                    while next < number && self.doubtful.contains(&next) {
                        next += 1;
                    }
                    assert!(
                        number >= next,
                        "{}: {number} after {}",
                        self.channel,
                        self.last
                    );
                    assert!(
                        number == next || self.is_excused,
                        "{}: {number} after {} without a gap",
                        self.channel,
                        self.last
                    );
                    (self.last, self.is_excused) = (number, false);
                }
                other => panic!("{other:?}"),
            }
        }
    }

    /// Waits until the listener's function is gone.
    #[track_caller]
    pub(crate) fn expect_ended(&mut self) {
        eventually("the function is gone", || {
            self.told.try_recv() == Err(TryRecvError::Disconnected)
        });
    }
}
