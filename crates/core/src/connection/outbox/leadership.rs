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

/// What the driver's task does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Task {
    /// It moves bytes, or was woken to.
    Up,
    /// It waits for the socket, and for the next request that nobody leads.
    Asleep,
    /// It leaves the work to those who lead, and only looks from time to time whether they get on.
    StandsBack,
}

#[derive(Debug)]
pub(super) struct Leadership {
    /// The request of the caller who leads.
    leader: Option<u64>,
    task: Task,
}

impl Leadership {
    /// That of a new driver.
    pub(super) fn new() -> Self {
        Self {
            leader: None,
            task: Task::Asleep,
        }
    }

    /// What the caller of the request of this number does.
    pub(super) fn role(&mut self, number: u64, leading: Leading, round: Round) -> Role {
        let role = match (leading, round) {
            (Leading::Never, _) | (_, Round::Many) | (Leading::Alone, Round::Few) => {
                // If somebody leads, these are too many for one.
                self.leader = None;
                let is_up = std::mem::replace(&mut self.task, Task::Up) == Task::Up;
                return if is_up { Role::Follow } else { Role::Wake };
            }
            _ if self.leader.is_some() => return Role::Follow,
            (_, Round::One) => Role::LeadAlone,
            (Leading::Always, Round::Few) if self.task == Task::StandsBack => Role::Lead,
            (Leading::Always, Round::Few) => Role::LeadAndWake,
        };
        self.leader = Some(number);
        role
    }

    /// The task asks whether to leave the work to callers; `get_on` is whether they did since it asked last. If not,
    /// whoever leads does not any more.
    pub(super) fn stand_back(&mut self, get_on: bool) -> bool {
        let is_led = self.leader.is_some() || self.task == Task::StandsBack;
        if !get_on {
            self.leader = None;
        }
        let stands_back = is_led && get_on;
        self.task = if stands_back {
            Task::StandsBack
        } else {
            Task::Up
        };
        stands_back
    }

    /// A caller who leads has found nothing left to do, although the task came: it need not.
    pub(super) fn send_back(&mut self) {
        self.task = Task::StandsBack;
    }

    /// The request of this number leads no more, if it did.
    pub(super) fn resign(&mut self, number: u64) {
        if self.leader == Some(number) {
            self.leader = None;
        }
    }

    /// The task is about to be woken because there is work for it.
    pub(super) fn call(&mut self) {
        self.task = Task::Up;
    }

    /// Whether the task has left the work to others.
    pub(super) fn is_left_to_callers(&self) -> bool {
        self.task == Task::StandsBack
    }

    /// Whether the task is to be woken by the next request that nobody leads. Of no account while it stands back.
    pub(super) fn set_asleep(&mut self, is_asleep: bool) {
        if self.task != Task::StandsBack {
            self.task = if is_asleep { Task::Asleep } else { Task::Up };
        }
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
        led.resign(1);
        assert_eq!(led.role(3, Leading::Always, Round::Few), Role::LeadAndWake);
        assert!(led.stand_back(true));
        led.resign(3);
        assert_eq!(led.role(4, Leading::Always, Round::Few), Role::Lead);
        led.resign(3);
        assert_eq!(led.role(5, Leading::Always, Round::Few), Role::Follow);
    }

    #[test]
    fn the_task_stands_back_while_callers_lead_and_until_it_is_called() {
        let mut led = Leadership::new();
        assert!(!led.stand_back(true), "nobody leads");
        led.role(1, Leading::Always, Round::Few);
        assert!(led.stand_back(true));
        led.resign(1);
        assert!(led.stand_back(true), "others may lead next");
        assert!(led.is_left_to_callers());
        led.call();
        assert!(!led.is_left_to_callers());
        assert!(!led.stand_back(true));
        assert!(!led.is_left_to_callers());
    }

    #[test]
    fn who_does_not_get_on_leads_no_more() {
        let mut led = Leadership::new();
        led.role(1, Leading::Always, Round::Few);
        assert!(led.stand_back(true));
        assert!(!led.stand_back(false));
        assert_eq!(led.role(2, Leading::Always, Round::One), Role::LeadAlone);
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
    fn too_many_for_one_are_the_tasks_also_if_it_stands_back() {
        let mut led = Leadership::new();
        led.set_asleep(false);
        assert!(led.role(1, Leading::Always, Round::Few).leads());
        assert!(led.stand_back(true));
        led.set_asleep(true);
        assert_eq!(led.role(2, Leading::Always, Round::Many), Role::Wake);
        assert!(!led.stand_back(true));
    }

    #[test]
    fn rounds() {
        let rounds = [0, 1, 2, 24, 25].map(Round::of);
        use Round::{Few, Many, One};
        assert_eq!(rounds, [One, One, Few, Few, Many]);
    }
}
