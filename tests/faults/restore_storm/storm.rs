//! One client, its listeners, and rounds of kills.

use std::time::{Duration, Instant, SystemTime};

use redis_manager::EventStream;
use redis_manager::prelude::*;
use redis_manager_support::TestServer;
use tokio::runtime::Runtime;

use super::account::Account;
use super::audience::Audience;
use super::calls::Calls;
use crate::harness::{Run, eventually};
use crate::proxy::Proxy;
use crate::publisher::Publisher;
use crate::random::Random;

/// How the server knows the connections of the client.
pub(super) const NAME: &str = "storm";
/// How many listeners a message is published to after a round, if not all.
const SAMPLE: usize = 50;

pub(super) struct Storm {
    pub(super) server: TestServer,
    pub(super) proxy: Proxy,
    pub(super) audience: Audience,
    pub(super) calls: Calls,
    /// How many connections the client has when all is well.
    pub(super) sockets: usize,
    /// From the last kill of a round until the client says that all is restored.
    pub(super) took: Vec<Duration>,
    /// How many kills came when some listeners had been told that they are back, and some not.
    pub(super) midway: usize,
    /// In how many rounds of several kills it is known for each listener how many gaps it is to be told of.
    pub(super) exact: usize,
    /// When the last kill was.
    pub(super) killed: Instant,
    /// The connections that it hit.
    pub(super) victims: Vec<String>,
    pub(super) events: EventStream,
    manager: RedisManager,
    publisher: Publisher,
}

impl Storm {
    pub(super) fn gather(
        run: &mut Run,
        runtime: &Runtime,
        protocol: Protocol,
        channels: usize,
        patterns: usize,
    ) -> Self {
        let server = TestServer::start();
        let proxy = Proxy::start_with_segments(server.port(), run.random.fork());
        let manager = RedisManager::new().unwrap();
        let script = manager.load_script(NAME).unwrap();
        let options = ClientOptions::builder()
            .protocol(protocol)
            .connect_timeout(Duration::from_secs(2))
            .reconnect_delay(Duration::from_millis(50));
        let options = options.build().unwrap();
        let url = format!("{}?clientName={NAME}", proxy.url());
        let client: RedisPubSubClient = manager.open_with(&script, url, options).unwrap();
        let audience = runtime.block_on(Audience::gather(&client, channels, patterns));
        Self {
            calls: Calls::begin(runtime, &server, &client, &mut run.random),
            publisher: Publisher::connect(&server),
            events: client.events(),
            sockets: if protocol == Protocol::Resp2 { 2 } else { 1 },
            took: Vec::new(),
            midway: 0,
            exact: 0,
            killed: Instant::now(),
            victims: Vec::new(),
            server,
            proxy,
            audience,
            manager,
        }
    }

    /// Kills the connection up to `most` times, first when all is well and then while the subscriptions are
    /// restored, and expects all of them back. Returns how many kills there were.
    pub(super) fn round(&mut self, random: &mut Random, most: u64) -> u64 {
        self.audience.forget_gaps();
        let kills = (1 + random.below(3)).min(most);
        let mut account = Account::new(self.audience.listeners.len());
        account.is_exact = random.below(2) == 0;
        self.kill(random);
        for _ in 1..kills {
            let restored = self.wait_for_a_moment(random);
            self.midway += usize::from(restored < self.audience.listeners.len());
            account.connected_again.get_or_insert_with(SystemTime::now);
            if account.is_exact {
                let told = self.freeze_and_kill(&account.told);
                account.note(told);
            } else {
                self.kill(random);
            }
        }
        self.expect_restored(kills);
        let all = self.audience.listeners.len();
        let listeners: Vec<_> = if account.is_exact {
            let any = |_| random.below(all as u64) as usize;
            (0..SAMPLE).map(any).collect()
        } else {
            // Who hears a message has been told of all gaps before it.
            (0..all).collect()
        };
        self.expect_heard(&listeners);
        account.audit(kills as usize, &self.audience);
        self.exact += usize::from(kills > 1 && account.is_exact);
        self.calls.expect_service();
        kills
    }

    /// Any, while the subscriptions are being restored. Returns how many are.
    fn wait_for_a_moment(&mut self, random: &mut Random) -> usize {
        let before = self.audience.gaps();
        let some = 1 + random.below(self.audience.listeners.len() as u64) as usize;
        eventually("some are restored, or all", || {
            self.audience.gaps() >= before + some || self.resubscribed().is_some()
        });
        self.audience.gaps() - before
    }

    /// Of how many channels the client has told that it subscribed to them again, since this was asked.
    fn resubscribed(&mut self) -> Option<usize> {
        let mut told = None;
        while let Some(event) = self.events.try_recv() {
            if let ClientEvent::Resubscribed { channels } = event {
                told = Some(channels);
            }
        }
        told
    }

    fn expect_restored(&mut self, kills: u64) {
        let mut told = None;
        eventually("the client tells that all is restored", || {
            told = self.resubscribed();
            told.is_some()
        });
        self.took.push(self.killed.elapsed());
        let all = self.audience.listeners.len();
        if kills == 1 {
            assert_eq!(told, Some(all));
        }
        let (channels, patterns) = (self.audience.channels, all - self.audience.channels);
        // The connection that was cut may be there still for a moment.
        eventually("the server says so", || {
            !self.victims_linger() && self.subscribed() == (vec![1; channels], patterns)
        });
        let names = self.server.run(&["PUBSUB", "CHANNELS", "channel *"]);
        assert_eq!(names.items().len(), channels);
    }

    /// Publishes to each of these, and expects each message to come once, to its own listener.
    fn expect_heard(&mut self, sample: &[usize]) {
        let mut expected = vec![Vec::new(); self.audience.listeners.len()];
        let mut messages = Vec::new();
        for (number, &index) in sample.iter().enumerate() {
            let text = format!("{number} to {index}");
            messages.push((self.audience.address(index), text.clone()));
            expected[index].push(text);
        }
        let receivers = self.publisher.publish(&messages);
        assert!(receivers.iter().all(|receivers| *receivers == 1));
        eventually("the messages are heard", || {
            self.audience.messages() >= messages.len()
        });
        assert_eq!(self.audience.take_messages(), expected);
    }

    /// As after a round, with every listener.
    pub(super) fn expect_all_heard(&mut self) {
        let all: Vec<_> = (0..self.audience.listeners.len()).collect();
        self.expect_heard(&all);
        // Whatever was heard twice would come before this.
        self.expect_heard(&all);
    }

    pub(super) fn end(self, runtime: &Runtime) {
        self.calls.end(runtime);
        self.manager.shutdown().unwrap();
    }
}
