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
    /// How the one before ended. `None` of the first.
    pub(super) fault: Option<Fault>,
    pub(super) fault_began: Instant,
    /// When its ROLE was seen to be that of a master.
    pub(super) promoted: Instant,
    /// When a sentinel named it.
    pub(super) named: Instant,
}

pub(super) struct Course(Vec<Term>);

impl Course {
    pub(super) fn begin(trio: &SentinelTrio) -> Self {
        let now = Instant::now();
        Self(vec![Term {
            port: trio.primary().port(),
            fault: None,
            fault_began: now,
            promoted: now,
            named: now,
        }])
    }

    /// Has the master change, and the one before come back, until all are as they were.
    pub(super) fn go_on(&mut self, trio: &SentinelTrio, fault: Fault) {
        let (old, others): (Vec<_>, Vec<_>) = trio
            .servers()
            .iter()
            .partition(|server| server.port() == self.last().port);
        let old = old[0];
        assert_eq!(trio.primary().port(), old.port(), "nobody else changes it");
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
        self.0.push(Term {
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
    }

    fn last(&self) -> &Term {
        self.0.last().expect("there is a first")
    }

    /// Those that began with a failover.
    pub(super) fn failovers(&self) -> impl Iterator<Item = &Term> {
        self.0.iter().skip(1)
    }

    /// The number of the term in which the server at `port` answered at `at`, and the next one.
    pub(super) fn term(&self, port: u16, at: Instant) -> (usize, Option<&Term>) {
        let mut terms = self.0.iter().enumerate().rev();
        // Whoever looks for a promotion may see it later than a client.
        let found = terms.find(|(_, term)| term.port == port && term.fault_began <= at);
        let (number, _) = found.expect("a master answered");
        (number, self.0.get(number + 1))
    }

    pub(super) fn summary(&self) -> impl fmt::Display + use<> {
        let of = |fault| {
            self.failovers()
                .filter(|term| term.fault == Some(fault))
                .count()
        };
        let [asked, killed, paused] = Fault::ALL.map(of);
        format!("{asked} SENTINEL FAILOVER, {killed} kill -9, {paused} SIGSTOP")
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
