//! How often a request is taken elsewhere.

use std::time::Duration;

use crate::Backoff;

/// So many redirections in a row are followed at once: what one node says may be news to another.
const AT_ONCE: u32 = 2;
/// No cluster that is well says more often that another node has a slot.
const MOST: u32 = 1_000;
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// Where the next try of a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Next {
    /// Where a slot is on its way to, and at once: later it may be on its way there anew, and the key be at both ends.
    Asked,
    Elsewhere,
    /// At the same place, unless that is known better by then.
    Again,
}

/// What was tried for one request, none of which has run.
pub(super) struct Tries {
    redirected: u32,
    backoff: Backoff,
}

impl Tries {
    pub(super) fn new() -> Self {
        Self {
            redirected: 0,
            backoff: Backoff::new(LONGEST_PAUSE),
        }
    }

    /// How long to wait before the next try; `None`: there is none.
    pub(super) fn pause(&mut self, next: Next) -> Option<Duration> {
        if next == Next::Again {
            return Some(self.backoff.next_delay());
        }
        self.redirected += 1;
        match self.redirected {
            redirected if redirected <= AT_ONCE => Some(Duration::ZERO),
            redirected if redirected <= MOST && next == Next::Asked => Some(Duration::ZERO),
            redirected if redirected <= MOST => Some(self.backoff.next_delay()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_redirections_are_followed_at_once_and_not_all() {
        let mut tries = Tries::new();
        assert_eq!(tries.pause(Next::Elsewhere), Some(Duration::ZERO));
        assert_eq!(tries.pause(Next::Elsewhere), Some(Duration::ZERO));
        let later: Vec<_> = std::iter::from_fn(|| tries.pause(Next::Elsewhere)).collect();
        assert_eq!(later.len(), (MOST - AT_ONCE) as usize);
        assert!(later.iter().all(|pause| *pause <= LONGEST_PAUSE));
        assert!(later.iter().any(|pause| !pause.is_zero()));
        assert!(tries.pause(Next::Again).is_some());
        assert_eq!(tries.pause(Next::Asked), None);
    }

    #[test]
    fn whoever_is_named_for_this_once_is_asked_at_once() {
        let mut tries = Tries::new();
        let pauses = std::iter::from_fn(|| tries.pause(Next::Asked));
        let pauses: Vec<_> = pauses.take(2 * MOST as usize).collect();
        assert_eq!(pauses.len(), MOST as usize);
        assert!(pauses.iter().all(Duration::is_zero));
    }
}
