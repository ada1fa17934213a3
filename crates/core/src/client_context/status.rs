//! What a client is doing, over all of its sockets.

use super::ClientContext;
use crate::{ClientEvent, ClientState, Error};

/// Changed as one, so that whichever order losses and reconnects of several sockets come in, the state
/// tells whether one is down.
pub(super) struct State {
    pub(super) client: ClientState,
    pub(super) sockets_down: usize,
}

impl State {
    pub(super) fn change(&mut self, from: impl Fn(ClientState) -> bool, to: ClientState) -> bool {
        let changes = from(self.client);
        if changes {
            self.client = to;
        }
        changes
    }
}

impl ClientContext {
    /// Notes that the client is connected for the first time.
    pub(crate) fn set_connected(&self) {
        let is_connected = {
            let mut state = self.state.lock();
            let was_idle = state.client == ClientState::Idle;
            // A socket may be lost again before the last one is opened.
            let is_connected = state.sockets_down == 0;
            if was_idle {
                state.client = if is_connected {
                    ClientState::Connected
                } else {
                    ClientState::Disconnected
                };
            }
            was_idle && is_connected
        };
        if is_connected {
            self.emit(ClientEvent::Connected);
        }
    }

    /// Notes that one of the client's sockets is gone.
    pub(crate) fn set_disconnected(&self, cause: Error) {
        let changed = {
            let mut state = self.state.lock();
            state.sockets_down += 1;
            state.change(
                |client| client == ClientState::Connected,
                ClientState::Disconnected,
            )
        };
        if changed {
            self.emit(ClientEvent::Disconnected { cause });
        }
    }

    /// Notes that a socket that was gone is there again; with the last of them the client is connected.
    pub(crate) fn set_reconnected(&self) {
        let changed = {
            let mut state = self.state.lock();
            state.sockets_down = state.sockets_down.saturating_sub(1);
            state.sockets_down == 0
                && state.change(
                    |client| client == ClientState::Disconnected,
                    ClientState::Connected,
                )
        };
        if changed {
            self.emit(ClientEvent::Connected);
        }
    }
}
