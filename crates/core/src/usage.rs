//! What a script has of what is limited, counted.

mod gauge;
mod lane;
mod rate;

use std::fmt;
use std::sync::Arc;

use tokio::time::Instant;

use crate::{Delivery, Error, ErrorKind, LimitName, Result, ScriptLimits};
use gauge::Gauge;
use lane::Lane;
use rate::Rate;

/// Counts what a script has of each, against its limits. Without a limit nothing is counted.
pub(crate) struct Usage {
    script: String,
    began: Instant,
    counters: [Option<Counter>; LimitName::COUNT],
}

/// How a limit is kept.
enum Counter {
    /// By refusing what would be more at a time.
    Gauge(Gauge),
    /// By refusing what would be more in a second.
    Rate(Rate),
    /// By having the rest wait.
    Lane(Arc<Lane>),
}

impl Usage {
    /// `None` if there are no limits.
    pub(crate) fn new(script: &str, limits: &ScriptLimits) -> Option<Arc<Self>> {
        if limits.is_none() {
            return None;
        }
        let counter = |name: LimitName| {
            let limit = limits.get(name)?;
            Some(match name {
                LimitName::CallbackThreads => Counter::Lane(Lane::new(limit)),
                LimitName::OperationsPerSecond | LimitName::OpeningsPerSecond => {
                    Counter::Rate(Rate::new(limit))
                }
                _ => Counter::Gauge(Gauge::new(limit)),
            })
        };
        Some(Arc::new(Self {
            script: script.to_owned(),
            began: Instant::now(),
            counters: LimitName::ALL.map(counter),
        }))
    }

    /// Takes `count` of what `name` limits, to be given back.
    pub(crate) fn take(&self, name: LimitName, count: usize) -> Result<()> {
        match self.counter(name) {
            Some(Counter::Gauge(gauge)) if !gauge.take(count) => {
                Err(self.refusal(name, gauge.limit))
            }
            _ => Ok(()),
        }
    }

    /// Gives back what was taken.
    pub(crate) fn give_back(&self, name: LimitName, count: usize) {
        if let Some(Counter::Gauge(gauge)) = self.counter(name) {
            gauge.give_back(count);
        }
    }

    /// Counts `count` of what `name` limits in a second, which begin `now`.
    pub(crate) fn spend(&self, name: LimitName, count: usize, now: Instant) -> Result<()> {
        let since_began = || now.saturating_duration_since(self.began);
        match self.counter(name) {
            Some(Counter::Rate(rate)) if !rate.admits(count, since_began) => {
                Err(self.refusal(name, rate.per_second()))
            }
            _ => Ok(()),
        }
    }

    /// Where the script's callbacks wait for one another; `None`: nowhere.
    pub(crate) fn lane(&self) -> Option<&Arc<Lane>> {
        match self.counter(LimitName::CallbackThreads) {
            Some(Counter::Lane(lane)) => Some(lane),
            _ => None,
        }
    }

    /// How much the script has of what `name` limits; `None` where nothing is counted.
    pub(crate) fn used(&self, name: LimitName) -> Option<usize> {
        match self.counter(name)? {
            Counter::Gauge(gauge) => Some(gauge.used()),
            Counter::Lane(lane) => Some(lane.running()),
            Counter::Rate(_) => None,
        }
    }

    fn counter(&self, name: LimitName) -> Option<&Counter> {
        self.counters.get(name as usize)?.as_ref()
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
        let operations = LimitName::OperationsPerSecond;
        usage.spend(operations, 1_000_000, Instant::now()).unwrap();
    }

    #[test]
    fn each_limit_counts_its_own_and_no_other() {
        for (index, name) in LimitName::ALL.into_iter().enumerate() {
            assert_eq!(name as usize, index, "{name}");
            let text = format!(r#"{{"{name}": 1}}"#);
            let limits: ScriptLimits = serde_json::from_str(&text).unwrap();
            let usage = Usage::new("economy", &limits).unwrap();
            for other in LimitName::ALL {
                let is_it = other == name;
                assert_eq!(limits.get(other).is_some(), is_it, "{name} {other}");
                assert_eq!(usage.counter(other).is_some(), is_it, "{name} {other}");
            }
        }
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
