//! A command, wherever its parts are to go.

use redis::{Cmd, Value};

use super::super::link::one;
use super::Caller;
use super::call::Request;
use super::goal::Goal;
use crate::Result;
use crate::cluster::Slot;

impl Caller<'_> {
    /// Sends `cmd` to the node that its keys are with, or its parts to several, and completes with the reply.
    pub(in super::super) async fn request(self, cmd: &Cmd) -> Result<Value> {
        let _ = self.table().await?;
        let goal = match crate::route::argument(cmd, 1) {
            Some(key) => Goal::Slot { slot: Slot::of(key), reads: false },
            None => Goal::AnyNode,
        };
        one(self.call(Request::One(cmd), goal).await?)
    }
}
