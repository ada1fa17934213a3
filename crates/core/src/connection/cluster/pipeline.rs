//! Pipelines, whose commands may go to several nodes.

use redis::{Pipeline, Value};

use super::super::link::all;
use super::Caller;
use super::call::Request;
use crate::Result;
use crate::cluster::{PipelinePlan, Target};

impl Caller<'_> {
    /// Sends `pipeline`, a transaction to one node, and completes with its replies.
    pub(in super::super) async fn request_pipeline(
        self,
        pipeline: &Pipeline,
    ) -> Result<Vec<Value>> {
        let table = self.table().await?;
        if pipeline.is_transaction() {
            let target = Target::of_transaction(pipeline, table)?.at_master();
            let reply = self.call(Request::Transaction(pipeline), &target).await?;
            return all(reply, pipeline.len()).await;
        }
        let plan = PipelinePlan::of(pipeline, table, &*self.topology().await?)?;
        let replies = self.run(&plan.items).await?;
        plan.assemble(replies)
    }
}
