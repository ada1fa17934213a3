//! Who writes, and remembers what was said of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

use redis_manager::RedisAsyncCommands;
use redis_manager::prelude::*;
use redis_manager::redis::{RedisResult, Value, pipe};

use crate::harness::PATIENCE;

/// Between two calls.
const PAUSE: Duration = Duration::from_millis(3);

/// How a number is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Way {
    /// By one command.
    Alone,
    /// With a count of them, in a transaction.
    Counted,
    /// By a pipeline to two slots.
    Twice,
}

/// What becomes of `index`'s numbers: those written alone, those counted, their count, and twice those written twice.
pub(super) fn keys(index: usize) -> [String; 5] {
    [
        format!("{{storm {index}}} alone"),
        format!("{{storm {index}}} counted"),
        format!("{{storm {index}}} count"),
        format!("{{storm {index}}} here"),
        format!("storm {index} there"),
    ]
}

/// Writes each number once, one after the other; nobody else writes to its keys.
pub(super) struct Writer {
    pub(super) keys: [String; 5],
    deadline: Duration,
    pub(super) acknowledged: BTreeMap<i64, Instant>,
    pub(super) unknown: BTreeSet<i64>,
    /// Not sent, or refused.
    pub(super) not_run: BTreeSet<i64>,
    /// How calls failed, and how often.
    pub(super) failures: BTreeMap<String, usize>,
    /// How much longer than the deadline calls took.
    pub(super) late: Vec<Duration>,
    /// How many calls were acknowledged, for others to see.
    pub(super) answered: Arc<AtomicU64>,
    /// The longest time without an answer that acknowledges.
    pub(super) longest: Duration,
}

impl Writer {
    pub(super) fn new(index: usize, deadline: Duration) -> Self {
        Self {
            keys: keys(index),
            deadline,
            acknowledged: BTreeMap::new(),
            unknown: BTreeSet::new(),
            not_run: BTreeSet::new(),
            failures: BTreeMap::new(),
            late: Vec::new(),
            answered: Arc::default(),
            longest: Duration::ZERO,
        }
    }

    pub(super) async fn write(
        mut self,
        mut commands: RedisAsyncCommands,
        stop: Arc<AtomicBool>,
    ) -> Self {
        let mut last = Instant::now();
        for number in 0.. {
            if stop.load(SeqCst) {
                break;
            }
            let began = Instant::now();
            let way = Self::way(number);
            let outcome = self.send(&mut commands, way, number).await;
            let took = began.elapsed();
            assert!(took < self.deadline + PATIENCE, "{took:?}");
            self.late.extend(took.checked_sub(self.deadline));
            if outcome.is_ok() {
                self.longest = self.longest.max(last.elapsed());
                last = Instant::now();
            }
            self.note(way, number, outcome);
            tokio::time::sleep(PAUSE).await;
        }
        self
    }

    pub(super) fn way(number: i64) -> Way {
        match number % 3 {
            0 => Way::Alone,
            1 => Way::Counted,
            _ => Way::Twice,
        }
    }

    async fn send(
        &self,
        commands: &mut RedisAsyncCommands,
        way: Way,
        number: i64,
    ) -> RedisResult<Value> {
        let [alone, counted, count, here, there] = &self.keys;
        let mut pipeline = pipe();
        match way {
            Way::Alone => return commands.rpush(alone, number).await,
            Way::Counted => pipeline.atomic().rpush(counted, number).incr(count, 1),
            Way::Twice => pipeline.rpush(here, number).rpush(there, number),
        };
        pipeline.query_async(commands).await
    }

    fn note(&mut self, way: Way, number: i64, outcome: RedisResult<Value>) {
        let error = match outcome {
            Ok(_) => {
                self.acknowledged.insert(number, Instant::now());
                self.answered.fetch_add(1, SeqCst);
                return;
            }
            Err(error) => error,
        };
        let code = error.code().unwrap_or_default().to_owned();
        let error = Error::from(error);
        let delivery = error.delivery().expect("it is said whether it was sent");
        match (delivery, way) {
            (Delivery::NotSent, _) | (Delivery::Replied, Way::Alone | Way::Counted) => {
                self.not_run.insert(number)
            }
            // One was refused, of the other nothing is said.
            (Delivery::Unknown, _) | (Delivery::Replied, Way::Twice) => self.unknown.insert(number),
        };
        let how = match error.kind() {
            ErrorKind::Server => code,
            ErrorKind::Timeout | ErrorKind::Disconnected | ErrorKind::Connect => {
                format!("{} {}", error.kind().name(), delivery.name())
            }
            _ => panic!("{error:?}"),
        };
        *self.failures.entry(how).or_default() += 1;
    }
}
