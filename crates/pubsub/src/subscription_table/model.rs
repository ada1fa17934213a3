//! Whatever happens in whatever order, the table ends with what is wanted, and tells what was missed.

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
    /// The server does what it was told next.
    Obey,
    /// It refuses what it was told next.
    Refuse,
    /// Whoever waits for an answer hears of it.
    Settle(usize),
    /// What was not sent yet is given up.
    TimeOut(usize),
    /// The connection is lost, and with it so many steps that were sent.
    Disconnect(usize),
    Reconnect,
    /// The server ends a subscription by itself.
    End(usize),
}

fn happening() -> impl Strategy<Value = Happening> {
    use Happening::*;
    prop_oneof![
        3 => (0..CLIENTS, 0..CHANNELS).prop_map(|(client, channel)| Register(client, channel)),
        2 => (0..8_usize).prop_map(Unregister),
        1 => (0..CLIENTS).prop_map(Close),
        1 => (0..CLIENTS).prop_map(Leave),
        6 => Just(Obey),
        1 => Just(Refuse),
        4 => (0..4_usize).prop_map(Settle),
        1 => (0..4_usize).prop_map(TimeOut),
        1 => (0..3_usize).prop_map(Disconnect),
        2 => Just(Reconnect),
        1 => (0..CHANNELS).prop_map(End),
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
    step: Step,
    number: StepNumber,
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

struct World {
    table: SubscriptionTable<Owned>,
    clients: Vec<ClientId>,
    listeners: Vec<(Owned, Channel)>,
    hearing: HashMap<ListenerId, Hearing>,
    is_connected: bool,
    /// What was left to be sent and is not answered.
    outbox: VecDeque<Told>,
    /// What this connection is to be told before that.
    restored: VecDeque<Channel>,
    /// Answers that nobody has heard of yet.
    answers: Vec<(Told, Answer)>,
    server: HashSet<Channel>,
    second: u64,
}

impl World {
    fn new() -> Self {
        Self {
            table: SubscriptionTable::new(true),
            clients: (0..CLIENTS).map(|_| ClientId::next()).collect(),
            listeners: Vec::new(),
            hearing: HashMap::new(),
            is_connected: true,
            outbox: VecDeque::new(),
            restored: VecDeque::new(),
            answers: Vec::new(),
            server: HashSet::new(),
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
        let Some((step, number)) = self.table.next_step(channel) else {
            return false;
        };
        if step != Step::Subscribe && !self.is_connected {
            self.table.settle(channel, number);
            return true;
        }
        let channel = channel.clone();
        self.outbox.push_back(Told {
            channel,
            step,
            number,
            registers,
            leaves,
        });
        true
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
            Happening::Obey => self.obey(),
            Happening::Refuse => self.refuse(),
            Happening::Settle(index) => self.settle(index),
            Happening::TimeOut(index) => {
                if let Some(told) = self.outbox.remove(index) {
                    self.answers.push((told, Answer::GivenUp));
                }
            }
            Happening::Disconnect(sent) => self.disconnect(sent),
            Happening::Reconnect => self.reconnect(),
            Happening::End(number) => self.end(&channel(number)),
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
            assert!(self.server.contains(channel), "{channel} needs no step");
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
        let channels = self.table.leave_all(client, !self.is_connected);
        if !self.is_connected {
            // All that was sent has come.
            for (listener, _) in &self.listeners {
                if listener.client == client {
                    self.hearing.insert(listener.id, Hearing::Left);
                }
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

    /// Those to whom a message on `channel` is delivered now.
    fn hear(&self, channel: &Channel) -> Vec<ListenerId> {
        let listeners = self.table.listeners(channel.kind(), channel.name());
        let listeners = listeners.iter().flat_map(|listeners| listeners.iter());
        listeners.map(|(id, _)| *id).collect()
    }

    /// A message on any channel is delivered to those who are to hear it.
    fn check_delivery(&self) {
        for (listener, channel) in &self.listeners {
            let is_heard = self.hear(channel).contains(&listener.id);
            let is_left = self.hearing[&listener.id] == Hearing::Left;
            assert_ne!(is_heard, is_left, "{listener:?} of {channel}");
        }
    }

    fn obey(&mut self) {
        if !self.is_connected {
            return;
        }
        if let Some(channel) = self.restored.pop_front() {
            return self.confirm(&channel, None);
        }
        let Some(told) = self.outbox.pop_front() else {
            return;
        };
        match told.step {
            Step::Subscribe | Step::Mark => self.confirm(&told.channel, told.registers),
            Step::Unsubscribe => self.unsubscribe(&told.channel),
        }
        self.answers.push((told, Answer::Done));
    }

    fn confirm(&mut self, channel: &Channel, registers: Option<ListenerId>) {
        self.server.insert(channel.clone());
        let now = self.now();
        let confirmed = self.table.subscribed(channel, now);
        if confirmed == Confirmed::Differs {
            self.tell(channel, None);
        }
        let told = |id: ListenerId| match &confirmed {
            Confirmed::Missed(missed) => {
                let is_told = missed.listeners.iter().any(|(other, _)| *other == id);
                is_told.then_some(&missed.gap)
            }
            Confirmed::AsWanted | Confirmed::Differs => None,
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

    fn refuse(&mut self) {
        if self.is_connected && self.restored.pop_front().is_some() {
            return;
        }
        if self.is_connected
            && self
                .outbox
                .front()
                .is_some_and(|told| told.step != Step::Unsubscribe)
            && let Some(told) = self.outbox.pop_front()
        {
            self.answers.push((told, Answer::No));
        }
    }

    fn settle(&mut self, index: usize) {
        if index >= self.answers.len() {
            return;
        }
        let (told, answer) = self.answers.remove(index);
        let differs = self.table.settle(&told.channel, told.number);
        // A registration that failed is taken back.
        if let Some(id) = told.registers
            && answer != Answer::Done
        {
            self.unregister(id);
        }
        if differs && answer == Answer::GivenUp {
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

    fn disconnect(&mut self, sent: usize) {
        if !self.is_connected {
            return;
        }
        self.is_connected = false;
        self.server.clear();
        self.restored.clear();
        for told in self.outbox.drain(..sent.min(self.outbox.len())) {
            self.answers.push((told, Answer::No));
        }
        let now = self.now();
        self.table.disconnected(now);
        self.lose(now, |_| true);
    }

    fn lose(&mut self, now: SystemTime, is_lost: impl Fn(&Channel) -> bool) {
        for (Owned { id, .. }, channel) in &self.listeners {
            if is_lost(channel) {
                let after = match self.hearing[id] {
                    Hearing::Yes => Hearing::LostAt(now),
                    // All that was sent has come.
                    Hearing::Leaving => Hearing::Left,
                    other => other,
                };
                self.hearing.insert(*id, after);
            }
        }
    }

    /// Before anything that waits the next connection is told of what is wanted.
    fn reconnect(&mut self) {
        if self.is_connected {
            return;
        }
        self.is_connected = true;
        self.restored.clear();
        self.restored.extend(self.table.reconnected());
    }

    /// What was refused is wanted still.
    fn retry(&mut self) -> bool {
        let mut told = false;
        for (listener, channel) in self.listeners.clone() {
            let has_left = matches!(self.hearing[&listener.id], Hearing::Leaving | Hearing::Left);
            if !has_left && !self.server.contains(&channel) {
                told |= self.tell(&channel, None);
            }
        }
        told
    }

    fn end(&mut self, channel: &Channel) {
        if self.is_connected && self.server.contains(channel) {
            self.server.remove(channel);
            let now = self.now();
            self.lose(now, |other| other == channel);
            if self.table.ended(channel, now) {
                self.tell(channel, None);
            }
        }
    }

    fn unsubscribe(&mut self, channel: &Channel) {
        self.server.remove(channel);
        let now = self.now();
        self.lose(now, |other| other == channel);
        if self.table.unsubscribed(channel, now) {
            self.tell(channel, None);
        }
    }

    /// Everything that is on its way arrives, and what was not restored is tried again.
    fn calm_down(&mut self) {
        self.reconnect();
        loop {
            while !self.outbox.is_empty() || !self.restored.is_empty() {
                self.obey();
            }
            while !self.answers.is_empty() {
                self.settle(0);
            }
            if self.outbox.is_empty() && !self.retry() {
                return;
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: ProptestConfig::default().cases.max(2_000), ..ProptestConfig::default() })]

    #[test]
    fn the_server_ends_with_what_is_wanted_and_nobody_misses_anything_unknowingly(
        happenings in prop::collection::vec(happening(), 0..60),
    ) {
        let mut world = World::new();
        for happening in happenings {
            world.happen(happening);
            world.check_delivery();
        }
        world.calm_down();
        world.check_delivery();
        let staying = world.listeners.iter();
        let staying = staying.filter(|(listener, _)| world.hearing[&listener.id] != Hearing::Left);
        let wanted: HashSet<_> = staying.map(|(_, channel)| channel.clone()).collect();
        prop_assert_eq!(&world.server, &wanted);
        let ends = [Hearing::Yes, Hearing::Left, Hearing::Again];
        prop_assert!(world.hearing.values().all(|hearing| ends.contains(hearing)));
        for (_, channel) in world.listeners.clone() {
            prop_assert!(world.table.next_step(&channel).is_none());
        }
        for (listener, _) in world.listeners.clone() {
            world.unregister(listener.id);
        }
        world.calm_down();
        prop_assert!(world.server.is_empty());
        prop_assert!(world.table.is_empty());
    }
}
