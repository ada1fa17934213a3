//! Whatever happens in whatever order, the table ends with what is wanted, and tells what was missed.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Copy, Debug)]
enum Happening {
    Register(usize),
    Unregister(usize),
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
        3 => (0..CHANNELS).prop_map(Register),
        2 => (0..8_usize).prop_map(Unregister),
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
}

struct Told {
    channel: Channel,
    step: Step,
    number: StepNumber,
    /// The listener whose registration waits for it.
    registers: Option<ListenerId>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Answer {
    Done,
    /// The server refused, or is not connected any more.
    No,
    GivenUp,
}

struct World {
    table: SubscriptionTable<ListenerId>,
    listeners: Vec<(ListenerId, Channel)>,
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
            table: SubscriptionTable::new(),
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
        let Some((step, number)) = self.table.next_step(channel) else {
            return false;
        };
        if step == Step::Unsubscribe && !self.is_connected {
            self.table.settle(channel, number);
            return true;
        }
        let channel = channel.clone();
        self.outbox.push_back(Told {
            channel,
            step,
            number,
            registers,
        });
        true
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Register(number) => self.register(&channel(number)),
            Happening::Unregister(index) => {
                if let Some((id, _)) = self.listeners.get(index) {
                    self.unregister(*id);
                }
            }
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

    fn register(&mut self, channel: &Channel) {
        let id = ListenerId::next();
        self.table.add(channel, id, id);
        self.listeners.push((id, channel.clone()));
        let hearing = if self.tell(channel, Some(id)) {
            Hearing::NotYet
        } else {
            assert!(self.server.contains(channel), "{channel} needs no step");
            Hearing::Yes
        };
        self.hearing.insert(id, hearing);
    }

    fn unregister(&mut self, id: ListenerId) {
        let Some(index) = self.listeners.iter().position(|(other, _)| *other == id) else {
            return;
        };
        let (_, channel) = self.listeners.remove(index);
        assert_eq!(self.table.remove(&channel, id), Some(id));
        self.hearing.remove(&id);
        self.tell(&channel, None);
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
            Step::Subscribe => self.confirm(&told.channel, told.registers),
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
            Confirmed::Missed(gap, listeners) => {
                let is_told = listeners.iter().any(|(other, _)| *other == id);
                is_told.then_some(gap)
            }
            Confirmed::AsWanted | Confirmed::Differs => None,
        };
        for (id, _) in self.listeners.iter().filter(|(_, other)| other == channel) {
            match self.hearing[id] {
                Hearing::LostAt(since) => {
                    assert_eq!(told(*id), Some(&Gap::new(channel, since, now)));
                }
                Hearing::Yes => assert_eq!(told(*id), None, "nothing was missed"),
                // What was confirmed to another may be ended by what is on its way.
                Hearing::NotYet if registers != Some(*id) => continue,
                Hearing::NotYet => {}
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
                .is_some_and(|told| told.step == Step::Subscribe)
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
        for (id, channel) in &self.listeners {
            if is_lost(channel) && self.hearing[id] == Hearing::Yes {
                self.hearing.insert(*id, Hearing::LostAt(now));
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
        for (_, channel) in self.listeners.clone() {
            if !self.server.contains(&channel) {
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
        }
        world.calm_down();
        let wanted: HashSet<_> = world.listeners.iter().map(|(_, channel)| channel.clone()).collect();
        prop_assert_eq!(&world.server, &wanted);
        prop_assert!(world.hearing.values().all(|hearing| *hearing == Hearing::Yes));
        for (id, channel) in world.listeners.clone() {
            prop_assert!(world.table.next_step(&channel).is_none());
            let listeners = world.table.listeners(channel.kind(), channel.name()).unwrap();
            prop_assert!(listeners.iter().any(|(other, _)| *other == id));
            world.unregister(id);
        }
        world.calm_down();
        prop_assert!(world.server.is_empty());
        prop_assert!(world.table.is_empty());
    }
}
