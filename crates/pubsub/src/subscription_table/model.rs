//! Whatever happens in whatever order, the table ends with what is wanted, and tells what was missed: with one socket
//! that subscribes, and with several among which the channels move.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Copy, Debug)]
enum Happening {
    /// A client listens to a channel.
    Register(usize, usize),
    Unregister(usize),
    /// A client is closed.
    Close(usize),
    /// A client leaves all its channels.
    Leave(usize),
    /// A server does what it was told next by a socket.
    Obey(usize),
    /// It refuses what it was told next.
    Refuse(usize),
    /// It names the server to which the channel belongs.
    Redirect(usize),
    /// Whoever waits for an answer hears of it.
    Settle(usize),
    /// What was not sent yet is given up.
    TimeOut(usize, usize),
    /// The connection of a socket is lost, and with it so many steps that were sent.
    Disconnect(usize, usize),
    Reconnect(usize),
    /// A server ends a subscription by itself.
    End(usize, usize),
    /// A channel belongs to another socket.
    Move(usize, usize),
    /// The table hears of that.
    Rearrange,
    /// It hears which channels come by the sockets to which they belong.
    Ascertain,
}

fn happening(sockets: usize) -> impl Strategy<Value = Happening> {
    use Happening::*;
    prop_oneof![
        3 => (0..CLIENTS, 0..CHANNELS).prop_map(|(client, channel)| Register(client, channel)),
        2 => (0..8_usize).prop_map(Unregister),
        1 => (0..CLIENTS).prop_map(Close),
        1 => (0..CLIENTS).prop_map(Leave),
        9 => (0..sockets).prop_map(Obey),
        1 => (0..sockets).prop_map(Refuse),
        4 => (0..4_usize).prop_map(Settle),
        1 => (0..sockets, 0..4_usize).prop_map(|(socket, index)| TimeOut(socket, index)),
        1 => (0..sockets, 0..3_usize).prop_map(|(socket, sent)| Disconnect(socket, sent)),
        2 => (0..sockets).prop_map(Reconnect),
        1 => (0..sockets, 0..CHANNELS).prop_map(|(socket, channel)| End(socket, channel)),
        2 => (0..CHANNELS, 0..sockets).prop_map(|(channel, socket)| Move(channel, socket)),
        2 => Just(Rearrange),
        2 => Just(Ascertain),
        2 => (0..sockets).prop_map(Redirect),
    ]
}

const CHANNELS: usize = 3;
const CLIENTS: usize = 3;

fn channel(number: usize) -> Channel {
    [
        Channel::new("c"),
        Channel::pattern("c"),
        Channel::shard("c"),
    ][number]
        .clone()
}

/// What a listener has a right to expect.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Hearing {
    NotYet,
    Yes,
    LostAt(SystemTime),
    /// Its client has left: it hears what was sent by then.
    Leaving,
    Left,
    /// Its client listens again, from some time on.
    Again,
}

/// A listener of a client.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Owned {
    id: ListenerId,
    client: ClientId,
}

impl OfClient for Owned {
    fn client(&self) -> ClientId {
        self.client
    }
}

struct Told {
    channel: Channel,
    /// `None` if the channel belongs elsewhere, and ends at this socket alone.
    step: Option<(Step, StepNumber)>,
    /// The listener whose registration waits for it.
    registers: Option<ListenerId>,
    /// The client that has left and waits for it.
    leaves: Option<ClientId>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Answer {
    Done,
    /// The server refused, or is not connected any more.
    No,
    GivenUp,
}

/// A socket that subscribes, and its server.
struct Socket {
    id: SocketId,
    is_connected: bool,
    /// What was left to be sent and is not answered.
    outbox: VecDeque<Told>,
    /// What this connection is to be told before that.
    restored: VecDeque<Channel>,
    server: HashSet<Channel>,
}

impl Socket {
    fn new(id: SocketId) -> Self {
        Self {
            id,
            is_connected: true,
            outbox: VecDeque::new(),
            restored: VecDeque::new(),
            server: HashSet::new(),
        }
    }
}

struct World {
    table: SubscriptionTable<Owned>,
    clients: Vec<ClientId>,
    listeners: Vec<(Owned, Channel)>,
    hearing: HashMap<ListenerId, Hearing>,
    sockets: Vec<Socket>,
    /// The socket to which each channel belongs.
    places: HashMap<Channel, usize>,
    /// That by which it comes, as far as its server has confirmed.
    comes_by: HashMap<Channel, usize>,
    /// Until when it was certain that it belongs there, if there are several.
    certain_until: HashMap<Channel, SystemTime>,
    /// Answers that nobody has heard of yet, and by which socket they came.
    answers: Vec<(Told, usize, Answer)>,
    second: u64,
}

impl World {
    fn new(sockets: usize) -> Self {
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

    fn now(&mut self) -> SystemTime {
        self.second += 1;
        SystemTime::UNIX_EPOCH + Duration::from_secs(self.second)
    }

    /// Tells the server what it does not know, as the client does; returns whether there was anything.
    fn tell(&mut self, channel: &Channel, registers: Option<ListenerId>) -> bool {
        self.tell_for(channel, registers, None)
    }

    fn tell_for(
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
    fn is_lost(&self, channel: &Channel) -> bool {
        let comes_by = self.comes_by.get(channel);
        let socket = *comes_by.unwrap_or(&self.places[channel]);
        !self.sockets[socket].is_connected
    }

    fn happen(&mut self, happening: Happening) {
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

    fn register(&mut self, client: ClientId, channel: &Channel) {
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

    fn unregister(&mut self, id: ListenerId) {
        let Some(index) = self.listeners.iter().position(|(other, _)| other.id == id) else {
            return;
        };
        let (listener, channel) = self.listeners.remove(index);
        assert_eq!(self.table.remove(&channel, id), Some(listener));
        self.hearing.remove(&id);
        self.tell(&channel, None);
    }

    /// Its place is taken by another client.
    fn close(&mut self, number: usize) {
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

    fn leave(&mut self, client: ClientId) {
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
    fn check_delivery(&self) {
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

    fn obey(&mut self, socket: usize) {
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

    /// Has a channel that comes, or is to come, by another socket end at this one.
    fn end_at(&mut self, socket: usize, channel: &Channel) {
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

    fn refuse(&mut self, socket: usize) {
        let it = &mut self.sockets[socket];
        if !it.is_connected || it.restored.pop_front().is_some() {
            return;
        }
        if let Some(told) = self.next_subscription(socket) {
            self.answers.push((told, socket, Answer::No));
        }
    }

    /// Whoever waits for it goes on at the other server.
    fn redirect(&mut self, socket: usize) {
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

    fn rearrange(&mut self) -> bool {
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

    fn ascertain(&mut self) {
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

    fn settle(&mut self, index: usize) {
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

    fn disconnect(&mut self, socket: usize, sent: usize) {
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

    /// Those who listen to what is lost have missed something; those who leave what comes by no socket have heard all.
    fn lose(
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

    /// Before anything that waits the next connection is told of what is wanted.
    fn reconnect(&mut self, socket: usize) {
        let it = &mut self.sockets[socket];
        if it.is_connected {
            return;
        }
        it.is_connected = true;
        let belongs = |channel: &Channel| self.places[channel] == socket;
        let restored = self.table.reconnected(it.id, belongs);
        it.restored = restored.into();
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

    fn end(&mut self, socket: usize, channel: &Channel) {
        let it = &self.sockets[socket];
        if it.is_connected && it.server.contains(channel) {
            self.lose_at(socket, channel, SubscriptionTable::ended);
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

    /// Everything that is on its way arrives, and what was not restored is tried again.
    fn calm_down(&mut self) {
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

    /// What each server is subscribed to.
    fn on_servers(&self) -> HashSet<(usize, Channel)> {
        let sockets = self.sockets.iter().enumerate();
        let servers = sockets.flat_map(|(socket, it)| it.server.iter().map(move |it| (socket, it)));
        servers
            .map(|(socket, channel)| (socket, channel.clone()))
            .collect()
    }
}

/// How many sockets there are, and what happens.
fn story() -> impl Strategy<Value = (usize, Vec<Happening>)> {
    let sockets = prop_oneof![1 => Just(1_usize), 2 => 2..=3_usize];
    sockets.prop_flat_map(|sockets| {
        let happenings = prop::collection::vec(happening(sockets), 0..60);
        (Just(sockets), happenings)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: ProptestConfig::default().cases.max(2_000), ..ProptestConfig::default() })]

    #[test]
    fn the_servers_end_with_what_is_wanted_and_nobody_misses_anything_unknowingly(
        (sockets, happenings) in story(),
    ) {
        let mut world = World::new(sockets);
        for happening in happenings {
            world.happen(happening);
            world.check_delivery();
        }
        world.calm_down();
        world.check_delivery();
        let staying = world.listeners.iter();
        let staying = staying.filter(|(listener, _)| world.hearing[&listener.id] != Hearing::Left);
        let wanted: HashSet<_> = staying
            .map(|(_, channel)| (world.places[channel], channel.clone()))
            .collect();
        prop_assert_eq!(world.on_servers(), wanted);
        let ends = [Hearing::Yes, Hearing::Left, Hearing::Again];
        prop_assert!(world.hearing.values().all(|hearing| ends.contains(hearing)));
        for (_, channel) in world.listeners.clone() {
            prop_assert!(world.table.next_step(&channel).is_none());
        }
        for (listener, _) in world.listeners.clone() {
            world.unregister(listener.id);
        }
        world.calm_down();
        prop_assert!(world.on_servers().is_empty());
        prop_assert!(world.table.is_empty());
    }
}
