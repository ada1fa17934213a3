//! One listener for each channel and each pattern, and what each has heard.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use futures_util::stream::{self, StreamExt, TryStreamExt};
use redis_manager::prelude::*;
use redis_manager::{Channel, Gap, ListenerEvent, ListenerResult};

pub(super) struct Audience {
    pub(super) channels: usize,
    pub(super) listeners: Arc<Vec<Heard>>,
    gaps: Arc<AtomicUsize>,
}

/// What one listener has heard, since it was looked at last.
#[derive(Default)]
pub(super) struct Heard {
    gaps: AtomicUsize,
    last_gap: Mutex<Option<Gap>>,
    messages: Mutex<Vec<String>>,
}

impl Audience {
    /// Registers them. The channels come first.
    pub(super) async fn gather(
        client: &RedisPubSubClient,
        channels: usize,
        patterns: usize,
    ) -> Self {
        let listeners: Vec<Heard> = (0..channels + patterns).map(|_| Heard::default()).collect();
        let audience = Self {
            channels,
            listeners: Arc::new(listeners),
            gaps: Arc::default(),
        };
        let registered = stream::iter(0..channels + patterns).map(|index| {
            let (listeners, gaps) = (Arc::clone(&audience.listeners), Arc::clone(&audience.gaps));
            let builder = client.listener(audience.channel(index)).with_gaps();
            builder.register_async(move |event| {
                std::future::ready(listeners[index].note(event, &gaps))
            })
        });
        let all: Vec<_> = registered
            .buffer_unordered(1_000)
            .try_collect()
            .await
            .unwrap();
        assert_eq!(all.len(), channels + patterns);
        audience
    }

    fn channel(&self, index: usize) -> Channel {
        if index < self.channels {
            Channel::new(self.address(index))
        } else {
            Channel::pattern(format!("pattern {index}.*"))
        }
    }

    /// Where to publish what only this listener is to hear.
    pub(super) fn address(&self, index: usize) -> String {
        if index < self.channels {
            format!("channel {index}")
        } else {
            format!("pattern {index}.any")
        }
    }

    /// How many gaps all of them were told of.
    pub(super) fn gaps(&self) -> usize {
        self.gaps.load(SeqCst)
    }

    /// How many gaps each was told of, since they were forgotten.
    pub(super) fn gaps_of_each(&self) -> Vec<usize> {
        let listeners = self.listeners.iter();
        listeners.map(|heard| heard.gaps.load(SeqCst)).collect()
    }

    pub(super) fn forget_gaps(&self) {
        for heard in self.listeners.iter() {
            heard.gaps.store(0, SeqCst);
        }
    }

    /// The messages that each has heard since this was asked.
    pub(super) fn take_messages(&self) -> Vec<Vec<String>> {
        let listeners = self.listeners.iter();
        let take = |heard: &Heard| std::mem::take(&mut *heard.messages.lock().unwrap());
        listeners.map(take).collect()
    }

    /// How many messages are there to be taken.
    pub(super) fn messages(&self) -> usize {
        let listeners = self.listeners.iter();
        let count = |heard: &Heard| heard.messages.lock().unwrap().len();
        listeners.map(count).sum()
    }
}

impl Heard {
    pub(super) fn last_gap(&self) -> Gap {
        self.last_gap.lock().unwrap().clone().unwrap()
    }

    fn note(&self, event: ListenerEvent, gaps: &AtomicUsize) -> ListenerResult {
        match event {
            ListenerEvent::Message(message) => {
                let text = message.payload_str()?.to_owned();
                self.messages.lock().unwrap().push(text);
            }
            ListenerEvent::Gap(gap) => {
                *self.last_gap.lock().unwrap() = Some(gap);
                self.gaps.fetch_add(1, SeqCst);
                gaps.fetch_add(1, SeqCst);
            }
            event => return Err(format!("{event:?}").into()),
        }
        Ok(())
    }
}
