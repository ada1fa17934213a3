//! What waits for one listener, within bounds.

mod limits;
#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
mod walk;

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use redis_manager_core::{Gap, Overflow, Waiting};

use crate::ListenerEvent;
use crate::burst::Burst;

pub(crate) use limits::QueueLimits;
use walk::Cursor;
pub(crate) use walk::Walk;

/// Messages in the order they came, bounded by count and by bytes, and the gaps between them.
///
/// They come in bursts, which are shared with the queues of other listeners, and are heard one at a time. Each counts for
/// itself: one waits until its turn comes, and it is messages that are dropped, not bursts.
///
/// What is dropped, or was heard, of a burst goes once nothing of it waits. Therefore a queue keeps at most twice what
/// waits, and the first burst: of one that it takes less than half of it makes a copy, and what is taken out later is
/// taken from the first.
///
/// No gap is ever dropped. There is at most one between two messages, and so no more than messages.
pub(crate) struct EventQueue {
    events: VecDeque<Queued>,
    /// How many messages are in `events`, and what they weigh.
    messages: usize,
    bytes: usize,
    /// The burst that is walked through, before all others.
    walked: Option<Part>,
    cursor: Arc<Cursor>,
    dropped: u64,
    limits: QueueLimits,
}

enum Queued {
    Part(Part),
    Gap(Gap),
}

/// Messages of one burst that follow each other.
struct Part {
    burst: Burst,
    range: Range<usize>,
    bytes: usize,
}

/// What comes next: messages to walk through, or a gap.
pub(crate) enum Next {
    Walk(Walk),
    Gap(Gap),
}

impl EventQueue {
    pub(crate) fn new(limits: QueueLimits) -> Self {
        Self {
            events: VecDeque::new(),
            messages: 0,
            bytes: 0,
            walked: None,
            cursor: Cursor::new(),
            dropped: 0,
            limits,
        }
    }

    /// Adds the messages of `burst`, dropping what the overflow policy says. Returns how many were dropped so far, each
    /// time that the number has doubled: soon at first, and never often.
    pub(crate) fn push(&mut self, burst: &Burst) -> Vec<u64> {
        if self.has_room_for(burst) {
            self.messages += burst.messages().len();
            self.bytes += burst.size();
            self.events.push_back(Queued::Part(Part::whole(burst)));
            return Vec::new();
        }
        self.withdraw();
        let mut doubled = Vec::new();
        for index in 0..burst.messages().len() {
            let before = self.dropped;
            self.push_one(burst, index);
            // One message may push out several, so the number need not stop at a power of two.
            if self.dropped.checked_ilog2() != before.checked_ilog2() {
                doubled.push(self.dropped);
            }
        }
        self.copy_if_few(burst);
        doubled
    }

    /// Adds `gap` behind what is there.
    pub(crate) fn push_gap(&mut self, gap: Gap) {
        let gap = match self.events.pop_back() {
            Some(Queued::Gap(earlier)) => earlier.merge(gap),
            Some(part) => {
                self.events.push_back(part);
                gap
            }
            None => gap,
        };
        self.events.push_back(Queued::Gap(gap));
    }

    /// What comes next, if anything waits. Messages are left here until the walk reaches them.
    pub(crate) fn next(&mut self) -> Option<Next> {
        self.release();
        if self.walked.is_none() {
            match self.events.pop_front()? {
                Queued::Gap(gap) => return Some(Next::Gap(gap)),
                Queued::Part(part) => {
                    self.messages -= part.range.len();
                    self.bytes -= part.bytes;
                    self.cursor.set(part.range.start);
                    self.walked = Some(part);
                }
            }
        }
        let part = self.walked.as_ref()?;
        let walk = Walk::new(part.burst.clone(), part.range.end, &self.cursor);
        Some(Next::Walk(walk))
    }

    /// Takes out what comes next.
    pub(crate) fn pop(&mut self) -> Option<ListenerEvent> {
        self.withdraw();
        if let Some(gap) = self.pop_gap() {
            return Some(ListenerEvent::Gap(gap));
        }
        let (burst, index) = self.pop_message()?;
        let message = burst.messages().get(index)?;
        Some(ListenerEvent::Message(message.clone()))
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&mut self) -> bool {
        self.release();
        self.walked.is_none() && self.events.is_empty()
    }

    /// Forgets what waits, and ends a walk.
    pub(crate) fn clear(&mut self) {
        self.cursor.withdraw();
        self.walked = None;
        self.events = VecDeque::new();
        self.messages = 0;
        self.bytes = 0;
    }

    /// How many messages were dropped so far.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// The messages that wait.
    pub(crate) fn waiting(&self) -> Waiting {
        let mut waiting = Waiting::new(self.messages, self.bytes);
        if let Some(part) = &self.walked {
            let left = self.cursor.next()..part.range.end;
            waiting.add(Waiting::new(left.len(), part.burst.size_of(left)));
        }
        waiting
    }

    /// Whether there is certainly room for all of `burst`.
    fn has_room_for(&self, burst: &Burst) -> bool {
        let (messages, bytes) = match &self.walked {
            Some(part) => (
                part.range.end.saturating_sub(self.cursor.next()),
                part.bytes,
            ),
            None => (0, 0),
        };
        let messages = self.messages + messages + burst.messages().len();
        let bytes = self
            .bytes
            .saturating_add(bytes)
            .saturating_add(burst.size());
        messages <= self.limits.messages && bytes <= self.limits.bytes
    }

    /// Forgets the burst that was walked through to its end.
    fn release(&mut self) {
        let next = self.cursor.next();
        self.walked.take_if(|part| next >= part.range.end);
    }

    /// Ends a walk: what it has not reached waits with the others.
    fn withdraw(&mut self) {
        let next = self.cursor.withdraw();
        let Some(mut part) = self.walked.take() else {
            return;
        };
        part.range.start = next;
        if !part.range.is_empty() {
            part.bytes = part.burst.size_of(part.range.clone());
            self.messages += part.range.len();
            self.bytes += part.bytes;
            self.events.push_front(Queued::Part(part));
        }
    }

    fn push_one(&mut self, burst: &Burst, index: usize) {
        let size = burst.size_of(index..index + 1);
        let limits = self.limits;
        let has_room = |queue: &Self| {
            queue.messages < limits.messages && queue.bytes.saturating_add(size) <= limits.bytes
        };
        if limits.overflow == Overflow::DropOldest && size <= limits.bytes {
            while !has_room(self) && self.drop_oldest() {}
        }
        if !has_room(self) {
            self.dropped += 1;
            return;
        }
        self.messages += 1;
        self.bytes += size;
        match self.events.back_mut() {
            Some(Queued::Part(last)) if last.burst.is_same(burst) && last.range.end == index => {
                last.range.end += 1;
                last.bytes += size;
            }
            _ => self.events.push_back(Queued::Part(Part {
                burst: burst.clone(),
                range: index..index + 1,
                bytes: size,
            })),
        }
    }

    /// Drops the oldest message, and no gap; returns whether there was one.
    fn drop_oldest(&mut self) -> bool {
        let gap = self.pop_gap();
        let dropped = self.pop_message().is_some();
        self.dropped += u64::from(dropped);
        if let Some(gap) = gap {
            let gap = match self.pop_gap() {
                Some(later) => gap.merge(later),
                None => gap,
            };
            self.events.push_front(Queued::Gap(gap));
        }
        dropped
    }

    /// Takes out the first gap, if no message comes before it.
    fn pop_gap(&mut self) -> Option<Gap> {
        match self.events.pop_front()? {
            Queued::Gap(gap) => Some(gap),
            part @ Queued::Part(_) => {
                self.events.push_front(part);
                None
            }
        }
    }

    /// Takes out the first message, if no gap comes before it.
    fn pop_message(&mut self) -> Option<(Burst, usize)> {
        let Some(Queued::Part(part)) = self.events.front_mut() else {
            return None;
        };
        let index = part.range.next()?;
        let size = part.burst.size_of(index..index + 1);
        part.bytes -= size;
        self.messages -= 1;
        self.bytes -= size;
        let burst = part.burst.clone();
        if part.range.is_empty() {
            self.events.pop_front();
        }
        Some((burst, index))
    }

    /// Keeps of `burst`, which was pushed last, a copy if less than half of it waits.
    fn copy_if_few(&mut self, burst: &Burst) {
        let backwards = self.events.iter_mut().rev();
        let parts = backwards.map_while(|queued| match queued {
            Queued::Part(part) if part.burst.is_same(burst) => Some(part),
            _ => None,
        });
        let parts: Vec<_> = parts.collect();
        let messages: usize = parts.iter().map(|part| part.range.len()).sum();
        let bytes: usize = parts.iter().map(|part| part.bytes).sum();
        if messages * 2 < burst.messages().len() || bytes * 2 < burst.size() {
            for part in parts {
                part.copy();
            }
        }
    }
}

impl Part {
    fn whole(burst: &Burst) -> Self {
        Self {
            burst: burst.clone(),
            range: 0..burst.messages().len(),
            bytes: burst.size(),
        }
    }

    /// Lets go of the rest of the burst.
    fn copy(&mut self) {
        let some = self.burst.messages().get(self.range.clone());
        self.burst = Burst::new(some.unwrap_or_default());
        self.range = 0..self.burst.messages().len();
    }
}
