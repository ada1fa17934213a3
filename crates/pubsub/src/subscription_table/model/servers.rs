//! What servers do with what they are told.

use std::time::SystemTime;

use redis_manager_core::{Channel, Gap, ListenerId, SocketId};

use super::hearing::{Hearing, Owned};
use super::socket::{Answer, Told};
use super::world::World;
use crate::subscription_table::{Confirmed, Step, SubscriptionTable};

impl World {
    pub(super) fn obey(&mut self, socket: usize) {
        let it = &mut self.sockets[socket];
        if !it.is_connected {
            return;
        }
        if let Some(channel) = it.restored.pop_front() {
            return self.confirm(socket, &channel, None);
        }
        let Some(told) = it.outbox.pop_front() else {
            return;
        };
        match told.step {
            Some((Step::Subscribe | Step::Mark, _)) => {
                self.confirm(socket, &told.channel, told.registers);
            }
            Some((Step::Unsubscribe, _)) => {
                self.lose_at(socket, &told.channel, SubscriptionTable::unsubscribed);
            }
            None => self.lose_at(socket, &told.channel, SubscriptionTable::ended),
        }
        self.answers.push((told, socket, Answer::Done));
    }

    fn confirm(&mut self, socket: usize, channel: &Channel, registers: Option<ListenerId>) {
        let id = self.sockets[socket].id;
        self.sockets[socket].server.insert(channel.clone());
        let now = self.now();
        let confirmed = self.table.subscribed(id, channel, now);
        if !self.comes_by.contains_key(channel) && self.sockets.len() > 1 {
            self.certain_until.insert(channel.clone(), now);
        }
        let comes_by = *self.comes_by.entry(channel.clone()).or_insert(socket);
        assert_eq!(confirmed == Confirmed::Twice, comes_by != socket);
        if confirmed == Confirmed::Twice {
            self.end_at(socket, channel);
            // It is confirmed, and hears it by the other one.
            let hearing = registers.and_then(|id| self.hearing.get_mut(&id));
            if let Some(hearing) = hearing.filter(|hearing| **hearing == Hearing::NotYet) {
                *hearing = Hearing::Yes;
            }
            return;
        }
        if confirmed == Confirmed::Differs {
            self.tell(channel, None);
        }
        let told = |id: ListenerId| match &confirmed {
            Confirmed::Missed(missed) => {
                let is_told = missed.listeners.iter().any(|(other, _)| *other == id);
                is_told.then_some(&missed.gap)
            }
            Confirmed::AsWanted | Confirmed::Differs | Confirmed::Twice => None,
        };
        for (Owned { id, .. }, _) in self.listeners.iter().filter(|(_, other)| other == channel) {
            match self.hearing[id] {
                Hearing::LostAt(since) => {
                    assert_eq!(told(*id), Some(&Gap::new(channel, since, now)));
                }
                Hearing::Yes => assert_eq!(told(*id), None, "nothing was missed"),
                // What was confirmed to another may be ended by what is on its way.
                Hearing::NotYet if registers != Some(*id) => continue,
                Hearing::NotYet => {}
                Hearing::Leaving | Hearing::Again => continue,
                Hearing::Left => {
                    assert_eq!(told(*id), None, "it is to hear nothing more");
                    continue;
                }
            }
            self.hearing.insert(*id, Hearing::Yes);
        }
    }

    pub(super) fn refuse(&mut self, socket: usize) {
        let it = &mut self.sockets[socket];
        if !it.is_connected || it.restored.pop_front().is_some() {
            return;
        }
        if let Some(told) = self.next_subscription(socket) {
            self.answers.push((told, socket, Answer::No));
        }
    }

    /// Whoever waits for it goes on at the other server.
    pub(super) fn redirect(&mut self, socket: usize) {
        let it = &self.sockets[socket];
        let next = it.outbox.front();
        let is_elsewhere = next.is_some_and(|next| self.places[&next.channel] != socket);
        if is_elsewhere
            && it.is_connected
            && it.restored.is_empty()
            && let Some(told) = self.next_subscription(socket)
        {
            let place = self.places[&told.channel];
            self.sockets[place].outbox.push_back(told);
        }
    }

    /// What a server is told next, if it is to subscribe.
    fn next_subscription(&mut self, socket: usize) -> Option<Told> {
        let outbox = &mut self.sockets[socket].outbox;
        match outbox.front()?.step? {
            (Step::Unsubscribe, _) => None,
            (Step::Subscribe | Step::Mark, _) => outbox.pop_front(),
        }
    }

    pub(super) fn end(&mut self, socket: usize, channel: &Channel) {
        let it = &self.sockets[socket];
        if it.is_connected && it.server.contains(channel) {
            self.lose_at(socket, channel, SubscriptionTable::ended);
        }
    }

    /// Has a channel that comes, or is to come, by another socket end at this one.
    pub(super) fn end_at(&mut self, socket: usize, channel: &Channel) {
        let it = &mut self.sockets[socket];
        if it.is_connected {
            it.outbox.push_back(Told {
                channel: channel.clone(),
                step: None,
                registers: None,
                leaves: None,
            });
        } else {
            self.table.left(it.id, channel);
        }
    }

    /// The subscription of `socket` to `channel` has ended, as `note` tells.
    fn lose_at(
        &mut self,
        socket: usize,
        channel: &Channel,
        note: fn(&mut SubscriptionTable<Owned>, SocketId, &Channel, SystemTime) -> bool,
    ) {
        let it = &mut self.sockets[socket];
        it.server.remove(channel);
        let id = it.id;
        let now = self.now();
        if self.comes_by.get(channel).is_none_or(|by| *by == socket) {
            self.comes_by.remove(channel);
            let is_it = |other: &Channel| other == channel;
            self.lose(now, is_it, is_it);
        }
        if note(&mut self.table, id, channel, now) {
            self.tell(channel, None);
        }
    }
}
