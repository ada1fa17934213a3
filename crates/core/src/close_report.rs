//! What closing a client came to.

use std::fmt;

use crate::{ClientId, ClientType, Error};

/// How the closing of one client ended.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum CloseOutcome {
    /// Everything in flight was answered, and no callback was running any more.
    Drained,
    /// The deadline passed with work in flight or a callback running; the rest was cut off.
    CutOff,
    /// The client was closed already, or somebody else closed it just now.
    AlreadyClosed,
    /// Called from inside a callback, where nothing waits: the closing goes on by itself.
    InBackground,
    /// The closing itself failed; the client's connections were dropped all the same.
    Failed(Error),
}

/// What became of one client when it was closed.
#[derive(Clone, Debug)]
pub struct CloseReport {
    client_id: ClientId,
    client_type: ClientType,
    outcome: CloseOutcome,
    commands_cut_off: usize,
    running_callbacks: Vec<String>,
}

impl CloseReport {
    /// Makes a report of a client that had nothing to cut off.
    #[must_use]
    pub fn new(client_id: ClientId, client_type: ClientType, outcome: CloseOutcome) -> Self {
        Self {
            client_id,
            client_type,
            outcome,
            commands_cut_off: 0,
            running_callbacks: Vec::new(),
        }
    }

    pub(crate) fn with_remains(
        client_id: ClientId,
        client_type: ClientType,
        commands_cut_off: usize,
        running_callbacks: Vec<String>,
    ) -> Self {
        let drained = commands_cut_off == 0 && running_callbacks.is_empty();
        Self {
            client_id,
            client_type,
            outcome: if drained {
                CloseOutcome::Drained
            } else {
                CloseOutcome::CutOff
            },
            commands_cut_off,
            running_callbacks,
        }
    }

    /// The client that was closed.
    #[must_use]
    pub fn client_id(&self) -> ClientId {
        self.client_id
    }

    /// Its kind.
    #[must_use]
    pub fn client_type(&self) -> ClientType {
        self.client_type
    }

    /// How it ended.
    #[must_use]
    pub fn outcome(&self) -> &CloseOutcome {
        &self.outcome
    }

    /// How many commands were still unanswered when the deadline passed. Their callers got an error
    /// that says so.
    #[must_use]
    pub fn commands_cut_off(&self) -> usize {
        self.commands_cut_off
    }

    /// The channels of the callbacks that were still running when the deadline passed.
    #[must_use]
    pub fn running_callbacks(&self) -> &[String] {
        &self.running_callbacks
    }
}

impl fmt::Display for CloseReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: ", self.client_type, self.client_id)?;
        match &self.outcome {
            CloseOutcome::Drained => f.write_str("drained"),
            CloseOutcome::AlreadyClosed => f.write_str("was closed already"),
            CloseOutcome::InBackground => f.write_str("closing in the background"),
            CloseOutcome::Failed(error) => write!(f, "failed: {error}"),
            CloseOutcome::CutOff => {
                write!(f, "cut off {} commands", self.commands_cut_off)?;
                if !self.running_callbacks.is_empty() {
                    write!(
                        f,
                        ", still running: listeners of {}",
                        self.running_callbacks.join(", ")
                    )?;
                }
                Ok(())
            }
        }
    }
}
