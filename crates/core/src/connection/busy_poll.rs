//! Whether waiting awake pays.

use std::sync::Arc;
use std::time::Duration;

use crate::last_caller::LastCaller;
use crate::{ClientContext, ClientId};

/// After how many waits in vain in a row the pause between two tries does not grow any more: one in 1 024.
const MOST_MISSES: u32 = 10;

/// Tries it where it has paid, and now and then where it has not.
#[derive(Debug)]
pub(super) struct BusyPoll {
    limit: Option<Duration>,
    client: ClientId,
    last_caller: Arc<LastCaller>,
    misses: u32,
    /// How many waits are asleep before the next one is awake.
    pause: u32,
}

impl BusyPoll {
    /// That of one connection of the client that `context` describes.
    pub(super) fn new(context: &ClientContext) -> Self {
        let last_caller = Arc::clone(context.resources().last_caller());
        Self::of(
            context.options().busy_poll(),
            context.client_id(),
            last_caller,
        )
    }

    pub(super) fn of(
        limit: Option<Duration>,
        client: ClientId,
        last_caller: Arc<LastCaller>,
    ) -> Self {
        Self {
            limit,
            client,
            last_caller,
            misses: 0,
            pause: 0,
        }
    }

    /// How long the next wait may be awake; `None`: not at all.
    pub(super) fn next(&mut self) -> Option<Duration> {
        // Where many scripts have a client each, a thread that waits for one of them holds up the others.
        if !self.last_caller.note(self.client) {
            return None;
        }
        match self.pause.checked_sub(1) {
            Some(pause) => {
                self.pause = pause;
                None
            }
            None => self.limit,
        }
    }

    /// Notes whether the reply came meanwhile.
    pub(super) fn note(&mut self, has_paid: bool) {
        if has_paid {
            self.misses = 0;
        } else {
            self.misses = (self.misses + 1).min(MOST_MISSES);
            self.pause = 1 << self.misses;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Option<Duration> = Some(Duration::from_micros(50));

    /// One of a client that is called alone.
    fn alone(limit: Option<Duration>) -> BusyPoll {
        let (client, last_caller) = (ClientId::next(), Arc::<LastCaller>::default());
        last_caller.note(client);
        BusyPoll::of(limit, client, last_caller)
    }

    fn awake(busy_poll: &mut BusyPoll, waits: u32, has_paid: bool) -> u32 {
        let mut awake = 0;
        for _ in 0..waits {
            if busy_poll.next().is_some() {
                busy_poll.note(has_paid);
                awake += 1;
            }
        }
        awake
    }

    #[test]
    fn where_it_pays_every_wait_is_awake() {
        assert_eq!(awake(&mut alone(LIMIT), 1_000, true), 1_000);
    }

    #[test]
    fn where_it_does_not_almost_none_is_until_it_pays_again() {
        let mut busy_poll = alone(LIMIT);
        assert_eq!(awake(&mut busy_poll, 2_000, false), 10);
        let in_vain = awake(&mut busy_poll, 102_500, false);
        assert_eq!(in_vain, 100);
        assert!(awake(&mut busy_poll, 2_000, true) > 900);
    }

    #[test]
    fn without_time_for_it_none_is() {
        assert_eq!(awake(&mut alone(None), 10, true), 0);
    }

    #[test]
    fn where_clients_are_called_in_turns_none_is() {
        let last_caller = Arc::<LastCaller>::default();
        let mut one = BusyPoll::of(LIMIT, ClientId::next(), Arc::clone(&last_caller));
        let mut other = BusyPoll::of(LIMIT, ClientId::next(), last_caller);
        for _ in 0..10 {
            assert_eq!((one.next(), other.next()), (None, None));
        }
        assert_eq!(other.next(), LIMIT);
    }
}
