//! Every message that a killed connection costs is missing where a gap stands, and nowhere else.

mod chronicle;
mod story;
mod subscriber;

use std::thread;
use std::time::SystemTime;

use redis_manager::prelude::*;
use redis_manager_support::TestServer;

use crate::harness::{Run, eventually};
use crate::publisher::Publisher;
use chronicle::Chronicle;
use subscriber::{CHANNEL, Subscriber};

/// What the way from the server to the client and the clock of a busy machine may take.
const SLACK: Duration = Duration::from_millis(50);
/// How many messages are published in one go at most.
const AT_ONCE: u64 = 20;

#[test]
fn every_message_that_a_killed_connection_costs_is_missing_where_a_gap_stands() {
    let mut run = Run::begin("numbered_messages");
    let (count, kills) = run.scale((30_000, 8), (1_000_000, 100));
    let server = TestServer::start();
    let manager = RedisManager::new().unwrap();
    let script = manager.load_script("numbered").unwrap();
    let subscribers = [
        Subscriber::with_callback(&manager, &script, &server, Protocol::Resp2, count),
        Subscriber::with_stream(&manager, &script, &server, Protocol::Resp3, count),
    ];

    let mut chronicle = Chronicle::default();
    let mut random = run.random.fork();
    let longest_pause = run.scale(250, 1_000);
    thread::scope(|scope| {
        let publishing = scope.spawn(|| {
            let mut publisher = Publisher::connect(&server);
            while chronicle.published() < count {
                let left = count - chronicle.published();
                let length = (1 + random.below(AT_ONCE)).min(left);
                chronicle.publish(&mut publisher, length);
                // Not faster than who listens can read, also where that is slow.
                thread::sleep(Duration::from_micros(random.below(1_000)));
            }
        });
        // About as long as the publishing takes. If it is longer, the last kills cost nothing.
        for _ in 0..kills {
            thread::sleep(Duration::from_millis(run.random.below(longest_pause)));
            let chosen = run.random.below(3) as usize;
            for (index, subscriber) in subscribers.iter().enumerate() {
                // One of them, or both.
                if chosen == index || chosen == subscribers.len() {
                    subscriber.kill(&server);
                }
            }
        }
        publishing.join().unwrap();
    });
    eventually("both listen", || {
        let reply = server.run(&["PUBSUB", "NUMSUB", CHANNEL]);
        reply.items()[1].as_int() == Some(subscribers.len() as i64)
    });
    // Nobody kills any more, so that these are heard, and with them the last gap was.
    chronicle.publish(&mut Publisher::connect(&server), AT_ONCE);

    run.report("messages", chronicle.published());
    for subscriber in subscribers {
        let story = subscriber.finish(chronicle.published() - 1);
        let kills = story.kills.len();
        let account = story.audit(&chronicle);
        run.report(
            &format!("{}: kills, gaps, heard, missing", story.name),
            format!(
                "{kills}, {}, {}, {}",
                account.gaps, account.heard, account.missing
            ),
        );
        for (what, figure) in [
            (
                "a missing message was published before its gap",
                account.too_early,
            ),
            ("a gap began after its kill", account.too_late),
            (
                "a heard message was published within a gap",
                account.too_long,
            ),
        ] {
            run.report(&format!("{what}, by up to"), format!("{figure:.1?}"));
            assert!(!run.is_long() || figure <= SLACK, "{what}: {figure:?}");
        }
    }
}

/// How much later `later` is.
fn lateness(earlier: SystemTime, later: SystemTime) -> Duration {
    later.duration_since(earlier).unwrap_or_default()
}
