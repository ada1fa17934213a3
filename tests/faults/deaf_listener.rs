//! A listener that never returns costs its own messages, each of them counted, and neither memory nor the
//! messages of another.

mod ears;

use redis_manager::Overflow;
use redis_manager::prelude::*;
use redis_manager_support::TestServer;

use crate::harness::{Run, eventually};
use crate::process::memory;
use crate::publisher::Publisher;
use ears::{Deaf, Keen};

const MEMORY: usize = 20_000_000;
const PAYLOAD: usize = 1_000;
const QUEUE: u64 = 1_000;
const BLOCKED_AFTER: Duration = Duration::from_millis(100);
/// How many messages are published in one go. Then the others catch up, so that what waits for them stays small.
const AT_ONCE: u64 = 250;

#[test]
fn a_listener_that_never_returns_loses_what_its_queue_has_no_room_for_and_costs_no_other() {
    let run = Run::begin("deaf_listener");
    let published = run.scale(50_000, 1_000_000);
    let server = TestServer::start();
    let manager = RedisManager::new().unwrap();
    let script = manager.load_script("deaf").unwrap();
    let mut audiences = [
        (Protocol::Resp2, Overflow::DropOldest),
        (Protocol::Resp3, Overflow::DropNewest),
    ]
    .map(|(protocol, overflow)| {
        let options = ClientOptions::builder()
            .protocol(protocol)
            .overflow(overflow)
            .listener_queue_size(QUEUE as usize)
            .listener_blocked_after(BLOCKED_AFTER);
        let options = options.build().unwrap();
        let client: RedisPubSubClient = manager.open_with(&script, server.url(), options).unwrap();
        Audience::gather(&client, overflow)
    });

    let mut publisher = Publisher::connect(&server);
    let before = memory();
    let mut most = before;
    for first in (0..published).step_by(AT_ONCE as usize) {
        publish(&mut publisher, first..first + AT_ONCE);
        for audience in &audiences {
            audience.expect_keen(first + AT_ONCE);
        }
        most = most.max(memory());
        for audience in &mut audiences {
            let deaf = &mut audience.deaf;
            eventually("it is in its first call", || deaf.heard() == [0]);
            deaf.note_events();
        }
    }
    let grown = most.saturating_sub(before);
    run.report("messages of 1 kB, to each of 2 clients", published);
    run.report(
        &format!("memory grown by at most (< {} MB)", MEMORY / 1_000_000),
        format!("{:.1} MB", grown as f64 / 1e6),
    );
    assert!(grown < MEMORY, "{grown}");
    for audience in &mut audiences {
        let lost = audience.expect_account(published);
        run.report(&format!("{:?}: dropped", audience.overflow), lost);
    }
    let kept = audiences.each_mut().map(|audience| {
        audience.deaf.release();
        audience.expect_kept(published)
    });
    publish(&mut publisher, published..published + 1);
    for (audience, mut expected) in audiences.iter().zip(kept) {
        expected.push(published);
        let deaf = &audience.deaf;
        eventually("it hears what is new", || deaf.heard() == expected);
    }
}

/// Publishes the numbers, each followed by as much as makes it long.
fn publish(publisher: &mut Publisher, numbers: std::ops::Range<u64>) {
    let messages: Vec<_> = numbers
        .flat_map(|number| {
            let payload = format!("{number} {}", "x".repeat(PAYLOAD));
            ["loud", "elsewhere"].map(|channel| (channel.to_owned(), payload.clone()))
        })
        .collect();
    let receivers = publisher.publish(&messages);
    // The deaf one and a keen one share a subscription.
    assert!(receivers.iter().all(|receivers| *receivers == 2));
}

/// The listeners of one client.
struct Audience {
    overflow: Overflow,
    deaf: Deaf,
    keen: Vec<Keen>,
}

impl Audience {
    fn gather(client: &RedisPubSubClient, overflow: Overflow) -> Self {
        // The deaf one first: once a keen one has heard a message, the deaf one's queue had it too.
        let deaf = Deaf::register(client, "loud");
        Self {
            overflow,
            deaf,
            keen: vec![
                Keen::register(client, "loud"),
                Keen::register_async(client, "elsewhere"),
            ],
        }
    }

    #[track_caller]
    fn expect_keen(&self, published: u64) {
        for keen in &self.keen {
            eventually("who listens hears all", || keen.heard() >= published);
            assert_eq!((keen.heard(), keen.strays()), (published, 0));
            assert_eq!(keen.dropped(), 0);
        }
    }

    /// While it does not return: one is in its call, its queue is full, and the rest is counted.
    fn expect_account(&mut self, published: u64) -> u64 {
        let dropped = self.deaf.listener.dropped();
        assert_eq!(self.deaf.heard(), [0]);
        assert_eq!(dropped, published - 1 - QUEUE);
        self.deaf.expect_events(dropped);
        dropped
    }

    /// Once it returns it hears what its queue has kept, and nothing was lost uncounted.
    fn expect_kept(&self, published: u64) -> Vec<u64> {
        let kept = match self.overflow {
            Overflow::DropOldest => published - QUEUE..published,
            _ => 1..1 + QUEUE,
        };
        let expected: Vec<_> = std::iter::once(0).chain(kept).collect();
        eventually("it hears what was kept", || {
            self.deaf.heard().len() >= expected.len()
        });
        assert_eq!(self.deaf.heard(), expected);
        let dropped = self.deaf.listener.dropped();
        assert_eq!(dropped + expected.len() as u64, published);
        expected
    }
}
