//! When which number was published on a channel.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use redis_manager::prelude::*;

/// A number that a server has taken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Published {
    pub(crate) began: SystemTime,
    pub(crate) ended: SystemTime,
    /// How many clients the server has handed it to; it counts those of its own alone.
    pub(crate) receivers: u64,
}

/// The numbers from 0 on; `None` of one that may not have been published.
#[derive(Clone, Default)]
pub(crate) struct Chronicle(Arc<Mutex<Vec<Option<Published>>>>);

impl Chronicle {
    /// Publishes one number after the other, with such a pause in between; one that takes longer than `deadline` is given
    /// up.
    pub(crate) async fn publish(
        self,
        client: RedisPubSubClient,
        channel: Channel,
        pause: Duration,
        deadline: Duration,
        stop: Arc<AtomicBool>,
    ) {
        for number in 0_u64.. {
            if stop.load(SeqCst) {
                break;
            }
            let began = SystemTime::now();
            let publishing = client.publish_async(&channel, number.to_string());
            let answer = tokio::time::timeout(deadline, publishing).await;
            let receivers = answer.ok().and_then(Result::ok);
            let published = receivers.map(|receivers| Published {
                began,
                ended: SystemTime::now(),
                receivers,
            });
            self.0.lock().unwrap().push(published);
            tokio::time::sleep(pause).await;
        }
    }

    /// One that is published from now on.
    pub(crate) fn next(&self) -> u64 {
        self.0.lock().unwrap().len() as u64 + 1
    }

    /// How many were published.
    pub(crate) fn published(&self) -> usize {
        self.0.lock().unwrap().iter().flatten().count()
    }

    /// What the server said of this number.
    pub(crate) fn of(&self, number: u64) -> Option<Published> {
        *self.0.lock().unwrap().get(usize::try_from(number).ok()?)?
    }

    /// Those that were published, and are not among these.
    pub(crate) fn missing(&self, heard: &BTreeSet<u64>) -> Vec<Published> {
        let numbers = self.0.lock().unwrap();
        let unheard = (0_u64..).zip(&*numbers);
        let unheard = unheard.filter(|(number, _)| !heard.contains(number));
        unheard.filter_map(|(_, published)| *published).collect()
    }
}

impl Published {
    /// How far it is from the nearest of these periods.
    pub(crate) fn distance(&self, periods: impl IntoIterator<Item = [SystemTime; 2]>) -> Duration {
        let later = |earlier, later: SystemTime| later.duration_since(earlier).unwrap_or_default();
        let of = |[since, until]: [_; 2]| later(self.ended, since).max(later(until, self.began));
        periods.into_iter().map(of).min().unwrap_or(Duration::MAX)
    }
}
