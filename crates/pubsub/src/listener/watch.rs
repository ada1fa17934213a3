//! Noticing calls that take too long.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use redis_manager_core::ClientEvent;
use tokio::time::Instant;

use super::{Listener, State};

/// How often it is looked, while calls are made, in the time that one may take. A call is noticed that much later.
const LOOKS: u32 = 4;

/// The calls of one listener, counted by whoever makes them: odd while one is running. A call looks at no clock.
#[derive(Default)]
pub(super) struct Calls(AtomicU64);

/// A call, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Call(u64);

impl Calls {
    /// Notes that a call begins, and that the one before has ended.
    #[inline]
    pub(super) fn begin(&self) {
        let before = self.0.load(Ordering::Relaxed);
        self.0.store((before + 1) | 1, Ordering::Release);
    }

    /// Notes that no call is running.
    pub(super) fn end(&self) {
        let before = self.0.load(Ordering::Relaxed);
        self.0.store((before + 1) & !1, Ordering::Release);
    }

    /// The call that is running.
    fn running(&self) -> Option<Call> {
        let number = self.0.load(Ordering::Acquire);
        (number % 2 == 1).then_some(Call(number))
    }
}

impl Listener {
    /// Has somebody look after the time that calls take, from now on until none is running.
    pub(super) fn watch_calls(self: &Arc<Self>, state: &mut State) {
        // One task watches all calls that follow each other, so that a call costs no timer.
        if !std::mem::replace(&mut state.is_watched, true) {
            let listener = Arc::clone(self);
            drop(self.context.spawn(listener.watch()));
        }
    }

    /// Tells of each call that takes too long, until none is running.
    async fn watch(self: Arc<Self>) {
        let patience = self.context.options().listener_blocked_after();
        let interval = (patience / LOOKS).max(Duration::from_millis(1));
        // A call, since when it is known to be running, and whether it was told of.
        let mut seen: Option<(Call, Instant, bool)> = None;
        loop {
            let running = {
                let mut state = self.state.lock();
                let running = self.calls.running();
                state.is_watched = running.is_some() || state.running;
                if !state.is_watched {
                    return;
                }
                running
            };
            seen = match (running, seen) {
                (Some(call), Some((same, since, told))) if call == same => {
                    Some((call, since, told || self.tell_if_blocked(since, patience)))
                }
                (running, _) => running.map(|call| (call, Instant::now(), false)),
            };
            tokio::time::sleep(interval).await;
        }
    }

    /// Tells of a call if it has been running for longer than `patience`; returns whether it has.
    fn tell_if_blocked(&self, since: Instant, patience: Duration) -> bool {
        let running_for = since.elapsed();
        let is_blocked = running_for >= patience;
        if is_blocked {
            self.context.emit(ClientEvent::ListenerBlocked {
                channel: self.channel.clone(),
                listener: self.id,
                running_for,
            });
        }
        is_blocked
    }
}
