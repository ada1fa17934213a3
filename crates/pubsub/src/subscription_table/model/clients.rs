//! What clients do, and hear of it.

use std::collections::HashSet;

use redis_manager_core::{Channel, ClientId, ListenerId};

use super::hearing::{Hearing, Owned};
use super::socket::Answer;
use super::world::World;
use crate::subscription_table::Differs;

impl World {
    pub(super) fn register(&mut self, client: ClientId, channel: &Channel) {
        let id = ListenerId::next();
        let listener = Owned { id, client };
        self.table.add(channel, id, listener);
        for (other, _) in self.listeners.iter().filter(|(_, other)| other == channel) {
            let has_left = matches!(self.hearing[&other.id], Hearing::Leaving | Hearing::Left);
            if other.client == client && has_left {
                self.hearing.insert(other.id, Hearing::Again);
            }
        }
        self.listeners.push((listener, channel.clone()));
        let hearing = if self.tell(channel, Some(id)) {
            Hearing::NotYet
        } else {
            let socket = &self.sockets[self.comes_by[channel]];
            assert!(socket.server.contains(channel), "{channel} needs no step");
            Hearing::Yes
        };
        self.hearing.insert(id, hearing);
    }

    pub(super) fn unregister(&mut self, id: ListenerId) {
        let Some(index) = self.listeners.iter().position(|(other, _)| other.id == id) else {
            return;
        };
        let (listener, channel) = self.listeners.remove(index);
        assert_eq!(self.table.remove(&channel, id), Some(listener));
        self.hearing.remove(&id);
        self.tell(&channel, None);
    }

    /// Its place is taken by another client.
    pub(super) fn close(&mut self, number: usize) {
        let client = std::mem::replace(&mut self.clients[number], ClientId::next());
        let (mut removed, told) = self.table.remove_client(client);
        let its = self
            .listeners
            .extract_if(.., |(listener, _)| listener.client == client);
        let mut expected: Vec<_> = its.map(|(listener, _)| listener).collect();
        for listener in &expected {
            self.hearing.remove(&listener.id);
        }
        removed.sort_by_key(|listener| listener.id);
        expected.sort_by_key(|listener| listener.id);
        assert_eq!(removed, expected);
        for channel in told {
            self.tell(&channel, None);
        }
    }

    pub(super) fn leave(&mut self, client: ClientId) {
        let lost: HashSet<_> = self.places.keys().cloned().collect();
        let lost: HashSet<_> = lost.into_iter().filter(|it| self.is_lost(it)).collect();
        let is_lost = |channel: &Channel, _| lost.contains(channel);
        let channels = self.table.leave_all(client, is_lost);
        for (listener, channel) in &self.listeners {
            // All that was sent has come.
            if listener.client == client && lost.contains(channel) {
                self.hearing.insert(listener.id, Hearing::Left);
            }
        }
        for channel in channels {
            for (listener, other) in &self.listeners {
                if listener.client == client
                    && *other == channel
                    && self.hearing[&listener.id] != Hearing::Left
                {
                    self.hearing.insert(listener.id, Hearing::Leaving);
                }
            }
            if !self.tell_for(&channel, None, Some(client)) {
                self.depart(&channel, client);
            }
        }
    }

    /// All has come that the listeners of `client` to `channel` are to hear.
    fn depart(&mut self, channel: &Channel, client: ClientId) {
        self.table.depart(channel, client);
        let its = |listener: &Owned| listener.client == client;
        self.note_left(channel, its);
    }

    fn note_left(&mut self, channel: &Channel, is_one: impl Fn(&Owned) -> bool) {
        for (listener, other) in &self.listeners {
            let is_leaving = self.hearing[&listener.id] == Hearing::Leaving;
            if is_leaving && other == channel && is_one(listener) {
                self.hearing.insert(listener.id, Hearing::Left);
            }
        }
    }

    pub(super) fn settle(&mut self, index: usize) {
        if index >= self.answers.len() {
            return;
        }
        let (told, socket, answer) = self.answers.remove(index);
        let Some((_, number)) = told.step else {
            if answer != Answer::Done {
                // As the connection does with one that does not answer.
                self.disconnect(socket, 0);
            }
            self.table.left(self.sockets[socket].id, &told.channel);
            return;
        };
        let differs = self.table.settle(&told.channel, number);
        // A registration that failed is taken back.
        if let Some(id) = told.registers
            && answer != Answer::Done
        {
            self.unregister(id);
        }
        // What is missing after a loss is restored, and what is refused is not asked for again.
        if differs == Some(Differs::Unwanted) || differs.is_some() && answer != Answer::No {
            self.tell(&told.channel, None);
        }
        if let Some(client) = told.leaves {
            match answer {
                Answer::Done => self.depart(&told.channel, client),
                // As whoever waits for it does: again.
                Answer::No | Answer::GivenUp => self.leave(client),
            }
        }
    }
}
