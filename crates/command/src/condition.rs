//! Whether a session's connection may be given to somebody else afterwards.

use redis_manager_core::route::SessionEffect;

/// What is known of the state that a connection is in. Whatever is not certainly clean is discarded,
/// never reset: a reset would have to know everything that a command can change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Condition {
    watching: bool,
    in_transaction: bool,
    tainted: bool,
    /// Calls that were sent and whose reply was not read.
    unanswered: bool,
}

impl Condition {
    /// Notes that a call is about to be sent. Unless [`Condition::answered`] follows, the connection is
    /// in doubt, and stays so: a reply to a later call does not tell what this one did.
    pub(crate) fn sent(&mut self) {
        self.tainted |= self.unanswered;
        self.unanswered = true;
    }

    /// Notes that the call which was sent has its reply, and what its commands did.
    pub(crate) fn answered(&mut self, effects: impl IntoIterator<Item = SessionEffect>) {
        self.unanswered = false;
        for effect in effects {
            match effect {
                SessionEffect::None => {}
                SessionEffect::Watches => self.watching = true,
                SessionEffect::Unwatches => self.watching &= self.in_transaction,
                SessionEffect::BeginsTransaction => self.in_transaction = true,
                SessionEffect::EndsTransaction => {
                    self.in_transaction = false;
                    self.watching = false;
                }
                SessionEffect::Taints => self.tainted = true,
            }
        }
    }

    /// Whether it is not known what a call has done, and no later call tells.
    pub(crate) fn is_in_doubt(self) -> bool {
        self.unanswered
    }

    /// Whether some keys are watched, and nothing else is left.
    pub(crate) fn is_watching_only(self) -> bool {
        let watching = Self {
            watching: true,
            ..Self::default()
        };
        self == watching
    }

    pub(crate) fn is_clean(self) -> bool {
        self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::SessionEffect::{
        BeginsTransaction, EndsTransaction, None, Taints, Unwatches, Watches,
    };
    use super::*;

    fn after(effects: &[SessionEffect]) -> bool {
        let mut condition = Condition::default();
        for effect in effects {
            condition.sent();
            condition.answered([*effect]);
        }
        condition.is_clean()
    }

    #[test]
    fn only_what_was_undone_for_certain_is_clean() {
        assert!(after(&[None, None]));
        assert!(after(&[Watches, Unwatches]));
        assert!(after(&[Watches, BeginsTransaction, None, EndsTransaction]));
        assert!(!after(&[Watches]));
        assert!(!after(&[Watches, BeginsTransaction]));
        // Queued, not run.
        assert!(!after(&[Watches, BeginsTransaction, Unwatches]));
        assert!(!after(&[Taints, EndsTransaction, Unwatches]));
    }

    #[test]
    fn an_unanswered_call_leaves_doubt() {
        let mut condition = Condition::default();
        condition.sent();
        assert!(!condition.is_clean());
        condition.sent();
        condition.answered([None]);
        assert!(!condition.is_clean());
    }
}
