//! How far the subscriptions of a connection that was lost are restored.

use super::{Listeners, Missed};

pub(super) struct Restoring<L> {
    unanswered: usize,
    restored: Restored<L>,
}

/// The subscriptions of a lost connection, all answered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Restored<L> {
    /// The listeners of each channel, and whether it was confirmed.
    pub(crate) channels: Vec<(Listeners<L>, bool)>,
    /// What was missed.
    pub(crate) missed: Vec<Missed<L>>,
}

impl<L> Restoring<L> {
    /// Of so many channels.
    pub(super) fn of(unanswered: usize) -> Self {
        Self {
            unanswered,
            restored: Restored {
                channels: Vec::new(),
                missed: Vec::new(),
            },
        }
    }

    /// Notes the answer for one of them, which has these `listeners`. Returns whether it was the last.
    pub(super) fn answered(&mut self, listeners: Listeners<L>, is_confirmed: bool) -> bool {
        self.restored.channels.push((listeners, is_confirmed));
        self.unanswered = self.unanswered.saturating_sub(1);
        self.unanswered == 0
    }

    /// Notes what is told with the last answer.
    pub(super) fn note_missed(&mut self, missed: Missed<L>) {
        self.restored.missed.push(missed);
    }

    /// What was to be told, if there are no more answers.
    pub(super) fn interrupted(self) -> Vec<Missed<L>> {
        self.restored.missed
    }

    pub(super) fn into_restored(self) -> Restored<L> {
        self.restored
    }
}
