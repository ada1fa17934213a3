//! Reloads while messages come.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use redis_manager::{RedisManager, RedisPubSubClient, RedisUri};

use super::{Stage, done};
use crate::Engine;

/// How many numbers are published while a script is reloaded: about as many as there is time for.
const BATCH: usize = 50;

impl<E: Engine> Stage<E> {
    /// Reloads the script `name`, which runs, so many times while numbers are published on `channel`, 0 and up. For
    /// each number that a generation hears it must print the generation, another word for each, and the number. Panics
    /// unless each generation has heard numbers that follow each other, and all together have heard every one.
    #[track_caller]
    pub fn reload_under_traffic(&mut self, name: &str, channel_name: &str, reloads: usize) {
        let server = self.host.server().clone();
        let replaced = format!("replaced {name}");
        thread::scope(|scope| {
            let (batches, due) = channel();
            scope.spawn(move || publish(&server, channel_name, due));
            for reload in 1..=reloads {
                done("a batch", batches.send(()));
                self.host.reload(name);
                self.run_until_told_times(&replaced, reload);
            }
            // The last generation hears something in any case.
            done("a batch", batches.send(()));
        });
        let numbers = (reloads + 1) * BATCH;
        let (told, last) = (Rc::clone(&self.told), (numbers - 1).to_string());
        self.run_until("the last number", |_| {
            let told = told.borrow();
            let heard = told.last().and_then(|line| line.split_whitespace().last());
            heard == Some(last.as_str())
        });
        self.account(name, numbers);
    }

    #[track_caller]
    fn account(&self, name: &str, numbers: usize) {
        let mut heard = BTreeMap::<String, Vec<usize>>::new();
        for line in self.printed(name) {
            let words = line.split_whitespace().collect::<Vec<_>>();
            let [generation, number] = words[..] else {
                panic!("{line:?} is no generation and number");
            };
            let number = done("a number", number.parse());
            heard.entry(generation.to_owned()).or_default().push(number);
        }
        for (generation, numbers) in &heard {
            let is_whole = numbers.windows(2).all(|two| two[1] == two[0] + 1);
            assert!(is_whole, "{generation} heard {numbers:?}");
        }
        assert!(heard.len() > 1, "only one generation heard anything");
        let heard: BTreeSet<_> = heard.into_values().flatten().collect();
        let missing = (0..numbers).filter(|number| !heard.contains(number));
        let missing: Vec<_> = missing.collect();
        assert!(missing.is_empty(), "nobody heard {missing:?} of {numbers}");
    }

    #[track_caller]
    fn run_until_told_times(&mut self, line: &str, times: usize) {
        let told = Rc::clone(&self.told);
        self.run_until(line, |_| {
            told.borrow().iter().filter(|told| *told == line).count() == times
        });
    }
}

/// Publishes a batch whenever one is due.
fn publish(server: &RedisUri, channel: &str, due: Receiver<()>) {
    let manager = done("a manager", RedisManager::new());
    let script = done("a script", manager.load_script("traffic"));
    let client: RedisPubSubClient = done("a client", manager.open(&script, server.clone()));
    for (batch, ()) in due.into_iter().enumerate() {
        for number in batch * BATCH..(batch + 1) * BATCH {
            done("publishing", client.publish(channel, number));
        }
    }
}
