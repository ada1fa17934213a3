//! How the connections of the client are lost.

use std::time::Instant;

use redis_manager_support::{Reply, TestServer};

use super::storm::{NAME, Storm};
use crate::harness::eventually;
use crate::random::Random;

impl Storm {
    /// Kills whatever connection there is.
    pub(super) fn kill(&mut self, random: &mut Random) {
        self.victims = connections(&self.server);
        self.begin_to_wait();
        if random.below(2) == 0 {
            self.proxy.cut();
        } else {
            for id in &self.victims {
                self.server.run(&["CLIENT", "KILL", "ID", id]);
            }
        }
    }

    /// Nothing that the client has told before tells of what comes now.
    fn begin_to_wait(&mut self) {
        while self.events.try_recv().is_some() {}
        self.killed = Instant::now();
    }

    /// Whether the server still has connections that were killed: it may notice later than the client.
    pub(super) fn victims_linger(&self) -> bool {
        let there = connections(&self.server);
        self.victims.iter().any(|id| there.contains(id))
    }

    /// Lets the server hear nothing more, waits until the client knows what the server thinks, and kills the
    /// connections. Returns how many gaps each listener was told of when they ended; `None` if the server had heard
    /// something still.
    ///
    /// `told` is how many gaps each listener was told of before these connections.
    pub(super) fn freeze_and_kill(&mut self, told: &[usize]) -> Option<Vec<usize>> {
        eventually("all its connections are there", || {
            connections(&self.server).len() == self.sockets
        });
        self.proxy.swallow_requests(true);
        let (mut gaps, mut subscribed) = (Vec::new(), (Vec::new(), 0));
        eventually("each is told of its gap", || {
            subscribed = self.subscribed();
            gaps = self.audience.gaps_of_each();
            agree(&gaps, told, &subscribed)
        });
        self.victims = connections(&self.server);
        // At one and the same moment.
        self.server.run(&["MULTI"]);
        self.server.run(&self.numsub());
        self.server.run(&["PUBSUB", "NUMPAT"]);
        for id in &self.victims {
            self.server.run(&["CLIENT", "KILL", "ID", id]);
        }
        self.begin_to_wait();
        let replies = self.server.run(&["EXEC"]);
        let [channels, patterns, ..] = replies.items() else {
            panic!("{replies:?}");
        };
        (subscribed == (counts(channels), count(patterns))).then_some(gaps)
    }

    /// What the server says: how many subscribe to each channel, and how many patterns there are.
    pub(super) fn subscribed(&self) -> (Vec<usize>, usize) {
        let channels = counts(&self.server.run(&self.numsub()));
        (channels, count(&self.server.run(&["PUBSUB", "NUMPAT"])))
    }

    fn numsub(&self) -> Vec<String> {
        let channels = (0..self.audience.channels).map(|index| self.audience.address(index));
        let command = ["PUBSUB", "NUMSUB"].map(str::to_owned);
        command.into_iter().chain(channels).collect()
    }
}

/// Whether exactly those have been told of a gap that are `subscribed` to again.
fn agree(gaps: &[usize], told: &[usize], subscribed: &(Vec<usize>, usize)) -> bool {
    let (channels, patterns) = subscribed;
    let new: Vec<_> = gaps
        .iter()
        .zip(told)
        .map(|(gaps, told)| gaps - told)
        .collect();
    let (of_channels, of_patterns) = new.split_at(channels.len());
    assert!(of_patterns.iter().all(|new| *new <= 1), "told twice");
    of_channels == channels && of_patterns.iter().sum::<usize>() == *patterns
}

fn connections(server: &TestServer) -> Vec<String> {
    let clients = server.clients().unwrap();
    let named = clients.iter().filter(|client| client.name == NAME);
    named.map(|client| client.id.to_string()).collect()
}

/// Of names and counts in turn.
fn counts(reply: &Reply) -> Vec<usize> {
    reply.items().iter().skip(1).step_by(2).map(count).collect()
}

fn count(reply: &Reply) -> usize {
    reply.as_int().unwrap() as usize
}
