//! What becomes of one command in a cluster.

use redis::{Cmd, RedisError, ServerErrorKind};

use super::policy::{self, Policy};
use super::{Merge, Part, Scan, Slot};
use crate::error::Hint;
use crate::namespace::{CommandName, CommandTable, Places};
use crate::route::{argument, bytes, upper_name};
use crate::{Delivery, Error, Result};

/// Where a command goes. It is the command as it is sent, with a key prefix where there is one: that counts for the slot.
#[derive(Debug)]
pub(crate) enum Plan {
    /// To any master: it has no key, or nobody knows of one.
    AnyNode,
    /// To the node of `slot`; `reads` if one of its replicas may answer too.
    Slot { slot: Slot, reads: bool },
    /// In parts, each to the node of its slot, and each a command for itself: others may come between them, and one may
    /// fail where another does not. They are at least two; of a command that no server would run it is one, which says so.
    Split {
        parts: Vec<Part>,
        merge: Merge,
        reads: bool,
    },
    /// As it is, to every master.
    AllMasters(Merge),
    /// To one master after the other, as the caller comes back with the cursor.
    Scan(Scan),
}

impl Plan {
    /// Where `cmd` goes, by the server's word of its commands.
    ///
    /// # Errors
    ///
    /// `CROSSSLOT`, as Redis would say it, if its keys are in several slots and it cannot be split.
    pub(crate) fn of(cmd: &Cmd, table: &CommandTable) -> Result<Self> {
        let name = argument(cmd, 0).unwrap_or_default();
        let Some(known) = CommandName::new(name) else {
            return Ok(Self::AnyNode);
        };
        match table.keys(known, cmd) {
            (Places::None, _) => match policy::without_keys(name, argument(cmd, 1)) {
                None => Ok(Self::AnyNode),
                Some(Policy::AllMasters(merge)) => Ok(Self::AllMasters(merge)),
                // A cursor that is none is the server's to refuse.
                Some(Policy::Scan) => Ok(Scan::of(cmd)?.map_or(Self::AnyNode, Self::Scan)),
                // Nor is what is no slot refused here.
                Some(Policy::SlotAt(place)) => {
                    let slot = argument(cmd, place).and_then(Slot::read);
                    Ok(slot.map_or(Self::AnyNode, |slot| Self::Slot { slot, reads: false }))
                }
            },
            (Places::One(place), reads) => {
                let key = argument(cmd, place).unwrap_or_default();
                let slot = Slot::of(key);
                Ok(Self::Slot { slot, reads })
            }
            (places, reads) => Self::of_keys(cmd, &places, reads),
        }
    }

    fn of_keys(cmd: &Cmd, places: &Places, reads: bool) -> Result<Self> {
        let words = cmd.args_iter().map(bytes).enumerate();
        let mut slots = words
            .filter(|(index, _)| places.has(*index))
            .map(|(_, key)| Slot::of(key));
        let Some(slot) = slots.next() else {
            return Ok(Self::AnyNode);
        };
        if slots.all(|other| other == slot) {
            return Ok(Self::Slot { slot, reads });
        }
        let name = argument(cmd, 0).unwrap_or_default();
        let splittable = policy::splittable(name);
        match splittable.and_then(|splittable| splittable.split(cmd)) {
            Some((parts, merge)) => Ok(Self::Split {
                parts,
                merge,
                reads,
            }),
            None => Err(cross_slot().with_command(upper_name(cmd))),
        }
    }
}

/// What a server answers if keys are in several slots, as its own error, although it was not asked.
pub(super) fn cross_slot() -> Error {
    const ANSWER: &str = "Keys in request don't hash to the same slot";
    let kind = redis::ErrorKind::Server(ServerErrorKind::CrossSlot);
    let error = RedisError::from((kind, Hint::CrossSlot.text(), ANSWER.to_owned()));
    Error::from(error).with_delivery(Delivery::NotSent)
}

#[cfg(test)]
#[path = "plan/tests.rs"]
mod tests;
