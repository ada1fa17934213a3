//! How connections come and go, and channels go from one to another.

use std::collections::HashSet;
use std::time::SystemTime;

use redis_manager_core::{Channel, ChannelKind, SocketId};

use super::hearing::{Hearing, Owned};
use super::socket::Answer;
use super::world::World;

impl World {
    pub(super) fn disconnect(&mut self, socket: usize, sent: usize) {
        let it = &mut self.sockets[socket];
        if !it.is_connected {
            return;
        }
        it.is_connected = false;
        it.server.clear();
        it.restored.clear();
        let id = it.id;
        for told in it.outbox.drain(..sent.min(it.outbox.len())) {
            self.answers.push((told, socket, Answer::No));
        }
        let now = self.now();
        self.table.disconnected(id, now);
        let lost = self.comes_by.extract_if(|_, by| *by == socket);
        let lost: HashSet<_> = lost.map(|(channel, _)| channel).collect();
        let places = self.places.clone();
        let nowhere = |channel: &Channel| !self.comes_by.contains_key(channel);
        let nowhere: HashSet<_> = places.into_keys().filter(nowhere).collect();
        self.lose(
            now,
            |channel| lost.contains(channel),
            |channel| nowhere.contains(channel),
        );
    }

    /// Before anything that waits the next connection is told of what is wanted.
    pub(super) fn reconnect(&mut self, socket: usize) {
        let it = &mut self.sockets[socket];
        if it.is_connected {
            return;
        }
        it.is_connected = true;
        let belongs = |channel: &Channel| self.places[channel] == socket;
        let restored = self.table.reconnected(it.id, belongs);
        it.restored = restored.into();
    }

    /// Those who listen to what is lost have missed something; those who leave what comes by no socket have heard all.
    pub(super) fn lose(
        &mut self,
        now: SystemTime,
        is_lost: impl Fn(&Channel) -> bool,
        is_nowhere: impl Fn(&Channel) -> bool,
    ) {
        for (Owned { id, .. }, channel) in &self.listeners {
            let after = match self.hearing[id] {
                Hearing::Yes if is_lost(channel) => {
                    Hearing::LostAt(*self.certain_until.get(channel).unwrap_or(&now))
                }
                Hearing::Leaving if is_nowhere(channel) => Hearing::Left,
                other => other,
            };
            self.hearing.insert(*id, after);
        }
    }

    pub(super) fn rearrange(&mut self) -> bool {
        let number_of = |id| self.sockets.iter().position(|socket| socket.id == id);
        let is_right = |channel: &Channel, at: Option<SocketId>| match at {
            Some(id) => number_of(id) == Some(self.places[channel]),
            // It will be restored.
            None => !self.sockets[self.places[channel]].is_connected,
        };
        let (mut wanted, mut misplaced) = (Vec::new(), Vec::new());
        for kind in [ChannelKind::Plain, ChannelKind::Pattern, ChannelKind::Shard] {
            let (settled, moved) = self.table.rearrange(kind, is_right);
            wanted.extend(settled);
            let moved = moved.into_iter();
            misplaced.extend(moved.filter_map(|(channel, id)| Some((channel, number_of(id)?))));
        }
        let is_done = wanted.is_empty() && misplaced.is_empty();
        for channel in wanted {
            self.tell(&channel, None);
        }
        for (channel, socket) in misplaced {
            self.end_at(socket, &channel);
        }
        is_done
    }

    pub(super) fn ascertain(&mut self) {
        let now = self.now();
        let certain: Vec<_> = self.certain_until.keys().cloned().collect();
        for channel in certain {
            let place = self.places[&channel];
            if self.comes_by.get(&channel) == Some(&place) {
                self.certain_until.insert(channel, now);
            }
        }
        let belongs = |channel: &Channel, at| self.sockets[self.places[channel]].id == at;
        for kind in [ChannelKind::Plain, ChannelKind::Pattern, ChannelKind::Shard] {
            self.table.ascertain(kind, belongs, now);
        }
    }
}
