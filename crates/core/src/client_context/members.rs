//! The clients that share a connection, to whom is told what happens to it.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;

use super::ClientContext;
use super::status::Change;
use crate::{ClientEvent, ClientState};

/// Of the context that the connection belongs to.
///
/// What happens is told in its order, by one thread at a time and without a lock: many clients take a while, and whoever
/// hears of it may run code of the host.
#[derive(Default)]
pub(super) struct Members(Mutex<Telling>);

#[derive(Default)]
struct Telling {
    members: Arc<Vec<Arc<ClientContext>>>,
    untold: VecDeque<Untold>,
    /// Somebody tells, and will tell what is added meanwhile.
    is_under_way: bool,
}

struct Untold {
    change: Change,
    /// What follows from it for the context that the connection belongs to.
    event: Option<ClientEvent>,
    /// Who was a member then.
    members: Arc<Vec<Arc<ClientContext>>>,
}

impl Members {
    /// Makes `change` in `carrier`, whose members these are, and tells them.
    pub(super) fn tell(&self, carrier: &ClientContext, change: Change) {
        {
            let mut telling = self.0.lock();
            // Under the same lock as `join`, so that whoever joins has seen it or will be told.
            let event = carrier.apply(&change);
            let members = Arc::clone(&telling.members);
            telling.untold.push_back(Untold {
                change,
                event,
                members,
            });
            if std::mem::replace(&mut telling.is_under_way, true) {
                return;
            }
        }
        let _telling = UnderWay(self);
        while let Some(untold) = self.next() {
            if let Some(event) = untold.event {
                carrier.announce(event);
            }
            for member in untold.members.iter() {
                if let Some(event) = member.apply(&untold.change) {
                    member.announce(event);
                }
            }
        }
    }

    fn next(&self) -> Option<Untold> {
        let mut telling = self.0.lock();
        let next = telling.untold.pop_front();
        telling.is_under_way = next.is_some();
        next
    }

    pub(super) fn leave(&self, member: &ClientContext) {
        let left = {
            let mut telling = self.0.lock();
            let is_it = |other: &Arc<ClientContext>| std::ptr::eq(&raw const **other, member);
            let index = telling.members.iter().position(is_it);
            index.map(|index| Arc::make_mut(&mut telling.members).swap_remove(index))
        };
        drop(left);
    }

    pub(super) fn clear(&self) {
        let members = std::mem::take(&mut self.0.lock().members);
        drop(members);
    }
}

/// Whoever tells. If what it runs panics, the next one goes on.
struct UnderWay<'a>(&'a Members);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.0.lock().is_under_way = false;
        }
    }
}

impl ClientContext {
    /// Whether it is no client's, but that of a connection that clients share.
    pub(crate) fn is_carrier(&self) -> bool {
        self.members.is_some()
    }

    /// Makes `member` one of those who are told what happens to this context's connection, and gives it the present
    /// state. Returns false, and does nothing, if not all of its connection is there at this moment and `member` does
    /// not go `without`.
    pub(crate) fn join(&self, member: &Arc<Self>, without: bool) -> bool {
        let Some(members) = &self.members else {
            return false;
        };
        let is_connected = {
            let mut telling = members.0.lock();
            let state = self.state.lock();
            let goes_without = without || self.options.lazy_connect();
            if state.client.is_disconnected() && !goes_without {
                return false;
            }
            let mut own = member.state.lock();
            own.client = state.client.of_client(member.client_id);
            own.sockets_down = state.sockets_down;
            own.has_connected = state.has_connected;
            Arc::make_mut(&mut telling.members).push(Arc::clone(member));
            own.client == ClientState::Connected
        };
        if is_connected {
            member.announce(ClientEvent::Connected);
        }
        true
    }

    /// Ends what [`join`](Self::join) began.
    pub(crate) fn part(&self, member: &Self) {
        if let Some(members) = &self.members {
            members.leave(member);
        }
    }

    /// Has no members any more.
    pub(crate) fn part_all(&self) {
        if let Some(members) = &self.members {
            members.clear();
        }
    }
}
