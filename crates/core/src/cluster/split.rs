//! A command whose keys are in several slots, as one for each.

use std::collections::HashMap;

use redis::Cmd;

use super::{Merge, Slot};
use crate::route::bytes;

/// What a command is split to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Splittable {
    /// Every argument is a key, and the reply says of how many something is true.
    Counted,
    /// Every argument is a key, and the reply lists something of each.
    Listed,
    /// Every other argument is a key, and what follows belongs to it.
    Pairs,
}

/// What of a command goes to one slot.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) slot: Slot,
    pub(crate) cmd: Cmd,
}

/// The arguments of one part, and their places among all keys.
struct Arguments<'a> {
    slot: Slot,
    values: Vec<&'a [u8]>,
    places: Vec<usize>,
}

impl Splittable {
    /// Splits `cmd`, whose arguments behind its name are as [`Splittable`] says.
    ///
    /// The parts are in the order of their first keys, and in each the keys in their own order, so that of a key that
    /// is there twice the last value stays.
    ///
    /// If a value is missing, there is one part, of too few arguments. A node would say of the whole that its keys are in
    /// several slots, and nothing of what is wrong; and of parts, all but the last would run.
    pub(super) fn split(self, cmd: &Cmd) -> Option<(Vec<Part>, Merge)> {
        let mut words = cmd.args_iter().map(bytes);
        let name = words.next()?;
        let mut parts: Vec<Arguments<'_>> = Vec::new();
        let mut part_of = HashMap::new();
        let mut place = 0;
        while let Some(key) = words.next() {
            let slot = Slot::of(key);
            let at = *part_of.entry(slot).or_insert(parts.len());
            if at == parts.len() {
                parts.push(Arguments {
                    slot,
                    values: Vec::new(),
                    places: Vec::new(),
                });
            }
            let part = parts.get_mut(at)?;
            part.values.push(key);
            part.places.push(place);
            if self == Self::Pairs {
                let Some(value) = words.next() else {
                    let cmd = write(name, &[key], cmd.is_no_response());
                    return Some((vec![Part { slot, cmd }], Merge::First));
                };
                part.values.push(value);
            }
            place += 1;
        }
        let merge = match self {
            Self::Counted => Merge::Sum,
            Self::Pairs => Merge::First,
            Self::Listed => {
                let places = parts
                    .iter_mut()
                    .map(|part| std::mem::take(&mut part.places));
                Merge::Placed(places.collect())
            }
        };
        let parts = parts.iter().map(|part| Part {
            slot: part.slot,
            cmd: write(name, &part.values, cmd.is_no_response()),
        });
        Some((parts.collect(), merge))
    }
}

fn write(name: &[u8], arguments: &[&[u8]], is_no_response: bool) -> Cmd {
    let size = arguments
        .iter()
        .map(|argument| argument.len())
        .sum::<usize>();
    let mut cmd = Cmd::with_capacity(arguments.len() + 1, name.len() + size);
    cmd.arg(name);
    for argument in arguments {
        cmd.arg(*argument);
    }
    cmd.set_no_response(is_no_response);
    cmd
}
