//! All that the table must be right about.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, SystemTime};

use redis_manager_core::{Channel, ClientId, ListenerId, SocketId};

use super::happening::{CHANNELS, CLIENTS, Happening, channel};
use super::hearing::{Hearing, Owned};
use super::socket::{Answer, Socket, Told};
use crate::subscription_table::{NextStep, Step, SubscriptionTable};

pub(super) struct World {
    pub(super) table: SubscriptionTable<Owned>,
    pub(super) clients: Vec<ClientId>,
    pub(super) listeners: Vec<(Owned, Channel)>,
    pub(super) hearing: HashMap<ListenerId, Hearing>,
    pub(super) sockets: Vec<Socket>,
    /// The socket to which each channel belongs.
    pub(super) places: HashMap<Channel, usize>,
    /// That by which it comes, as far as its server has confirmed.
    pub(super) comes_by: HashMap<Channel, usize>,
    /// Until when it was certain that it belongs there, if there are several.
    pub(super) certain_until: HashMap<Channel, SystemTime>,
    /// Answers that nobody has heard of yet, and by which socket they came.
    pub(super) answers: Vec<(Told, usize, Answer)>,
    pub(super) second: u64,
}

impl World {
    pub(super) fn new(sockets: usize) -> Self {
        Self {
            table: SubscriptionTable::new(true),
            clients: (0..CLIENTS).map(|_| ClientId::next()).collect(),
            listeners: Vec::new(),
            hearing: HashMap::new(),
            sockets: match sockets {
                1 => vec![Socket::new(SocketId::FIRST)],
                _ => (0..sockets)
                    .map(|_| Socket::new(SocketId::next()))
                    .collect(),
            },
            places: (0..CHANNELS).map(|number| (channel(number), 0)).collect(),
            comes_by: HashMap::new(),
            certain_until: HashMap::new(),
            answers: Vec::new(),
            second: 0,
        }
    }

    pub(super) fn now(&mut self) -> SystemTime {
        self.second += 1;
        SystemTime::UNIX_EPOCH + Duration::from_secs(self.second)
    }

    pub(super) fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Register(client, number) => {
                self.register(self.clients[client], &channel(number));
            }
            Happening::Unregister(index) => {
                if let Some((listener, _)) = self.listeners.get(index) {
                    self.unregister(listener.id);
                }
            }
            Happening::Close(client) => self.close(client),
            Happening::Leave(client) => self.leave(self.clients[client]),
            Happening::Obey(socket) => self.obey(socket),
            Happening::Refuse(socket) => self.refuse(socket),
            Happening::Redirect(socket) => self.redirect(socket),
            Happening::Settle(index) => self.settle(index),
            Happening::TimeOut(socket, index) => {
                if let Some(told) = self.sockets[socket].outbox.remove(index) {
                    self.answers.push((told, socket, Answer::GivenUp));
                }
            }
            Happening::Disconnect(socket, sent) => self.disconnect(socket, sent),
            Happening::Reconnect(socket) => self.reconnect(socket),
            Happening::End(socket, number) => self.end(socket, &channel(number)),
            Happening::Move(number, socket) => {
                self.places.insert(channel(number), socket);
            }
            Happening::Rearrange => {
                self.rearrange();
            }
            Happening::Ascertain => self.ascertain(),
        }
    }

    /// Tells the server what it does not know, as the client does; returns whether there was anything.
    pub(super) fn tell(&mut self, channel: &Channel, registers: Option<ListenerId>) -> bool {
        self.tell_for(channel, registers, None)
    }

    pub(super) fn tell_for(
        &mut self,
        channel: &Channel,
        registers: Option<ListenerId>,
        leaves: Option<ClientId>,
    ) -> bool {
        let Some(NextStep { step, number, at }) = self.table.next_step(channel) else {
            return false;
        };
        let number_of = |id| self.sockets.iter().position(|socket| socket.id == id);
        let socket = at.and_then(number_of).unwrap_or(self.places[channel]);
        if step != Step::Subscribe && !self.sockets[socket].is_connected {
            self.table.settle(channel, number);
            return true;
        }
        self.sockets[socket].outbox.push_back(Told {
            channel: channel.clone(),
            step: Some((step, number)),
            registers,
            leaves,
        });
        true
    }

    /// Whether there is no connection by which `channel` would come.
    pub(super) fn is_lost(&self, channel: &Channel) -> bool {
        let comes_by = self.comes_by.get(channel);
        let socket = *comes_by.unwrap_or(&self.places[channel]);
        !self.sockets[socket].is_connected
    }

    /// Everything that is on its way arrives, and what was not restored is tried again.
    pub(super) fn calm_down(&mut self) {
        loop {
            for socket in 0..self.sockets.len() {
                self.reconnect(socket);
                while self.is_busy(socket) {
                    self.obey(socket);
                }
            }
            while !self.answers.is_empty() {
                self.settle(0);
            }
            let mut sockets = 0..self.sockets.len();
            let is_calm = sockets.all(|it| self.sockets[it].is_connected && !self.is_busy(it));
            if is_calm && self.rearrange() && !self.retry() {
                return;
            }
        }
    }

    fn is_busy(&self, socket: usize) -> bool {
        let it = &self.sockets[socket];
        !it.outbox.is_empty() || !it.restored.is_empty()
    }

    /// What was refused is wanted still.
    fn retry(&mut self) -> bool {
        let mut told = false;
        for (listener, channel) in self.listeners.clone() {
            let has_left = matches!(self.hearing[&listener.id], Hearing::Leaving | Hearing::Left);
            if !has_left && !self.comes_by.contains_key(&channel) {
                told |= self.tell(&channel, None);
            }
        }
        told
    }

    /// How often a message on `channel` that `socket` brings is delivered now, and to whom.
    fn hear(&self, socket: &Socket, channel: &Channel) -> Vec<ListenerId> {
        let listeners = self
            .table
            .listeners(socket.id, channel.kind(), channel.name());
        let listeners = listeners.iter().flat_map(|listeners| listeners.iter());
        listeners.map(|(id, _)| *id).collect()
    }

    /// A message on any channel, which every server sends that is subscribed to it, is delivered once to those who are to
    /// hear it, if it comes by any.
    pub(super) fn check_delivery(&self) {
        for (listener, channel) in &self.listeners {
            let with_it = self.sockets.iter();
            let with_it: Vec<_> = with_it.filter(|it| it.server.contains(channel)).collect();
            let heard = with_it.iter().flat_map(|it| self.hear(it, channel));
            let times = heard.filter(|id| *id == listener.id).count();
            let hearing = self.hearing[&listener.id];
            let comes = self.comes_by.contains_key(channel);
            match hearing {
                Hearing::Left => assert_eq!(times, 0, "{listener:?} of {channel}"),
                Hearing::Yes => assert_eq!(times, 1, "{listener:?} of {channel}"),
                _ => assert_eq!(times, usize::from(comes), "{listener:?} of {channel}"),
            }
        }
    }

    /// What each server is subscribed to.
    pub(super) fn on_servers(&self) -> HashSet<(usize, Channel)> {
        let sockets = self.sockets.iter().enumerate();
        let servers = sockets.flat_map(|(socket, it)| it.server.iter().map(move |it| (socket, it)));
        servers
            .map(|(socket, channel)| (socket, channel.clone()))
            .collect()
    }
}
