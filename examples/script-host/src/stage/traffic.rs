//! Reloads while messages come.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread;

use redis_manager::{RedisManager, RedisPubSubClient, RedisUri};

use super::{Stage, done};
use crate::Engine;

impl<E: Engine> Stage<E> {
    /// Reloads the script `name`, which runs, so many times while numbers are published on `channel`, 0 and up. For
    /// each number that a generation hears it must print the generation, another word for each, and the number. Panics
    /// unless each generation has heard numbers that follow each other, and all together have heard every one.
    #[track_caller]
    pub fn reload_under_traffic(&mut self, name: &str, channel: &str, reloads: usize) {
        let traffic = Traffic::default();
        let server = self.host.server().clone();
        let replaced = format!("replaced {name}");
        thread::scope(|scope| {
            scope.spawn(|| traffic.publish(&server, channel));
            // Also if this panics.
            let _stop = Stop(&traffic);
            for reload in 1..=reloads {
                self.host.reload(name);
                self.run_until_told_times(&replaced, reload);
            }
            let before = traffic.published();
            self.run_until("more traffic", |_| traffic.published() > before + 10);
        });
        let last = traffic.published() - 1;
        let (told, number) = (Rc::clone(&self.told), last.to_string());
        self.run_until("the last number", |_| {
            let told = told.borrow();
            let heard = told.last().and_then(|line| line.split_whitespace().last());
            heard == Some(number.as_str())
        });
        self.account(name, last, reloads);
    }

    #[track_caller]
    fn account(&self, name: &str, last: u64, reloads: usize) {
        let mut heard = BTreeMap::<String, Vec<u64>>::new();
        for line in self.printed(name) {
            let words = line.split_whitespace().collect::<Vec<_>>();
            let [generation, number] = words[..] else {
                panic!("{line:?} is no generation and number");
            };
            let number = done("a number", number.parse());
            heard.entry(generation.to_owned()).or_default().push(number);
        }
        assert!(heard.len() > reloads / 2, "{} were heard", heard.len());
        for (generation, numbers) in &heard {
            let is_whole = numbers.windows(2).all(|two| two[1] == two[0] + 1);
            assert!(is_whole, "{generation} heard {numbers:?}");
        }
        let heard: BTreeSet<u64> = heard.into_values().flatten().collect();
        let missing: Vec<_> = (0..=last)
            .filter(|number| !heard.contains(number))
            .collect();
        assert!(missing.is_empty(), "nobody heard {missing:?} of {last}");
    }

    #[track_caller]
    fn run_until_told_times(&mut self, line: &str, times: usize) {
        let told = Rc::clone(&self.told);
        self.run_until(line, |_| {
            told.borrow().iter().filter(|told| *told == line).count() == times
        });
    }
}

#[derive(Default)]
struct Traffic {
    is_over: AtomicBool,
    published: AtomicU64,
}

impl Traffic {
    fn publish(&self, server: &RedisUri, channel: &str) {
        let manager = done("a manager", RedisManager::new());
        let script = done("a script", manager.load_script("traffic"));
        let client: RedisPubSubClient = done("a client", manager.open(&script, server.clone()));
        while !self.is_over.load(SeqCst) {
            let number = self.published();
            done("publishing", client.publish(channel, number));
            self.published.store(number + 1, SeqCst);
        }
    }

    fn published(&self) -> u64 {
        self.published.load(SeqCst)
    }
}

struct Stop<'a>(&'a Traffic);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.is_over.store(true, SeqCst);
    }
}
