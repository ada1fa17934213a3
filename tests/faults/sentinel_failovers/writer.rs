//! Who writes, and remembers what was said of it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};

use redis_manager::RedisAsyncCommands;
use redis_manager::prelude::*;
use redis_manager::redis::{RedisResult, pipe};

use super::course::Term;

/// Between two calls.
const PAUSE: Duration = Duration::from_millis(5);

/// An acknowledged write.
pub(super) struct Ack {
    pub(super) number: i64,
    /// Of the server that acknowledged it.
    pub(super) port: u16,
    pub(super) at: Instant,
}

/// Writes each number once, one after the other; nobody else writes to its keys.
pub(super) struct Writer {
    pub(super) client: usize,
    pub(super) list: String,
    pub(super) counter: String,
    pub(super) acks: Vec<Ack>,
    pub(super) unknown: BTreeSet<i64>,
    pub(super) not_sent: BTreeSet<i64>,
    /// What servers refused, and how often.
    pub(super) refused: BTreeMap<String, usize>,
}

impl Writer {
    pub(super) fn new(client: usize, index: usize) -> Self {
        Self {
            client,
            list: format!("list {index}"),
            counter: format!("counter {index}"),
            acks: Vec::new(),
            unknown: BTreeSet::new(),
            not_sent: BTreeSet::new(),
            refused: BTreeMap::new(),
        }
    }

    pub(super) async fn write(
        mut self,
        mut commands: RedisAsyncCommands,
        stop: Arc<AtomicBool>,
    ) -> Self {
        for number in 0.. {
            if stop.load(SeqCst) {
                break;
            }
            let mut pipeline = pipe();
            pipeline.atomic();
            pipeline.rpush(&self.list, number).ignore();
            pipeline.incr(&self.counter, 1).ignore();
            pipeline.cmd("CONFIG").arg("GET").arg("port");
            let outcome = pipeline.query_async(&mut commands).await;
            self.note(number, outcome);
            tokio::time::sleep(PAUSE).await;
        }
        self
    }

    fn note(&mut self, number: i64, outcome: RedisResult<(HashMap<String, u16>,)>) {
        let error = match outcome {
            Ok((config,)) => {
                return self.acks.push(Ack {
                    number,
                    port: config["port"],
                    at: Instant::now(),
                });
            }
            Err(error) => Error::from(error),
        };
        match error.delivery() {
            Some(Delivery::Unknown) => {
                self.unknown.insert(number);
            }
            Some(Delivery::NotSent) => {
                self.not_sent.insert(number);
            }
            Some(Delivery::Replied) => {
                self.not_sent.insert(number);
                let code = error.message().split(' ').next().unwrap_or_default();
                *self.refused.entry(code.to_owned()).or_default() += 1;
            }
            None => panic!("{error:?}"),
        }
    }

    /// When the master of `term` acknowledged something first.
    pub(super) fn first_ack(&self, term: &Term) -> Option<Instant> {
        let begin = self.acks.partition_point(|ack| ack.at < term.fault_began);
        let later = self.acks[begin..].iter();
        later
            .map(|ack| (ack.port, ack.at))
            .find(|(port, _)| *port == term.port)
            .map(|(_, at)| at)
    }
}
