//! Sentinels: who the master is at this moment, and when that changes.

mod answer;
mod found_master;
mod lookup;
mod registry;
mod role;
mod round;
mod shared_answer;
mod watcher;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::endpoint::Endpoint;
use crate::{ClientOptions, ClientResources, RedisUri, Result};

pub(super) use found_master::FoundMaster;
pub(crate) use registry::{SentinelSets, SentinelUse};
pub(super) use role::Role;
pub(super) use round::share;
use shared_answer::SharedAnswer;

/// The sentinels of one URI, for all clients that name the same ones and the same master.
pub(crate) struct SentinelSet {
    master: Arc<str>,
    nodes: Vec<Endpoint>,
    uri: RedisUri,
    options: ClientOptions,
    resources: ClientResources,
    /// The sentinel to ask first.
    first: AtomicUsize,
    /// The master that one of them named when they were asked last, and the number of that sentinel.
    named: SharedAnswer<Result<(usize, Endpoint)>>,
    known: watch::Sender<Known>,
    is_watched: AtomicBool,
    unwanted: CancellationToken,
    tasks: TaskTracker,
}

/// What the sentinels have told of their own accord.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Known {
    master: Option<Endpoint>,
    /// The master before that, if it was they who said that it is none any more.
    replaced: Option<Endpoint>,
    /// Since when it is known. What others published since then was not to be heard on the one before.
    since: Option<Instant>,
}

impl Known {
    /// Whether who names `endpoint` has not heard yet that there is another master.
    fn is_behind(&self, endpoint: &Endpoint) -> bool {
        self.replaced.as_ref() == Some(endpoint) && self.master.as_ref() != Some(endpoint)
    }

    /// Notes that `new` is the master, instead of `old` if that is told. Returns whether it was not known.
    fn learn(&mut self, old: Option<Endpoint>, new: Endpoint) -> bool {
        let is_news = self.master.as_ref() != Some(&new);
        if is_news {
            self.replaced = old.filter(|old| *old != new);
            self.master = Some(new);
            self.since = Some(Instant::now());
        }
        is_news
    }
}

impl SentinelSet {
    fn new(uri: &RedisUri, options: &ClientOptions, resources: &ClientResources) -> Self {
        Self {
            master: uri.sentinel_master_id().unwrap_or_default().into(),
            nodes: uri.nodes().iter().map(Endpoint::from).collect(),
            uri: uri.clone(),
            options: options.clone(),
            resources: resources.clone(),
            first: AtomicUsize::new(0),
            named: SharedAnswer::new(),
            known: watch::Sender::default(),
            is_watched: AtomicBool::new(false),
            unwanted: CancellationToken::new(),
            tasks: TaskTracker::new(),
        }
    }

    /// Whether who opens `uri` with `options` asks the same ones for the same, in the same way.
    fn suits(&self, uri: &RedisUri, options: &ClientOptions) -> bool {
        let own = (&self.uri, &self.options);
        let same_place = own.0.nodes() == uri.nodes()
            && own.0.sentinel_master_id() == uri.sentinel_master_id()
            && own.0.is_tls() == uri.is_tls()
            && own.0.verify_peer() == uri.verify_peer();
        // By which the one that listens finds out that a sentinel is silent, and when it is asked again.
        let same_times = own.1.connect_timeout() == options.connect_timeout()
            && own.1.heartbeat() == options.heartbeat()
            && own.1.reconnect_delay() == options.reconnect_delay();
        same_place
            && same_times
            && own.1.tls() == options.tls()
            && own.1.socket() == options.socket()
            && own.1.has_sentinel_credentials_of(options)
    }

    /// Tells when the sentinels have another master.
    pub(super) fn switches(&self) -> Switches {
        Switches::of(&self.known)
    }

    /// Where the master is that the sentinels have, if they were asked.
    pub(crate) fn master_address(&self) -> Option<String> {
        self.known.borrow().master.as_ref().map(Endpoint::to_string)
    }

    /// The sentinel of this number named a server that is a master.
    fn trust(self: &Arc<Self>, index: usize, master: &Endpoint) {
        self.known.send_if_modified(|known| {
            let is_first = known.master.is_none();
            is_first && known.learn(None, master.clone())
        });
        self.first.store(index, Ordering::Relaxed);
        if !self.is_watched.swap(true, Ordering::Relaxed) {
            self.start_watching();
        }
    }

    /// Notes what the sentinel of this number told.
    fn learn(&self, index: usize, old: Option<Endpoint>, new: Endpoint) {
        if tell(&self.known, old.clone(), new.clone()) {
            self.first.store(index, Ordering::Relaxed);
            if let Some(old) = old {
                tracing::info!(%old, %new, "the sentinels have another master");
            }
        }
    }
}

/// Notes that `new` is the master, and wakes who is interested: if it was not known, and if a sentinel says that it replaced
/// another one, because somebody may be on that one again. Returns whether it was not known.
fn tell(known: &watch::Sender<Known>, old: Option<Endpoint>, new: Endpoint) -> bool {
    let mut is_news = false;
    known.send_if_modified(|known| {
        let is_switch = old.is_some();
        is_news = known.learn(old, new);
        is_news || is_switch
    });
    is_news
}

/// When the sentinels have another master.
pub(super) struct Switches {
    known: watch::Receiver<Known>,
    /// Another one than this.
    seen: Option<Endpoint>,
}

impl Switches {
    fn of(known: &watch::Sender<Known>) -> Self {
        let known = known.subscribe();
        let seen = known.borrow().master.clone();
        Self { known, seen }
    }

    /// Another one than `endpoint`, as was told since they were made.
    fn from(mut self, endpoint: Endpoint) -> Self {
        self.seen = Some(endpoint);
        self
    }

    /// Completes when another master is told than this was made for, or told last, with that and since when it is known.
    pub(super) async fn next(&mut self) -> (Endpoint, Instant) {
        loop {
            if self.known.changed().await.is_err() {
                // Nobody asks them any more.
                std::future::pending::<()>().await;
            }
            let known = self.known.borrow_and_update();
            if let (Some(master), Some(since)) = (&known.master, known.since)
                && self.seen.as_ref() != Some(master)
            {
                self.seen = Some(master.clone());
                return (master.clone(), since);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(port: u16) -> Endpoint {
        Endpoint::Master {
            name: "main".into(),
            host: "h".to_owned(),
            port,
        }
    }

    #[test]
    fn who_names_the_master_that_was_replaced_is_behind() {
        let mut known = Known::default();
        assert!(!known.is_behind(&at(1)));
        assert!(known.learn(None, at(1)));
        assert!(known.learn(Some(at(1)), at(2)));
        assert!(!known.learn(Some(at(1)), at(2)), "it is known");
        assert!(known.is_behind(&at(1)));
        assert!(!known.is_behind(&at(2)) && !known.is_behind(&at(3)));
    }

    #[test]
    fn a_master_that_comes_back_is_not_behind() {
        let mut known = Known::default();
        known.learn(Some(at(1)), at(2));
        known.learn(Some(at(2)), at(1));
        assert!(!known.is_behind(&at(1)) && known.is_behind(&at(2)));
        known.learn(None, at(2));
        assert!(!known.is_behind(&at(1)), "nobody said that it was replaced");
    }

    fn is_told(switches: &mut Switches) -> Option<Endpoint> {
        use futures_util::FutureExt;
        switches.next().now_or_never().map(|(master, _)| master)
    }

    #[test]
    fn who_waits_is_told_of_a_master_once_however_many_sentinels_say_it() {
        let known = watch::Sender::default();
        tell(&known, None, at(1));
        let mut switches = Switches::of(&known);
        assert_eq!(is_told(&mut switches), None);
        for sentinel in 0..3 {
            assert_eq!(tell(&known, Some(at(1)), at(2)), sentinel == 0);
        }
        assert_eq!(is_told(&mut switches), Some(at(2)));
        tell(&known, Some(at(1)), at(2));
        assert_eq!(is_told(&mut switches), None);
    }

    #[test]
    fn who_was_sent_to_the_replaced_master_again_is_told_when_another_sentinel_knows_of_it() {
        let known = watch::Sender::default();
        tell(&known, Some(at(1)), at(2));
        let mut switches = Switches::of(&known).from(at(1));
        assert_eq!(is_told(&mut switches), None);
        tell(&known, None, at(2));
        assert_eq!(is_told(&mut switches), None, "one that is listened to anew");
        tell(&known, Some(at(1)), at(2));
        assert_eq!(is_told(&mut switches), Some(at(2)));
    }
}
