//! What was published when, and what was heard of it.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Instant, SystemTime};

use redis_manager::prelude::*;
use redis_manager::{ChannelKind, Gap};
use redis_manager_support::TestCluster;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use super::course::Course;
use crate::harness::{Run, eventually};

/// Between two messages on a channel.
const PAUSE: Duration = Duration::from_millis(10);
/// A message that takes longer than that is given up.
const DEADLINE: Duration = Duration::from_secs(1);

/// A plain channel, and so many shard channels of each master.
pub(super) fn channels(cluster: &TestCluster, of_a_master: usize) -> Vec<Channel> {
    let mut channels = vec![Channel::new("storm plain")];
    for master in cluster.masters() {
        let view = cluster.view(master);
        let itself = view.iter().find(|line| line.is("myself")).unwrap();
        let names = (0..).map(|number| format!("storm {number}"));
        let names = names.filter(|name| itself.has(cluster.slot(name)));
        channels.extend(names.take(of_a_master).map(Channel::shard));
    }
    channels
}

pub(super) fn slot(cluster: &TestCluster, channel: &Channel) -> u16 {
    cluster.slot(std::str::from_utf8(channel.name()).unwrap())
}

/// When each number was published on one channel; `None` of one that may not have been.
type Chronicle = Arc<Mutex<Vec<Option<[SystemTime; 2]>>>>;

/// Publishes numbers on each channel, one after the other.
pub(super) struct Publisher {
    client: RedisPubSubClient,
    chronicles: Vec<(Channel, Chronicle)>,
}

impl Publisher {
    pub(super) fn of(client: RedisPubSubClient, channels: &[Channel]) -> Self {
        let of = |channel: &Channel| (channel.clone(), Chronicle::default());
        Self {
            client,
            chronicles: channels.iter().map(of).collect(),
        }
    }

    pub(super) fn begin(&self, runtime: &Runtime, stop: &Arc<AtomicBool>) -> Vec<JoinHandle<()>> {
        let tasks = self.chronicles.iter().cloned().map(|(channel, chronicle)| {
            let (client, stop) = (self.client.clone(), Arc::clone(stop));
            runtime.spawn(async move {
                for number in 0_u64.. {
                    if stop.load(SeqCst) {
                        break;
                    }
                    let began = SystemTime::now();
                    let publishing = client.publish_async(&channel, number.to_string());
                    let published = tokio::time::timeout(DEADLINE, publishing).await;
                    let told = published.is_ok_and(|published| published.is_ok());
                    let times = told.then(|| [began, SystemTime::now()]);
                    chronicle.lock().unwrap().push(times);
                    tokio::time::sleep(PAUSE).await;
                }
            })
        });
        tasks.collect()
    }

    /// Of each channel one that is published from now on.
    pub(super) fn next_numbers(&self) -> Vec<u64> {
        let next =
            |(_, chronicle): &(Channel, Chronicle)| chronicle.lock().unwrap().len() as u64 + 1;
        self.chronicles.iter().map(next).collect()
    }
}

/// What one listener was told.
struct Ear {
    channel: Channel,
    events: Receiver<ListenerEvent>,
    heard: BTreeSet<u64>,
    gaps: Vec<Gap>,
    /// What came after something that was published later: the nodes hand on plain messages each by itself.
    late: usize,
}

impl Ear {
    fn listen(&mut self) {
        for event in self.events.try_iter() {
            match event {
                ListenerEvent::Message(message) => {
                    let number = message.payload_str().unwrap().parse().unwrap();
                    let last = self.heard.last().copied();
                    let is_late = last.is_some_and(|last| number < last);
                    let is_shard = self.channel.kind() == ChannelKind::Shard;
                    let what = format!("{number} after {last:?} on {}", self.channel);
                    assert!(!is_late || !is_shard, "{what}, {:?}", self.gaps);
                    self.late += usize::from(is_late);
                    let is_new = self.heard.insert(number);
                    assert!(is_new, "twice: {what}, {:?}", self.gaps);
                }
                ListenerEvent::Gap(gap) => self.gaps.push(gap),
                event => panic!("{event:?}"),
            }
        }
    }
}

/// A client with a listener to each channel.
pub(super) struct Subscriber {
    _client: RedisPubSubClient,
    ears: Vec<Ear>,
}

impl Subscriber {
    pub(super) fn listening(client: RedisPubSubClient, channels: &[Channel]) -> Self {
        let ears = channels.iter().map(|channel| {
            let (sender, events) = self::channel();
            let listener = client.listener(channel).with_gaps();
            listener
                .register(move |event: &ListenerEvent| Ok(sender.send(event.clone())?))
                .unwrap();
            Ear {
                channel: channel.clone(),
                events,
                heard: BTreeSet::new(),
                gaps: Vec::new(),
                late: 0,
            }
        });
        Self {
            ears: ears.collect(),
            _client: client,
        }
    }

    /// Waits until each listener has heard a number not below the one given; returns how long it took.
    pub(super) fn expect_heard(&mut self, numbers: &[u64]) -> Duration {
        let began = Instant::now();
        for (ear, number) in self.ears.iter_mut().zip(numbers) {
            eventually(&format!("{} is heard again", ear.channel), || {
                ear.listen();
                ear.heard.last().is_some_and(|last| last >= number)
            });
        }
        began.elapsed()
    }

    pub(super) fn audit(mut self, publisher: &Publisher, run: &Run, course: &Course<'_>) {
        let (mut heard, mut missing, mut gaps, mut late) = (0, 0, 0, 0);
        let mut outside = [Vec::new(), Vec::new()];
        for (ear, (_, chronicle)) in self.ears.iter_mut().zip(&publisher.chronicles) {
            ear.listen();
            let chronicle = chronicle.lock().unwrap();
            let published = (0_u64..).zip(chronicle.iter());
            let unheard = published.filter(|(number, _)| !ear.heard.contains(number));
            let distances = unheard
                .filter_map(|(_, times)| *times)
                .map(|times| distance(times, &ear.gaps));
            let distances: Vec<_> = distances.collect();
            missing += distances.len();
            heard += ear.heard.len();
            gaps += ear.gaps.len();
            late += ear.late;
            let far = distances.into_iter().filter(|distance| !distance.is_zero());
            outside[usize::from(ear.channel.kind() == ChannelKind::Shard)].extend(far);
        }
        run.report(
            "messages heard, late, missing; gaps",
            format!("{heard}, {late}, {missing}; {gaps}"),
        );
        for (what, mut far) in ["plain", "shard"].into_iter().zip(outside) {
            far.sort_unstable();
            let what = format!("{what} messages missing outside of gaps, by up to");
            run.report(&what, format!("{}, {:.1?}", far.len(), far.last()));
        }
        assert!(gaps >= course.masters.len(), "the loss of a master is told");
    }
}

/// How far what happened between these times is from the nearest of `gaps`.
fn distance([began, ended]: [SystemTime; 2], gaps: &[Gap]) -> Duration {
    let later = |earlier, later: SystemTime| later.duration_since(earlier).unwrap_or_default();
    let of = |gap: &Gap| later(ended, gap.since).max(later(gap.until, began));
    gaps.iter().map(of).min().unwrap_or(Duration::MAX)
}
