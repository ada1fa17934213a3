//! Requests of a connection to a cluster.

use redis::{Cmd, Pipeline, Value};

use super::Connection;
use super::cluster::{Caller, Cluster};
use crate::route::upper_name;
use crate::{Deadline, Error, Result};

impl Connection {
    pub(super) async fn request_in(&self, cluster: &Cluster, cmd: &Cmd) -> Result<Value> {
        let request = async {
            let deadline = Deadline::after(self.context.command_timeout());
            let caller = self.caller(cluster, deadline).await?;
            let Some(guard) = self.context.guard() else {
                return caller.request(cmd).await;
            };
            let mapped = guard.map(cmd)?;
            let shape = mapped.shape;
            let reply = match guard.prefix() {
                Some(prefix) => caller.request(&mapped.form.into_cmd(prefix, cmd)).await?,
                None => caller.request(cmd).await?,
            };
            Ok(guard.strip(shape, reply))
        };
        request
            .await
            .map_err(|error: Error| self.name(error, upper_name(cmd)))
    }

    pub(super) async fn request_pipeline_in(
        &self,
        cluster: &Cluster,
        pipeline: &Pipeline,
    ) -> Result<Vec<Value>> {
        let request = async {
            let deadline = Deadline::after(self.context.command_timeout());
            let caller = self.caller(cluster, deadline).await?;
            let Some(guard) = self.context.guard() else {
                return caller.request_pipeline(pipeline).await;
            };
            let mapped = guard.map_pipeline(pipeline)?;
            let sent = mapped.pipeline.as_ref().unwrap_or(pipeline);
            let replies = caller.request_pipeline(sent).await?;
            Ok(guard.strip_all(&mapped.shapes, pipeline.is_transaction(), replies))
        };
        request.await.map_err(|error: Error| {
            let command = error.command().unwrap_or("pipeline").to_owned();
            self.name(error, command)
        })
    }

    /// For one call, whose guard knows the server's commands.
    pub(super) async fn caller<'a>(
        &'a self,
        cluster: &'a Cluster,
        deadline: Deadline,
    ) -> Result<Caller<'a>> {
        let caller = Caller {
            cluster,
            client: &self.context,
            deadline,
        };
        if let Some(guard) = self.context.guard()
            && guard.needs_table()
        {
            guard.set_table(caller.table().await?.clone());
        }
        Ok(caller)
    }
}
