//! A command, wherever its parts are to go.

use redis::{Cmd, Value};

use super::super::link::one;
use super::Caller;
use super::call::Request;
use super::goal::Goal;
use crate::Result;
use crate::cluster::{NodeAddress, Slot};

impl Caller<'_> {
    /// Sends `cmd` to the node that its keys are with, or its parts to several, and completes with the reply.
    pub(in super::super) async fn request(self, cmd: &Cmd) -> Result<Value> {
        let goal = self.goal(cmd).await?;
        one(self.call(Request::One(cmd), goal).await?)
    }

    async fn goal(self, cmd: &Cmd) -> Result<Goal> {
        let _ = self.table().await?;
        Ok(match crate::route::argument(cmd, 1) {
            Some(key) => Goal::Slot {
                slot: Slot::of(key),
                reads: false,
            },
            None => Goal::AnyNode,
        })
    }

    /// The node that the keys of `cmd` are with, if it has any.
    pub(in super::super) async fn address_of(self, cmd: &Cmd) -> Result<Option<NodeAddress>> {
        Ok(match self.goal(cmd).await? {
            Goal::AnyNode => None,
            goal => Some(self.node_for(goal).await?.address().clone()),
        })
    }
}
