//! Who sends what is there: the driver's task, or a caller who leads. Pure.

/// Whether the caller may lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Leading {
    Never,
    /// If no other call is expected.
    Alone,
    Always,
}

/// How many calls at a time have waited of late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Round {
    One,
    Few,
    Many,
}

/// How many calls at a time a caller does the work for. With more of them it pays that a thread of our own works at
/// the same time as the callers.
const LARGEST_ROUND: usize = 24;

impl Round {
    pub(super) fn of(calls: usize) -> Self {
        match calls {
            0 | 1 => Self::One,
            2..=LARGEST_ROUND => Self::Few,
            _ => Self::Many,
        }
    }
}

/// What whoever has left a request does for it besides waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Role {
    /// Nothing: somebody else is to send it, and knows.
    Follow,
    /// Wake the driver's task.
    Wake,
    /// Send it at once: no other call is expected.
    LeadAlone,
    /// Send it, and what others leave until then, once those had their turn.
    Lead,
    /// The same, and wake the driver's task, which watches who leads.
    LeadAndWake,
}

impl Role {
    pub(in super::super) fn leads(self) -> bool {
        matches!(self, Self::LeadAlone | Self::Lead | Self::LeadAndWake)
    }

    pub(in super::super) fn wakes(self) -> bool {
        matches!(self, Self::Wake | Self::LeadAndWake)
    }
}

#[derive(Debug)]
pub(super) struct Leadership {
    /// The request of the caller who leads.
    leader: Option<u64>,
    /// Whether the task is asleep, or may be.
    is_asleep: bool,
    /// Whether the task does nothing because of the leader.
    is_waiting: bool,
    /// Whether the task looks from time to time whether the leader gets on.
    is_watched: bool,
}

impl Leadership {
    /// That of a new driver.
    pub(super) fn new() -> Self {
        Self {
            leader: None,
            is_asleep: true,
            is_waiting: false,
            is_watched: false,
        }
    }

    /// What the caller of the request of this number does.
    pub(super) fn role(&mut self, number: u64, leading: Leading, round: Round) -> Role {
        let role = match (leading, round) {
            (Leading::Never, _) | (_, Round::Many) | (Leading::Alone, Round::Few) => {
                // If somebody leads, these are too many for one.
                self.leader = None;
                return self.wake_once();
            }
            _ if self.leader.is_some() => return Role::Follow,
            (_, Round::One) => Role::LeadAlone,
            (Leading::Always, Round::Few) if self.is_watched => Role::Lead,
            (Leading::Always, Round::Few) => Role::LeadAndWake,
        };
        self.leader = Some(number);
        role
    }

    fn wake_once(&mut self) -> Role {
        let is_asleep = std::mem::take(&mut self.is_asleep);
        let is_waiting = std::mem::take(&mut self.is_waiting);
        if is_asleep || is_waiting {
            Role::Wake
        } else {
            Role::Follow
        }
    }

    /// The request of the caller who leads, if one does: then the task waits until that resigns.
    pub(super) fn wait(&mut self) -> Option<u64> {
        self.is_waiting = self.leader.is_some();
        self.leader
    }

    /// The request of this number leads no more, if it did. Returns whether the task waits for that.
    pub(super) fn resign(&mut self, number: u64) -> bool {
        if self.leader == Some(number) {
            self.leader = None;
        }
        self.is_waiting
    }

    pub(super) fn set_watched(&mut self, is_watched: bool) {
        self.is_watched = is_watched;
    }

    /// Whether the task is to be woken by the next request that nobody leads.
    pub(super) fn set_asleep(&mut self, is_asleep: bool) {
        self.is_asleep = is_asleep;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_leads_and_the_others_follow_until_it_resigns() {
        let mut led = Leadership::new();
        assert_eq!(led.role(1, Leading::Always, Round::One), Role::LeadAlone);
        assert_eq!(led.role(2, Leading::Always, Round::Few), Role::Follow);
        assert!(!led.resign(1), "the task has not come meanwhile");
        assert_eq!(led.role(3, Leading::Always, Round::Few), Role::LeadAndWake);
        assert_eq!(led.wait(), Some(3));
        led.set_watched(true);
        assert!(led.resign(3));
        assert_eq!(led.role(4, Leading::Always, Round::Few), Role::Lead);
        led.resign(3);
        assert_eq!(led.wait(), Some(4), "another one resigned");
    }

    #[test]
    fn where_nobody_may_lead_the_first_wakes_the_task() {
        for (leading, round) in [
            (Leading::Never, Round::One),
            (Leading::Alone, Round::Few),
            (Leading::Always, Round::Many),
        ] {
            let mut led = Leadership::new();
            assert_eq!(led.role(1, leading, round), Role::Wake);
            assert_eq!(led.role(2, leading, round), Role::Follow);
            led.set_asleep(true);
            assert_eq!(led.role(3, leading, round), Role::Wake);
        }
    }

    #[test]
    fn too_many_for_one_are_the_tasks_also_if_it_waits_for_who_led() {
        let mut led = Leadership::new();
        led.set_asleep(false);
        assert!(led.role(1, Leading::Always, Round::Few).leads());
        assert_eq!(led.wait(), Some(1));
        assert_eq!(led.role(2, Leading::Always, Round::Many), Role::Wake);
        assert_eq!(led.wait(), None);
    }

    #[test]
    fn rounds() {
        let rounds = [0, 1, 2, 24, 25].map(Round::of);
        use Round::{Few, Many, One};
        assert_eq!(rounds, [One, One, Few, Few, Many]);
    }
}
