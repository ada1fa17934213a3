//! What was published when, and what was heard of it.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, SystemTime};

use redis_manager::Gap;
use redis_manager::prelude::*;

const CHANNEL: &str = "failovers";
/// Between two messages.
const PAUSE: Duration = Duration::from_millis(2);

/// Publishes numbers, one after the other.
pub(super) struct Publisher(RedisPubSubClient);

/// When each number was published; `None` of one that may not have been.
pub(super) struct Chronicle(Vec<Option<(SystemTime, SystemTime)>>);

impl Publisher {
    pub(super) fn of(client: RedisPubSubClient) -> Self {
        Self(client)
    }

    pub(super) async fn publish(self, stop: Arc<AtomicBool>) -> Chronicle {
        let mut chronicle = Chronicle(Vec::new());
        while !stop.load(SeqCst) {
            let number = chronicle.0.len().to_string();
            let began = SystemTime::now();
            let published = self.0.publish_async(CHANNEL, number).await;
            chronicle
                .0
                .push(published.ok().map(|_| (began, SystemTime::now())));
            tokio::time::sleep(PAUSE).await;
        }
        chronicle
    }
}

impl Chronicle {
    pub(super) fn published(&self) -> usize {
        self.0.iter().flatten().count()
    }
}

pub(super) struct Subscriber {
    _client: RedisPubSubClient,
    events: Receiver<ListenerEvent>,
}

pub(super) struct Account {
    heard: usize,
    missing: usize,
    pub(super) gaps: usize,
    /// How far from the next gap a message was published at most that was not heard.
    pub(super) outside: Duration,
}

impl Subscriber {
    pub(super) fn listening(client: RedisPubSubClient) -> Self {
        let (sender, events) = channel();
        let listener = client.listener(CHANNEL).with_gaps();
        listener
            .register(move |event: &ListenerEvent| Ok(sender.send(event.clone())?))
            .unwrap();
        Self {
            _client: client,
            events,
        }
    }

    pub(super) fn audit(self, chronicle: &Chronicle) -> Account {
        let (mut heard, mut gaps) = (BTreeSet::new(), Vec::new());
        for event in self.events.try_iter() {
            match event {
                ListenerEvent::Message(message) => {
                    let number: usize = message.payload_str().unwrap().parse().unwrap();
                    let is_next = heard.last().is_none_or(|last| *last < number);
                    assert!(is_next, "{number} came twice, or late");
                    heard.insert(number);
                }
                ListenerEvent::Gap(gap) => gaps.push(gap),
                event => panic!("{event:?}"),
            }
        }
        let published = chronicle.0.iter().enumerate();
        let missing = published.filter(|(number, _)| !heard.contains(number));
        let missing: Vec<_> = missing.filter_map(|(_, published)| *published).collect();
        let outside = missing.iter().map(|published| distance(*published, &gaps));
        Account {
            heard: heard.len(),
            missing: missing.len(),
            gaps: gaps.len(),
            outside: outside.max().unwrap_or_default(),
        }
    }
}

/// How far what happened between these times is from the nearest of `gaps`.
fn distance((began, ended): (SystemTime, SystemTime), gaps: &[Gap]) -> Duration {
    let later = |earlier, later: SystemTime| later.duration_since(earlier).unwrap_or_default();
    let of = |gap: &Gap| later(ended, gap.since).max(later(gap.until, began));
    gaps.iter().map(of).min().unwrap_or(Duration::MAX)
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}, {}", self.heard, self.missing, self.gaps)
    }
}
