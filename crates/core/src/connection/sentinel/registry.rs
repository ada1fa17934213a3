//! Who uses which sentinels.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::SentinelSet;
use crate::{ClientOptions, ClientResources, RedisTopology, RedisUri};

/// The sentinels that clients use. Short: one for each way in which clients are opened.
#[derive(Default)]
pub(crate) struct SentinelSets(Mutex<Vec<Weak<User>>>);

/// All who use one set. Once they are gone, nobody listens to the sentinels any more.
struct User(Arc<SentinelSet>);

impl Drop for User {
    fn drop(&mut self) {
        self.0.unwanted.cancel();
        self.0.tasks.close();
    }
}

/// A client's part in sentinels, until it is dropped.
pub(crate) struct SentinelUse(Arc<User>);

impl SentinelUse {
    /// For a client of `uri`, if that names sentinels. Connects to nothing.
    pub(crate) fn of(
        uri: &RedisUri,
        options: &ClientOptions,
        resources: &ClientResources,
    ) -> Option<Self> {
        if uri.topology() != RedisTopology::Sentinel {
            return None;
        }
        let mut sets = resources.sentinel_sets().0.lock();
        let found = sets.iter().filter_map(Weak::upgrade);
        let found = found.into_iter().find(|user| user.0.suits(uri, options));
        let user = found.unwrap_or_else(|| {
            let user = Arc::new(User(Arc::new(SentinelSet::new(uri, options, resources))));
            sets.retain(|other| other.strong_count() > 0);
            sets.push(Arc::downgrade(&user));
            user
        });
        Some(Self(user))
    }

    pub(crate) fn set(&self) -> Arc<SentinelSet> {
        Arc::clone(&self.0.0)
    }

    /// Gives it up. If it was the last one, completes when nothing of it is left.
    pub(crate) async fn end(self) {
        if let Some(user) = Arc::into_inner(self.0) {
            let set = Arc::clone(&user.0);
            drop(user);
            set.tasks.wait().await;
        }
    }
}
