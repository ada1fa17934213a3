//! What was published, and what was heard of it.

use std::fmt;
use std::time::Duration;

use redis_manager::prelude::*;

use crate::chronicle::Chronicle;
use crate::told::{Order, Told};

pub(super) const CHANNEL: &str = "failovers";
/// Between two messages.
pub(super) const PAUSE: Duration = Duration::from_millis(2);

pub(super) struct Subscriber {
    _client: RedisPubSubClient,
    told: Told,
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
        Self {
            told: Told::by(&client, &Channel::new(CHANNEL), Order::Strict),
            _client: client,
        }
    }

    pub(super) fn audit(mut self, chronicle: &Chronicle) -> Account {
        self.told.listen();
        let missing = chronicle.missing(&self.told.heard);
        let outside = missing
            .iter()
            .map(|message| message.distance(self.told.periods()));
        Account {
            heard: self.told.heard.len(),
            missing: missing.len(),
            gaps: self.told.gaps.len(),
            outside: outside.max().unwrap_or_default(),
        }
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}, {}", self.heard, self.missing, self.gaps)
    }
}
