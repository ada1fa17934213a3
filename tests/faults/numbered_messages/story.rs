//! What one listener was told, and whether it is true.

use std::time::{Duration, SystemTime};

use redis_manager::{Gap, ListenerEvent};

use super::chronicle::Chronicle;
use super::lateness;

pub(super) struct Kill {
    pub(super) began: SystemTime,
    pub(super) ended: SystemTime,
}

pub(super) struct Story {
    pub(super) name: &'static str,
    pub(super) events: Vec<ListenerEvent>,
    /// Of the connection that listened.
    pub(super) kills: Vec<Kill>,
}

#[derive(Default)]
pub(super) struct Account {
    pub(super) gaps: usize,
    pub(super) heard: u64,
    pub(super) missing: u64,
    /// How long before the beginning of its gap a missing message was published at most: what the server had sent
    /// when it was last heard can be lost still.
    pub(super) too_early: Duration,
    /// How long after the kill a gap began at most: what the server had sent before may be heard after it.
    pub(super) too_late: Duration,
    /// How long a gap was at most when a message was published that was heard before or after it.
    pub(super) too_long: Duration,
}

impl Story {
    /// Goes through the events one by one. What is asserted here holds on any machine: an effect does not come
    /// before its cause.
    pub(super) fn audit(&self, chronicle: &Chronicle) -> Account {
        let mut account = Account::default();
        let mut expected = 0;
        // Those since the last message: one, unless another loss followed at once.
        let mut gaps: Vec<&Gap> = Vec::new();
        let mut until = SystemTime::UNIX_EPOCH;
        for event in &self.events {
            match event {
                ListenerEvent::Message(message) => {
                    let number: u64 = message.payload_str().unwrap().parse().unwrap();
                    assert!(number >= expected, "{number} came, not {expected}");
                    for missing in expected..number {
                        account.add_missing(missing, &gaps, chronicle);
                    }
                    account.add_heard(number, expected.checked_sub(1), &gaps, chronicle);
                    expected = number + 1;
                    gaps.clear();
                }
                ListenerEvent::Gap(gap) => {
                    // The server was heard in between, if by nothing else then by its messages.
                    assert!(!gaps.is_empty() || until <= gap.since, "{gap:?}");
                    until = gap.until;
                    account.add_gap(gap, &self.kills);
                    gaps.push(gap);
                }
                event => panic!("{event:?}"),
            }
        }
        assert_eq!(account.heard + account.missing, chronicle.published());
        self.expect_every_kill_told(&mut account);
        account
    }

    /// Each kill lies in a gap: it ended a connection that listened.
    fn expect_every_kill_told(&self, account: &mut Account) {
        for kill in &self.kills {
            let gaps = self.events.iter().filter_map(|event| match event {
                ListenerEvent::Gap(gap) => Some(gap),
                _ => None,
            });
            let told = gaps.clone().find(|gap| gap.until >= kill.began);
            let gap = told.expect("a kill without a gap");
            account.too_late = account.too_late.max(lateness(kill.ended, gap.since));
        }
    }
}

impl Account {
    fn add_missing(&mut self, number: u64, gaps: &[&Gap], chronicle: &Chronicle) {
        let batch = chronicle.of(number);
        // The server published it before it took the new subscription.
        let later = gaps.iter().filter(|gap| batch.began <= gap.until);
        let too_early = later.map(|gap| lateness(batch.ended, gap.since)).min();
        let too_early = too_early.unwrap_or_else(|| panic!("{number} is missing: {gaps:?}"));
        self.too_early = self.too_early.max(too_early);
        self.missing += 1;
    }

    /// Adds `number`, which was heard after `previous`, with these gaps in between.
    fn add_heard(
        &mut self,
        number: u64,
        previous: Option<u64>,
        gaps: &[&Gap],
        chronicle: &Chronicle,
    ) {
        self.heard += 1;
        if let (Some(gap), Some(previous)) = (gaps.first(), previous) {
            let began = chronicle.of(previous).began;
            self.too_long = self.too_long.max(lateness(gap.since, began));
        }
        if let Some(gap) = gaps.last() {
            let ended = chronicle.of(number).ended;
            self.too_long = self.too_long.max(lateness(ended, gap.until));
        }
    }

    fn add_gap(&mut self, gap: &Gap, kills: &[Kill]) {
        assert!(gap.since <= gap.until, "{gap:?}");
        self.gaps += 1;
        let kills = kills.iter().filter(|kill| kill.began <= gap.until);
        assert!(self.gaps <= kills.count(), "nothing was lost: {gap:?}");
    }
}
