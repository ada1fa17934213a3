//! What becomes of a pipeline in a cluster.

use std::borrow::Cow;

use redis::{Cmd, Pipeline, Value};

use super::plan::cross_slot;
use super::{Merge, Plan, ScanCursor, Slot, Topology};
use crate::namespace::CommandTable;
use crate::route::upper_name;
use crate::{Delivery, Error, ErrorKind, RedisNode, Result};

/// Where something is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// To any master.
    AnyNode,
    /// To the node of `slot`; `reads` if one of its replicas may answer too.
    Slot { slot: Slot, reads: bool },
    /// To this master.
    Node(RedisNode),
}

/// One command, and where it goes.
#[derive(Debug)]
pub(crate) struct Item<'a> {
    pub(crate) target: Target,
    /// The caller's, unless it is a part of that.
    pub(crate) cmd: Cow<'a, Cmd>,
}

/// The commands to send for a pipeline that is no transaction, and how its replies are made of theirs.
///
/// Those that go to one node run there in this order, and no order holds between nodes.
#[derive(Debug)]
pub(crate) struct PipelinePlan<'a> {
    pub(crate) items: Vec<Item<'a>>,
    /// One for each command of the pipeline, in its order, as the items are.
    recipes: Vec<Recipe>,
}

/// How the reply to a command is made.
#[derive(Debug)]
enum Recipe {
    /// It is that of the next item.
    One,
    /// Of those of as many items.
    Merged(usize, Merge),
    /// Of that of the next item, which is a step of a scan.
    Scan(ScanCursor),
}

impl<'a> PipelinePlan<'a> {
    /// The plan of `pipeline` in a cluster of this `topology`, by which it is decided who all masters are.
    ///
    /// # Errors
    ///
    /// As [`Plan::of`] and [`Scan::step`](super::Scan::step), for the first command that cannot be sent, and before any
    /// other is. [`ErrorKind::Disconnected`] if one is to go to all masters and there is none.
    pub(crate) fn of(
        pipeline: &'a Pipeline,
        table: &CommandTable,
        topology: &Topology,
    ) -> Result<Self> {
        let mut plan = Self {
            items: Vec::with_capacity(pipeline.len()),
            recipes: Vec::with_capacity(pipeline.len()),
        };
        for cmd in pipeline.cmd_iter() {
            plan.add(cmd, Plan::of(cmd, table)?, topology)?;
        }
        Ok(plan)
    }

    fn add(&mut self, cmd: &'a Cmd, plan: Plan, topology: &Topology) -> Result<()> {
        let before = self.items.len();
        let merge = match plan {
            Plan::AnyNode => {
                self.push(Target::AnyNode, Cow::Borrowed(cmd));
                None
            }
            Plan::Slot { slot, reads } => {
                self.push(Target::Slot { slot, reads }, Cow::Borrowed(cmd));
                None
            }
            Plan::Split {
                parts,
                merge,
                reads,
            } => {
                for part in parts {
                    let slot = part.slot;
                    self.push(Target::Slot { slot, reads }, Cow::Owned(part.cmd));
                }
                Some(merge)
            }
            Plan::AllMasters(_) if topology.masters().is_empty() => return Err(no_master(cmd)),
            Plan::AllMasters(merge) => {
                for master in topology.masters() {
                    self.push(Target::Node(master.clone()), Cow::Borrowed(cmd));
                }
                Some(merge)
            }
            Plan::Scan(scan) => {
                let step = scan.step(topology)?;
                self.push(Target::Node(step.node), Cow::Owned(step.cmd));
                self.recipes.push(Recipe::Scan(step.cursor));
                return Ok(());
            }
        };
        self.recipes.push(match merge {
            Some(merge) => Recipe::Merged(self.items.len() - before, merge),
            None => Recipe::One,
        });
        Ok(())
    }

    fn push(&mut self, target: Target, cmd: Cow<'a, Cmd>) {
        self.items.push(Item { target, cmd });
    }

    /// The replies to the pipeline's commands, of those to its items in their order.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Protocol`] if they are not as many, or do not make a reply.
    pub(crate) fn assemble(self, replies: Vec<Value>) -> Result<Vec<Value>> {
        if replies.len() != self.items.len() {
            return Err(miscounted());
        }
        let mut replies = replies.into_iter();
        let assembled = self.recipes.into_iter().map(|recipe| match recipe {
            Recipe::One => replies.next().ok_or_else(miscounted),
            Recipe::Merged(count, merge) => merge.apply(replies.by_ref().take(count).collect()),
            Recipe::Scan(cursor) => cursor.reply(replies.next().ok_or_else(miscounted)?),
        });
        assembled.collect()
    }
}

fn miscounted() -> Error {
    Error::new(
        ErrorKind::Protocol,
        "the pipeline has not as many replies as commands",
    )
    .with_delivery(Delivery::Replied)
}

fn no_master(cmd: &Cmd) -> Error {
    Error::new(ErrorKind::Disconnected, "no node has a slot")
        .with_command(upper_name(cmd))
        .with_delivery(Delivery::NotSent)
}

impl Target {
    /// The same, but that no replica will do.
    pub(crate) fn by_master(&self) -> Self {
        match self {
            Self::Slot { slot, .. } => Self::Slot {
                slot: *slot,
                reads: false,
            },
            other => other.clone(),
        }
    }

    /// Where the transaction `pipeline` goes as a whole: never to [`Node`](Self::Node).
    ///
    /// # Errors
    ///
    /// `CROSSSLOT` if its keys are in several slots, [`ErrorKind::Refused`] if a command of it would have to go to all
    /// masters.
    pub(crate) fn of_transaction(pipeline: &Pipeline, table: &CommandTable) -> Result<Self> {
        let mut commands = pipeline.cmd_iter();
        commands.try_fold(Self::AnyNode, |target, cmd| target.with(cmd, table))
    }

    /// Where `cmd` goes together with what goes here, as a transaction.
    ///
    /// # Errors
    ///
    /// As [`of_transaction`](Self::of_transaction).
    pub(crate) fn with(self, cmd: &Cmd, table: &CommandTable) -> Result<Self> {
        let target = match Plan::of(cmd, table)? {
            Plan::AnyNode => return Ok(self),
            Plan::Slot { slot, reads } => Self::Slot { slot, reads },
            Plan::Split { .. } => return Err(cross_slot().with_command(upper_name(cmd))),
            Plan::AllMasters(_) | Plan::Scan(_) => return Err(of_all_masters(cmd)),
        };
        self.and(target)
            .ok_or_else(|| cross_slot().with_command(upper_name(cmd)))
    }

    /// The same, where no replica will do.
    pub(crate) fn at_master(self) -> Self {
        match self {
            Self::Slot { slot, .. } => Self::Slot { slot, reads: false },
            other => other,
        }
    }

    /// Where both go. `None` if that is not one place.
    fn and(self, other: Self) -> Option<Self> {
        match (self, other) {
            (
                Self::Slot { slot, reads },
                Self::Slot {
                    slot: same,
                    reads: also,
                },
            ) if slot == same => Some(Self::Slot {
                slot,
                reads: reads && also,
            }),
            (Self::AnyNode, other) | (other, Self::AnyNode) => Some(other),
            (one, other) => (one == other).then_some(one),
        }
    }
}

fn of_all_masters(cmd: &Cmd) -> Error {
    let message = "refused here: in a cluster it goes to all masters, and a transaction to one";
    Error::new(ErrorKind::Refused, message)
        .with_command(upper_name(cmd))
        .with_delivery(Delivery::NotSent)
}

#[cfg(test)]
#[path = "pipeline_plan/tests.rs"]
mod tests;
