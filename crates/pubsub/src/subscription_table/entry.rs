//! One channel: who listens, and what the server thinks of it.

use std::sync::Arc;
use std::time::SystemTime;

use redis_manager_core::{Channel, ClientId, ListenerId, SocketId};

use super::{Listeners, OfClient, Step, StepNumber};

pub(super) struct Entry<L> {
    pub(super) channel: Channel,
    pub(super) listeners: Listeners<L>,
    /// Those of them who are to hear what the server has sent, and nothing more.
    leaving: Vec<ListenerId>,
    /// Those who have: nothing comes to them, and they are registered still.
    left: Vec<(ListenerId, L)>,
    /// The socket that is subscribed to it, as far as a server has confirmed.
    pub(super) at: Option<SocketId>,
    /// Until when it was certain that whatever is published on it comes there. `None` if that is, for as long as the
    /// server does not say otherwise.
    certain_until: Option<SystemTime>,
    /// It was told to end the subscription there, because the channel belongs elsewhere.
    pub(super) is_moving: bool,
    /// The last step that the server was told, until that is answered or given up.
    pub(super) pending: Option<(Step, StepNumber)>,
    pub(super) missing: Option<Missing<L>>,
}

/// Messages that may have been lost.
pub(super) struct Missing<L> {
    pub(super) since: SystemTime,
    /// Who listened then.
    pub(super) listeners: Listeners<L>,
}

impl<L: OfClient> Entry<L> {
    pub(super) fn new(channel: &Channel) -> Self {
        Self {
            channel: channel.clone(),
            listeners: Arc::default(),
            leaving: Vec::new(),
            left: Vec::new(),
            at: None,
            certain_until: None,
            is_moving: false,
            pending: None,
            missing: None,
        }
    }

    /// Whether somebody is to hear more of it.
    pub(super) fn is_wanted(&self) -> bool {
        self.listeners.len() > self.leaving.len()
    }

    /// Whether nobody is registered.
    pub(super) fn is_empty(&self) -> bool {
        self.listeners.is_empty() && self.left.is_empty()
    }

    /// Those who are to hear more of it.
    pub(super) fn staying(&self) -> Listeners<L> {
        if self.leaving.is_empty() {
            return Arc::clone(&self.listeners);
        }
        let staying = self.listeners.iter();
        let staying = staying.filter(|(id, _)| !self.leaving.contains(id));
        Arc::new(staying.cloned().collect())
    }

    /// Everybody who is registered.
    pub(super) fn all(&self) -> impl Iterator<Item = &L> {
        let all = self.listeners.iter().chain(&self.left);
        all.map(|(_, listener)| listener)
    }

    /// Its client listens again, if it had left.
    pub(super) fn add(&mut self, id: ListenerId, listener: L) {
        let client = listener.client();
        let all = Arc::make_mut(&mut self.listeners);
        if !self.leaving.is_empty() {
            let its = all.iter().filter(|(_, other)| other.client() == client);
            let its: Vec<_> = its.map(|(id, _)| *id).collect();
            self.leaving.retain(|id| !its.contains(id));
        }
        let is_its = |(_, other): &mut (ListenerId, L)| other.client() == client;
        all.extend(self.left.extract_if(.., is_its));
        all.push((id, listener));
    }

    pub(super) fn remove(&mut self, id: ListenerId) -> Option<L> {
        let is_it = |(other, _): &(ListenerId, L)| *other == id;
        if let Some(index) = self.left.iter().position(is_it) {
            return Some(self.left.remove(index).1);
        }
        let index = self.listeners.iter().position(is_it)?;
        self.leaving.retain(|other| *other != id);
        Some(Arc::make_mut(&mut self.listeners).remove(index).1)
    }

    /// Takes out the listeners of `client`.
    pub(super) fn remove_client(&mut self, client: ClientId) -> Vec<L> {
        let is_its = |(_, listener): &mut (ListenerId, L)| listener.client() == client;
        let mut removed: Vec<_> = self.left.extract_if(.., is_its).collect();
        let all = Arc::make_mut(&mut self.listeners);
        for (id, listener) in all.extract_if(.., is_its) {
            self.leaving.retain(|other| *other != id);
            removed.push((id, listener));
        }
        if let Some(missing) = &mut self.missing {
            let listeners = Arc::make_mut(&mut missing.listeners);
            listeners.retain(|(_, listener)| listener.client() != client);
        }
        let removed = removed.into_iter();
        removed.map(|(_, listener)| listener).collect()
    }

    /// Has the listeners of `client` hear what the server has sent, and nothing more. Returns whether there are any: until
    /// the server has answered nobody knows what it has sent.
    pub(super) fn leave(&mut self, client: ClientId) -> bool {
        let mut is_left = false;
        for (id, listener) in self.listeners.iter() {
            if listener.client() == client {
                is_left = true;
                if !self.leaving.contains(id) {
                    self.leaving.push(*id);
                }
            }
        }
        is_left
    }

    /// All that was sent to those of `client` who leave has come.
    pub(super) fn depart(&mut self, client: ClientId) {
        self.depart_if(|listener| listener.client() == client);
    }

    fn depart_if(&mut self, departs: impl Fn(&L) -> bool) {
        if self.leaving.is_empty() {
            return;
        }
        let leaving = &mut self.leaving;
        let all = Arc::make_mut(&mut self.listeners);
        let departed = all.extract_if(.., |(id, listener)| {
            let is_one = departs(listener) && leaving.contains(id);
            if is_one {
                leaving.retain(|other| other != id);
            }
            is_one
        });
        self.left.extend(departed);
        if let Some(missing) = &mut self.missing {
            let left = &self.left;
            let listeners = Arc::make_mut(&mut missing.listeners);
            listeners.retain(|(id, _)| left.iter().all(|(other, _)| other != id));
        }
    }

    pub(super) fn next_step(&self) -> Option<Step> {
        let pending = self.pending.map(|(step, _)| step);
        match (self.is_wanted(), self.at.is_some(), pending) {
            (true, true, None) if !self.leaving.is_empty() => Some(Step::Mark),
            (true, true, None) | (false, false, None) => None,
            // Also if it was told already: who registers waits for an answer to his own.
            (true, _, _) => Some(Step::Subscribe),
            (false, _, _) => Some(Step::Unsubscribe),
        }
    }

    /// Whether the server thinks something else than is wanted, and nothing is on its way to it.
    pub(super) fn differs(&self) -> bool {
        self.pending.is_none() && self.is_wanted() != self.at.is_some()
    }

    /// Whether it may come by `socket`, as far as is known.
    pub(super) fn may_be_at(&self, socket: SocketId) -> bool {
        self.at.is_none_or(|at| at == socket)
    }

    /// It comes by `socket` from now on.
    pub(super) fn gain(&mut self, socket: SocketId, now: SystemTime) {
        if self.at != Some(socket) {
            self.at = Some(socket);
            self.certain_until = (socket != SocketId::FIRST).then_some(now);
        }
    }

    /// Whatever was published on it by then has come, or will come, by the socket that is subscribed to it.
    pub(super) fn ascertain(&mut self, until: SystemTime) {
        if let Some(certain) = &mut self.certain_until {
            *certain = until.max(*certain);
        }
    }

    /// The socket is not subscribed any more; messages have arrived until `last_heard`.
    pub(super) fn lose(&mut self, last_heard: SystemTime) {
        self.depart_if(|_| true);
        let certain_until = self.certain_until.take();
        if self.at.is_some() && self.is_wanted() && self.missing.is_none() {
            self.missing = Some(Missing {
                since: certain_until.map_or(last_heard, |until| until.min(last_heard)),
                listeners: Arc::clone(&self.listeners),
            });
        }
        self.at = None;
        self.is_moving = false;
    }
}
