//! One failover after the other, as it is seen from outside.

use std::fmt;
use std::time::{Duration, Instant};

use redis_manager_support::{SentinelTrio, TestServer};

use crate::harness::eventually;
use crate::random::Random;

/// What makes the master change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// `SENTINEL FAILOVER`: the master before lives, and takes writes until it is told.
    Asked,
    /// SIGKILL; it comes back empty, as a master.
    Killed,
    /// SIGSTOP; it comes back with what was on its way to it, as a master.
    Paused,
}

impl Fault {
    const ALL: [Self; 3] = [Self::Asked, Self::Killed, Self::Paused];

    pub(super) fn in_any_order(random: &mut Random) -> Vec<Self> {
        let mut left = Self::ALL.to_vec();
        let mut order = Vec::new();
        while !left.is_empty() {
            order.push(left.remove(random.below(left.len() as u64) as usize));
        }
        order
    }
}

/// The time of one master.
pub(super) struct Term {
    pub(super) port: u16,
    /// How the one before ended. `None` of the first, and if the sentinels had another one of their own accord.
    pub(super) fault: Option<Fault>,
    pub(super) fault_began: Instant,
    /// When its ROLE was seen to be that of a master.
    pub(super) promoted: Instant,
    /// When a sentinel named it.
    pub(super) named: Instant,
}

pub(super) struct Course {
    terms: Vec<Term>,
    /// When the master was looked at last.
    looked: Instant,
}

impl Course {
    pub(super) fn begin(trio: &SentinelTrio) -> Self {
        let now = Instant::now();
        let mut course = Self {
            terms: Vec::new(),
            looked: now,
        };
        course.catch_up(trio);
        course
    }

    /// Looks who the master is: on a machine that is too busy, sentinels take one for down that is not.
    pub(super) fn catch_up(&mut self, trio: &SentinelTrio) {
        let port = trio.primary().port();
        let now = Instant::now();
        if self.terms.last().is_none_or(|term| term.port != port) {
            self.terms.push(Term {
                port,
                fault: None,
                fault_began: self.looked,
                promoted: now,
                named: now,
            });
        }
        self.looked = now;
    }

    /// Has the master change, and the one before come back, until all are as they were.
    pub(super) fn go_on(&mut self, trio: &SentinelTrio, fault: Fault) {
        self.catch_up(trio);
        let of = self.terms.last().map(|term| term.port);
        let (old, others): (Vec<_>, Vec<_>) = trio
            .servers()
            .iter()
            .partition(|server| Some(server.port()) == of);
        let old = old[0];
        let fault_began = Instant::now();
        match fault {
            Fault::Asked => trio.begin_failover(),
            Fault::Killed => old.kill().unwrap(),
            Fault::Paused => old.pause().unwrap(),
        }
        let mut new = None;
        eventually("a replica is promoted, and a sentinel names it", || {
            let master = others.iter().find(|server| is_master(server));
            let port = master.map(|server| server.port());
            if port != new.map(|(port, _)| port) {
                new = port.map(|port| (port, Instant::now()));
            }
            // On a busy machine a sentinel may not see in time that its candidate was promoted.
            if fault == Fault::Asked && trio.has_given_up(old) {
                trio.begin_failover();
            }
            let mut sentinels = trio.sentinels().iter();
            port.is_some() && sentinels.any(|sentinel| sentinel.master_port(trio.name()) == port)
        });
        let (port, promoted) = new.unwrap();
        self.terms.push(Term {
            port,
            fault: Some(fault),
            fault_began,
            promoted,
            named: Instant::now(),
        });
        // Back, it takes itself for a master until the sentinels tell it.
        match fault {
            Fault::Asked => {}
            Fault::Killed => old.restart().unwrap(),
            Fault::Paused => old.resume().unwrap(),
        }
        trio.wait_until_whole();
        self.looked = Instant::now();
    }

    /// Those that began with a fault of ours.
    pub(super) fn failovers(&self) -> impl Iterator<Item = &Term> {
        self.terms.iter().filter(|term| term.fault.is_some())
    }

    /// The number of the term in which the server at `port` answered at `at`, and the next one.
    pub(super) fn term(&self, port: u16, at: Instant) -> (usize, Option<&Term>) {
        let mut terms = self.terms.iter().enumerate().rev();
        // Whoever looks for a promotion may see it later than a client.
        let found = terms.find(|(_, term)| term.port == port && term.fault_began <= at);
        let (number, _) = found.expect("a master answered");
        (number, self.terms.get(number + 1))
    }

    pub(super) fn summary(&self) -> impl fmt::Display + use<> {
        let of = |fault| {
            self.failovers()
                .filter(|term| term.fault == Some(fault))
                .count()
        };
        let [asked, killed, paused] = Fault::ALL.map(of);
        let other = self.terms.len() - 1 - self.failovers().count();
        format!(
            "{asked} SENTINEL FAILOVER, {killed} kill -9, {paused} SIGSTOP, {other} of the sentinels' own accord"
        )
    }
}

fn is_master(server: &TestServer) -> bool {
    let role = server.command(&["ROLE"]);
    role.is_ok_and(|role| {
        role.items()
            .first()
            .is_some_and(|role| role.text() == "master")
    })
}

/// How much later `later` is.
pub(super) fn lateness(earlier: Instant, later: Instant) -> Duration {
    later.saturating_duration_since(earlier)
}
