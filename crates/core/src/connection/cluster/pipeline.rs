//! Pipelines, whose commands may go to several nodes.

use redis::{Pipeline, Value};

use super::super::link::all;
use super::Caller;
use super::call::Request;
use super::goal::Goal;
use crate::Result;

impl Caller<'_> {
    pub(in super::super) async fn request_pipeline(
        self,
        pipeline: &Pipeline,
    ) -> Result<Vec<Value>> {
        let goal = Goal::AnyNode;
        all(
            self.call(Request::Transaction(pipeline), goal).await?,
            pipeline.len(),
        )
        .await
    }
}
