//! The events of one run, one after the other.

use std::any::Any;
use std::sync::Arc;

use redis_manager_core::{Gap, Gate};

use super::Listener;
use crate::event_queue::{Next, Walk};
use crate::listener_event::EventRef;
use crate::{ListenerResult, Message};

/// How many events one turn has before other listeners have theirs.
const LENGTH: usize = 64;

/// What a callback hears before other listeners have their turn.
///
/// What is marked for inlining is done for each call, and the calls are made where the type of the function is known:
/// in the crate of the script.
pub(crate) struct Turn<'a> {
    listener: &'a Arc<Listener>,
    gate: &'a Gate,
    left: usize,
    walk: Option<Walk>,
    gap: Option<Gap>,
    /// The message at hand, for a listener that does not see all of it.
    shown: Option<Message>,
}

impl<'a> Turn<'a> {
    pub(super) fn new(listener: &'a Arc<Listener>) -> Self {
        Self {
            listener,
            gate: listener.context.script().gate(),
            left: LENGTH,
            walk: None,
            gap: None,
            shown: None,
        }
    }

    /// The next event, whose call begins; `None` if the turn is over.
    #[inline]
    pub(crate) fn next(&mut self) -> Option<EventRef<'_>> {
        self.left = self.left.checked_sub(1)?;
        if !self.gate.is_open() {
            return None;
        }
        let step = match self.walk.as_ref().and_then(Walk::advance) {
            Some(index) => Step::Message(index),
            None => self.ask()?,
        };
        self.listener.calls.begin();
        match step {
            Step::Message(index) => {
                let message = self.walk.as_ref()?.message(index)?;
                Some(EventRef::Message(match self.listener.hidden {
                    0 => message,
                    hidden => self.shown.insert(message.hiding(hidden)),
                }))
            }
            Step::Gap => self.gap.as_ref().map(EventRef::Gap),
        }
    }

    /// What the queue has after the messages that were walked through.
    fn ask(&mut self) -> Option<Step> {
        loop {
            match self.listener.next()? {
                Next::Walk(walk) => {
                    // The queue may have ended it already, and is asked again.
                    if let Some(index) = self.walk.insert(walk).advance() {
                        return Some(Step::Message(index));
                    }
                }
                Next::Gap(gap) => {
                    self.gap = Some(gap);
                    return Some(Step::Gap);
                }
            }
        }
    }

    /// Tells of a call that failed.
    #[inline]
    pub(crate) fn report(&self, outcome: Result<ListenerResult, Box<dyn Any + Send>>) {
        if !matches!(outcome, Ok(Ok(()))) {
            self.listener.report(outcome);
        }
    }
}

enum Step {
    /// Which message of the walk.
    Message(usize),
    Gap,
}
