//! Noticing calls that take too long.

use std::sync::Arc;

use redis_manager_core::ClientEvent;
use tokio::time::Instant;

use super::{Listener, State};

impl Listener {
    /// Notes that a call begins.
    pub(super) fn note_call(self: &Arc<Self>, state: &mut State) {
        state.call_began = Some(Instant::now());
        // One task watches all calls that follow each other, so that a call costs no timer.
        if !std::mem::replace(&mut state.is_watched, true) {
            let listener = Arc::clone(self);
            drop(self.context.spawn(listener.watch()));
        }
    }

    /// Tells of each call that takes too long, until none is running.
    async fn watch(self: Arc<Self>) {
        let patience = self.context.options().listener_blocked_after();
        let mut told = None;
        loop {
            let call = {
                let mut state = self.state.lock();
                state.is_watched = state.call_began.is_some();
                state.call_began
            };
            let Some(began) = call else {
                return;
            };
            if told == call {
                tokio::time::sleep(patience).await;
                continue;
            }
            // A patience beyond what the clock can express is for ever.
            match began.checked_add(patience) {
                Some(due) => tokio::time::sleep_until(due).await,
                None => std::future::pending().await,
            }
            if self.state.lock().call_began == call {
                told = call;
                self.context.emit(ClientEvent::ListenerBlocked {
                    channel: self.channel.clone(),
                    listener: self.id,
                    running_for: began.elapsed(),
                });
            }
        }
    }
}
