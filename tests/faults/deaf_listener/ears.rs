//! Who does not return, and who keeps up.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex};

use redis_manager::EventStream;
use redis_manager::prelude::*;

use super::BLOCKED_AFTER;
use crate::harness::eventually;

/// A listener whose first call does not return until it is released.
pub(super) struct Deaf {
    pub(super) listener: ScriptPubSubListener,
    heard: Arc<Mutex<Vec<u64>>>,
    /// Dropped, it lets the call return, and each later one.
    release: Option<Sender<()>>,
    events: EventStream,
    /// What the client told of the messages that were lost.
    totals: Vec<u64>,
    blocked: usize,
}

impl Deaf {
    pub(super) fn register(client: &RedisPubSubClient, channel: &str) -> Self {
        let (release, released) = mpsc::channel::<()>();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let events = client.events();
        let notes = Arc::clone(&heard);
        let listener = client.register_listener(channel, move |message: &Message| {
            notes.lock().unwrap().push(number(message));
            let _ = released.recv();
            Ok(())
        });
        Self {
            listener: listener.unwrap(),
            heard,
            release: Some(release),
            events,
            totals: Vec::new(),
            blocked: 0,
        }
    }

    pub(super) fn heard(&self) -> Vec<u64> {
        self.heard.lock().unwrap().clone()
    }

    pub(super) fn release(&mut self) {
        self.release = None;
    }

    /// Notes what the client tells. No other listener gives it a reason to tell anything.
    pub(super) fn note_events(&mut self) {
        while let Some(event) = self.events.try_recv() {
            match event {
                ClientEvent::MessagesDropped {
                    channel,
                    listener,
                    total,
                } => {
                    assert_eq!(listener, self.listener.id());
                    assert_eq!(channel, *self.listener.channel());
                    assert!(total <= self.listener.dropped(), "{total}");
                    self.totals.push(total);
                }
                ClientEvent::ListenerBlocked {
                    channel,
                    listener,
                    running_for,
                } => {
                    assert_eq!(listener, self.listener.id());
                    assert_eq!(channel, *self.listener.channel());
                    assert!(running_for >= BLOCKED_AFTER, "{running_for:?}");
                    self.blocked += 1;
                }
                event => panic!("{event:?}"),
            }
        }
    }

    /// One call was told of, and each doubling of the lost messages.
    pub(super) fn expect_events(&mut self, dropped: u64) {
        eventually("the client names who is deaf", || {
            self.note_events();
            self.blocked > 0
        });
        let doublings = std::iter::successors(Some(1), |total| Some(total * 2));
        let expected: Vec<u64> = doublings.take_while(|total| *total <= dropped).collect();
        assert_eq!(self.totals, expected);
        assert_eq!(self.blocked, 1);
        assert_eq!(self.events.missed(), 0);
    }
}

/// A listener that expects the numbers from 0 on, each once and in order.
pub(super) struct Keen {
    listener: ScriptPubSubListener,
    notes: Arc<Notes>,
}

#[derive(Default)]
struct Notes {
    heard: AtomicU64,
    strays: AtomicU64,
}

impl Notes {
    fn note(&self, message: &Message) {
        if self.heard.fetch_add(1, SeqCst) != number(message) {
            self.strays.fetch_add(1, SeqCst);
        }
    }
}

impl Keen {
    pub(super) fn register(client: &RedisPubSubClient, channel: &str) -> Self {
        let notes = Arc::new(Notes::default());
        let notebook = Arc::clone(&notes);
        let function = move |message: &Message| {
            notebook.note(message);
            Ok(())
        };
        Self {
            listener: client.register_listener(channel, function).unwrap(),
            notes,
        }
    }

    pub(super) fn register_async(client: &RedisPubSubClient, channel: &str) -> Self {
        let notes = Arc::new(Notes::default());
        let notebook = Arc::clone(&notes);
        let function = move |message: Message| {
            notebook.note(&message);
            std::future::ready(Ok(()))
        };
        let registering = client.register_async_listener(channel, function);
        Self {
            listener: pollster::block_on(registering).unwrap(),
            notes,
        }
    }

    pub(super) fn heard(&self) -> u64 {
        self.notes.heard.load(SeqCst)
    }

    /// How many came twice, or out of order.
    pub(super) fn strays(&self) -> u64 {
        self.notes.strays.load(SeqCst)
    }

    pub(super) fn dropped(&self) -> u64 {
        self.listener.dropped()
    }
}

fn number(message: &Message) -> u64 {
    let text = message.payload_str().unwrap();
    text.split(' ').next().unwrap().parse().unwrap()
}
