//! How many gaps each listener is to be told of.

use std::time::SystemTime;

use super::audience::Audience;
use crate::harness::eventually;

/// Of one round of kills.
pub(super) struct Account {
    /// How many gaps each was told of on the connections that were killed.
    pub(super) told: Vec<usize>,
    /// Otherwise nobody knows what was restored when a connection was killed.
    pub(super) is_exact: bool,
    /// A moment after the first connection was lost, and before the second.
    pub(super) connected_again: Option<SystemTime>,
}

impl Account {
    pub(super) fn new(listeners: usize) -> Self {
        Self {
            told: vec![0; listeners],
            is_exact: true,
            connected_again: None,
        }
    }

    /// Notes of how many gaps each was told when a connection was killed, if that is known.
    pub(super) fn note(&mut self, told: Option<Vec<usize>>) {
        match told {
            Some(told) => self.told = told,
            None => self.is_exact = false,
        }
    }

    /// Who was told of a gap before the connection was lost again has one for that too. Whoever was not has one that
    /// began with the first loss.
    #[track_caller]
    pub(super) fn audit(&self, kills: usize, audience: &Audience) {
        if !self.is_exact {
            let gaps = audience.gaps_of_each();
            assert!(gaps.iter().all(|gaps| (1..=kills).contains(gaps)));
            return;
        }
        let expected: Vec<_> = self.told.iter().map(|told| told + 1).collect();
        eventually("each is told once of each gap", || {
            audience.gaps_of_each() == expected
        });
        for (heard, told) in audience.listeners.iter().zip(&self.told) {
            if let (Some(moment), 0) = (self.connected_again, told) {
                assert!(heard.last_gap().since <= moment, "{:?}", heard.last_gap());
            }
        }
    }
}
