//! What the tests of listeners in a cluster have in common.

use std::collections::HashSet;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant, SystemTime};

use redis_manager::ChannelKind;
use redis_manager::prelude::*;
use redis_manager_support::{Reply, TestCluster, TestServer};

use crate::fixture::{PATIENCE, eventually};

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

/// Registers a listener to `channel`, and returns what it is told, gaps too.
#[track_caller]
pub(crate) fn told_to_a_listener(
    client: &RedisPubSubClient,
    channel: &Channel,
) -> Receiver<ListenerEvent> {
    let (sender, told) = std::sync::mpsc::channel();
    let listener = client.listener(channel.clone()).with_gaps();
    let tell = move |event: &ListenerEvent| Ok(sender.send(event.clone())?);
    listener.register(tell).unwrap();
    told
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
    /// When each number began to be published, beginning with 1.
    began: Vec<SystemTime>,
    /// Those of which it is not known whether they were.
    doubtful: HashSet<u64>,
    /// The highest that was heard.
    last: u64,
    /// What comes next by the node by which the last one came; `None` after a gap.
    next: Option<u64>,
    /// The end of the last gap.
    until: SystemTime,
    gaps: usize,
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
        let told = told_to_a_listener(client, channel);
        Self {
            channel: channel.clone(),
            name: name.to_owned(),
            told,
            published: 0,
            began: Vec::new(),
            doubtful: HashSet::new(),
            last: 0,
            next: Some(1),
            until: SystemTime::UNIX_EPOCH,
            gaps: 0,
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
        let began = SystemTime::now();
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
        self.began.push(began);
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
        while let Ok(event) = self.told.try_recv() {
            match event {
                ListenerEvent::Gap(gap) => {
                    assert_eq!(gap.channel, self.channel);
                    assert!(gap.since <= gap.until);
                    (self.next, self.until) = (None, gap.until);
                    self.gaps += 1;
                }
                ListenerEvent::Message(message) => {
                    let number = message.payload_str().unwrap().parse().unwrap();
                    // The other is published by a test itself.
                    if number != 0 {
                        self.note(number);
                    }
                }
                other => panic!("{other:?}"),
            }
        }
    }

    /// By one node they come in order, and each once. After a gap they come by another one, which may begin anywhere:
    ///
    /// A node tells its own subscribers at once what is published there, and the other nodes by a connection to each. So
    /// who goes to another node may be there before what he has heard where he was, and hears it again. Seen on three nodes
    /// of Redis 7.0 with nothing of ours in between: a plain socket heard a number at one node, then subscribed at another.
    /// With a third node publishing every millisecond, 157 of 2 000 moves began with up to 6 numbers that had been heard
    /// before, published up to 25 ms before the second node confirmed. Between two moves no number was missing, came
    /// twice or was late, as long as one node published.
    ///
    /// The nodes of a shard hand on its messages in the same way. But a replica is promoted long after its master has said
    /// the last, and another shard never hears what is published in this one: there nothing comes twice.
    #[track_caller]
    fn note(&mut self, number: u64) {
        let what = format!("{}: {number} after {}", self.channel, self.last);
        assert!(number <= self.published, "{what}: nobody has published it");
        match self.next {
            Some(mut next) => {
                while next < number && self.doubtful.contains(&next) {
                    next += 1;
                }
                assert_eq!(number, next, "{what}: without a gap");
            }
            None => {
                let is_shard = self.channel.kind() == ChannelKind::Shard;
                assert!(!is_shard || number > self.last, "{what}: twice");
                let mut missed = self.last + 1..number;
                let is_late = |missed: &u64| self.began[*missed as usize - 1] > self.until;
                let late = missed.find(|missed| is_late(missed) && !self.doubtful.contains(missed));
                assert_eq!(late, None, "{what}: published after the gap had ended");
            }
        }
        self.next = Some(number + 1);
        self.last = self.last.max(number);
    }

    /// Waits until the listener's function is gone.
    #[track_caller]
    pub(crate) fn expect_ended(&mut self) {
        eventually("the function is gone", || {
            self.told.try_recv() == Err(TryRecvError::Disconnected)
        });
    }
}
