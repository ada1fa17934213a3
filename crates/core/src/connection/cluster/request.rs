//! A command, wherever its parts are to go.

use std::borrow::Cow;

use redis::{Cmd, Value};

use super::super::link::one;
use super::Caller;
use super::call::Request;

use crate::cluster::{Item, Plan, Target};
use crate::{Delivery, Error, ErrorKind, RedisNode, Result};

impl Caller<'_> {
    /// Sends `cmd` to the node that its keys are with, or its parts to several, and completes with the reply.
    pub(in super::super) async fn request(self, cmd: &Cmd) -> Result<Value> {
        match Plan::of(cmd, self.table().await?)? {
            Plan::AnyNode => self.request_at(cmd, &Target::AnyNode).await,
            Plan::Slot { slot, reads } => self.request_at(cmd, &Target::Slot { slot, reads }).await,
            Plan::Split {
                parts,
                merge,
                reads,
            } => {
                let parts = parts.into_iter().map(|part| Item {
                    target: Target::Slot {
                        slot: part.slot,
                        reads,
                    },
                    cmd: Cow::Owned(part.cmd),
                });
                merge.apply(self.run(&parts.collect::<Vec<_>>()).await?)
            }
            Plan::AllMasters(merge) => {
                let topology = self.topology().await?;
                let all = topology.masters().iter().map(|master| Item {
                    target: Target::Node(master.clone()),
                    cmd: Cow::Borrowed(cmd),
                });
                merge.apply(self.run(&all.collect::<Vec<_>>()).await?)
            }
            Plan::Scan(scan) => {
                let step = scan.step(&*self.topology().await?)?;
                let reply = self.request_at(&step.cmd, &Target::Node(step.node)).await?;
                step.cursor.reply(reply)
            }
        }
    }

    async fn request_at(self, cmd: &Cmd, target: &Target) -> Result<Value> {
        one(self.call(Request::One(cmd), target).await?)
    }

    /// The node that the first keys of `cmd` are with, if it has any. For who has a connection to one node.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Refused`] if `cmd` goes to all masters: one would only do a part of it.
    pub(in super::super) async fn address_of(self, cmd: &Cmd) -> Result<Option<RedisNode>> {
        let slot = match Plan::of(cmd, self.table().await?)? {
            Plan::Slot { slot, .. } => slot,
            Plan::Split { parts, .. } => match parts.first() {
                Some(part) => part.slot,
                None => return Ok(None),
            },
            Plan::AnyNode => return Ok(None),
            Plan::AllMasters(_) | Plan::Scan(_) => {
                let message = "refused here: in a cluster it goes to all masters, and a session to one; use commands()";
                let refused = Error::new(ErrorKind::Refused, message);
                return Err(refused.with_delivery(Delivery::NotSent));
            }
        };
        let target = Target::Slot { slot, reads: false };
        Ok(Some(self.node_for(&target).await?.address().clone()))
    }
}
