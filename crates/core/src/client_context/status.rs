//! What a client is doing, over all of its sockets.

use super::ClientContext;
use super::closing::Closure;
use crate::{ClientEvent, ClientState, DisconnectedBehavior, Error, ErrorKind, Result};

/// Changed as one, so that whichever order losses and reconnects of several sockets come in, the state
/// tells whether one is down.
pub(super) struct State {
    pub(super) client: ClientState,
    pub(super) sockets_down: usize,
    /// Whether it ever was. The first connection of a lazy client is tried for in any case.
    pub(super) has_connected: bool,
    /// How often the client had a connection and then had not, and the other way round.
    pub(super) losses: u64,
    pub(super) reconnects: u64,
    pub(super) closing: Closure,
}

/// What happens to the sockets of a client.
pub(super) enum Change {
    Connected,
    Disconnected(Error),
    Cause(Error),
    Reconnected,
    /// Something that changes no state.
    Told(ClientEvent),
}

impl State {
    pub(super) fn change(&mut self, from: impl Fn(&ClientState) -> bool, to: ClientState) -> bool {
        let changes = from(&self.client);
        if changes {
            self.client = to;
        }
        changes
    }
}

impl ClientContext {
    /// Whether `cause`, which kept a connection from being made, ends all tries.
    pub(crate) fn is_suspended_by(&self, cause: &Error) -> bool {
        let is_refusal = matches!(
            cause.kind(),
            ErrorKind::Authentication
                | ErrorKind::Protocol
                | ErrorKind::Server
                | ErrorKind::Unsupported
        );
        is_refusal && self.options.suspend_reconnect_on_protocol_failure()
    }

    /// Whether calls wait for another connection after `cause`, or fail at once.
    #[must_use]
    pub fn queues_after(&self, cause: &Error) -> bool {
        self.queues_if(self.state.lock().has_connected, cause)
    }

    fn queues_if(&self, has_connected: bool, cause: &Error) -> bool {
        let queues = self.options.disconnected_behavior() == DisconnectedBehavior::Queue;
        let goes_on = self.options.auto_reconnect() || !has_connected;
        queues && goes_on && !self.is_suspended_by(cause)
    }

    /// Looks whether the client has its connection, or at least waits for it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Disconnected`] if it is lost and calls do not wait for another one.
    pub fn check_connection(&self) -> Result<()> {
        let state = self.state.lock();
        match &state.client {
            ClientState::Disconnected { cause } if !self.queues_if(state.has_connected, cause) => {
                Err(cause.to_disconnected())
            }
            _ => Ok(()),
        }
    }

    /// Notes that the client is connected for the first time.
    pub(crate) fn set_connected(&self) {
        self.change(Change::Connected);
    }

    /// Completes when the client is connected next.
    pub async fn connected_async(&self) {
        self.connected.notified().await;
    }

    /// Notes that one of the client's sockets is gone, or could not be made.
    pub(crate) fn set_disconnected(&self, cause: &Error) {
        self.change(Change::Disconnected(cause.clone()));
    }

    /// Notes what keeps a socket that is gone from being made again.
    pub(crate) fn set_disconnect_cause(&self, cause: &Error) {
        self.change(Change::Cause(cause.clone()));
    }

    /// Notes that a socket that was gone is there again; with the last of them the client is connected.
    pub(crate) fn set_reconnected(&self) {
        self.change(Change::Reconnected);
    }

    pub(super) fn change(&self, change: Change) {
        match &self.members {
            Some(members) => members.tell(self, change),
            None => {
                if let Some(event) = self.apply(&change) {
                    self.announce(event);
                }
            }
        }
    }

    /// Makes `change`, and returns the event that it is, if it is one.
    pub(super) fn apply(&self, change: &Change) -> Option<ClientEvent> {
        let mut state = self.state.lock();
        match change {
            Change::Connected => {
                state.has_connected = true;
                // A socket may be lost again before the last one is opened.
                let changed = state.sockets_down == 0
                    && state.change(
                        |client| *client == ClientState::Idle,
                        ClientState::Connected,
                    );
                changed.then_some(ClientEvent::Connected)
            }
            Change::Disconnected(cause) => {
                let cause = cause.clone().with_client(self.client_id);
                state.sockets_down += 1;
                let is_news = !state.client.is_closed() && !state.client.is_disconnected();
                state.losses += u64::from(is_news && state.has_connected);
                state.set_cause(&cause);
                is_news.then_some(ClientEvent::Disconnected { cause })
            }
            Change::Cause(cause) => {
                state.set_cause(&cause.clone().with_client(self.client_id));
                None
            }
            Change::Reconnected => {
                let had_connected = std::mem::replace(&mut state.has_connected, true);
                state.sockets_down = state.sockets_down.saturating_sub(1);
                let changed = state.sockets_down == 0
                    && state.change(ClientState::is_disconnected, ClientState::Connected);
                state.reconnects += u64::from(changed && had_connected);
                changed.then_some(ClientEvent::Connected)
            }
            Change::Told(event) => Some(event.of_client(self.client_id)),
        }
    }
}

impl State {
    fn set_cause(&mut self, cause: &Error) {
        if !self.client.is_closed() {
            self.client = ClientState::Disconnected {
                cause: cause.clone(),
            };
        }
    }
}
