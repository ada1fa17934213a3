//! What a script has of what is limited, counted.

mod lane;
mod rate;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::time::Instant;

use crate::{Delivery, Error, ErrorKind, LimitName, Result, ScriptLimits};
use lane::Lane;
use rate::Rate;

/// Counts what a script has of each, against its limits. Without a limit nothing is counted.
pub(crate) struct Usage {
    script: String,
    began: Instant,
    meters: [Option<Meter>; LimitName::COUNT],
    rate: Option<Rate>,
    lane: Option<Arc<Lane>>,
}

struct Meter {
    limit: usize,
    used: AtomicUsize,
}

impl Usage {
    /// `None` if there are no limits.
    pub(crate) fn new(script: &str, limits: &ScriptLimits) -> Option<Arc<Self>> {
        if limits.is_none() {
            return None;
        }
        let meter = |name| {
            if matches!(
                name,
                LimitName::CallbackThreads | LimitName::OperationsPerSecond
            ) {
                return None;
            }
            let limit = limits.get(name)?;
            Some(Meter {
                limit,
                used: AtomicUsize::new(0),
            })
        };
        Some(Arc::new(Self {
            script: script.to_owned(),
            began: Instant::now(),
            meters: LimitName::ALL.map(meter),
            rate: limits.get(LimitName::OperationsPerSecond).map(Rate::new),
            lane: limits.get(LimitName::CallbackThreads).map(Lane::new),
        }))
    }

    /// Takes `count` of what `name` limits, to be given back.
    pub(crate) fn take(&self, name: LimitName, count: usize) -> Result<()> {
        let Some(meter) = self.meter(name) else {
            return Ok(());
        };
        let before = meter.used.fetch_add(count, Ordering::Relaxed);
        if before.saturating_add(count) <= meter.limit {
            return Ok(());
        }
        meter.used.fetch_sub(count, Ordering::Relaxed);
        Err(self.refusal(name, meter.limit))
    }

    /// Gives back what was taken.
    pub(crate) fn give_back(&self, name: LimitName, count: usize) {
        if let Some(meter) = self.meter(name) {
            meter.used.fetch_sub(count, Ordering::Relaxed);
        }
    }

    /// Admits `count` operations that begin `now`.
    pub(crate) fn operate(&self, count: usize, now: Instant) -> Result<()> {
        let Some(rate) = &self.rate else {
            return Ok(());
        };
        if rate.admits(count, now.saturating_duration_since(self.began)) {
            return Ok(());
        }
        Err(self.refusal(LimitName::OperationsPerSecond, rate.per_second()))
    }

    /// Where the script's callbacks wait for one another; `None`: nowhere.
    pub(crate) fn lane(&self) -> Option<&Arc<Lane>> {
        self.lane.as_ref()
    }

    /// How much the script has of what `name` limits; `None` where nothing is counted.
    pub(crate) fn used(&self, name: LimitName) -> Option<usize> {
        if name == LimitName::CallbackThreads {
            return self.lane().map(|lane| lane.running());
        }
        let used = &self.meter(name)?.used;
        Some(used.load(Ordering::Relaxed))
    }

    fn meter(&self, name: LimitName) -> Option<&Meter> {
        self.meters.get(name as usize)?.as_ref()
    }

    fn refusal(&self, name: LimitName, limit: usize) -> Error {
        let message = format!("the script {:?} is limited to {name} {limit}", self.script);
        Error::new(ErrorKind::LimitExceeded, message).with_delivery(Delivery::NotSent)
    }
}

impl fmt::Debug for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let used = LimitName::ALL.map(|name| (name, self.used(name)));
        f.debug_map().entries(used).finish()
    }
}

/// One of what a script is limited in, given back when it is dropped.
#[derive(Debug, Default)]
#[must_use = "it is given back when it is dropped"]
pub struct Share {
    /// `None` if it is not limited.
    taken: Option<(Arc<Usage>, LimitName)>,
}

impl Share {
    /// Takes one of what `name` limits; nothing if `usage` is none.
    pub(crate) fn take(usage: Option<&Arc<Usage>>, name: LimitName) -> Result<Self> {
        let Some(usage) = usage else {
            return Ok(Self::default());
        };
        usage.take(name, 1)?;
        let taken = Some((Arc::clone(usage), name));
        Ok(Self { taken })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        if let Some((usage, name)) = &self.taken {
            usage.give_back(*name, 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_more_than_the_limit_is_refused_by_name_and_changes_nothing() {
        let limits = ScriptLimits::none().with_commands_in_flight(3);
        let usage = Usage::new("economy", &limits).unwrap();
        usage.take(LimitName::CommandsInFlight, 2).unwrap();
        let error = usage.take(LimitName::CommandsInFlight, 2).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LimitExceeded);
        assert_eq!(error.delivery(), Some(Delivery::NotSent));
        assert_eq!(
            error.message(),
            "the script \"economy\" is limited to commands_in_flight 3"
        );
        assert_eq!(usage.used(LimitName::CommandsInFlight), Some(2));
        usage.take(LimitName::CommandsInFlight, 1).unwrap();
        usage.give_back(LimitName::CommandsInFlight, 3);
        assert_eq!(usage.used(LimitName::CommandsInFlight), Some(0));
    }

    #[test]
    fn without_a_limit_nothing_is_counted() {
        assert!(Usage::new("economy", &ScriptLimits::none()).is_none());
        let limits = ScriptLimits::none().with_clients(1);
        let usage = Usage::new("economy", &limits);
        let share = Share::take(usage.as_ref(), LimitName::Listeners).unwrap();
        let usage = usage.unwrap();
        assert_eq!(usage.used(LimitName::Listeners), None);
        drop(share);
        usage.operate(1_000_000, Instant::now()).unwrap();
    }

    #[test]
    fn a_share_is_given_back_when_it_is_dropped() {
        let limits = ScriptLimits::none().with_clients(1);
        let usage = Usage::new("economy", &limits);
        let share = Share::take(usage.as_ref(), LimitName::Clients).unwrap();
        assert!(Share::take(usage.as_ref(), LimitName::Clients).is_err());
        drop(share);
        assert!(Share::take(usage.as_ref(), LimitName::Clients).is_ok());
    }
}
