//! Requests of a connection.

use redis::{Cmd, Pipeline, Value};

use super::Connection;
use super::learning::learn_commands;
use super::link::{Link, Sockets, all, value};
use super::ticket::Ticket;
use super::wire::Wire;
use crate::namespace::{Guard, ReplyShape};
use crate::route::{Route, route, route_pipeline, upper_name};
use crate::{Deadline, Delivery, Error, ErrorKind, Result, wait};

impl Connection {
    /// Sends `cmd` and waits for its reply, blocking the thread. An error reply is a
    /// [`Value::ServerError`].
    ///
    /// # Errors
    ///
    /// As [`request_async`](Self::request_async); [`ErrorKind::WouldDeadlock`] on an I/O thread of the
    /// library.
    pub fn request(&self, cmd: &Cmd) -> Result<Value> {
        wait(self.request_async(cmd))?
    }

    /// Sends `cmd` and completes with its reply. An error reply is a [`Value::ServerError`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Refused`] for a command that blocks or changes its connection,
    /// [`ErrorKind::Timeout`] after the command timeout, [`ErrorKind::Closed`] and
    /// [`ErrorKind::Disconnected`]. [`Error::delivery`] says whether the server may have run it.
    pub async fn request_async(&self, cmd: &Cmd) -> Result<Value> {
        only_shared(route(cmd)?)?;
        self.request_routed(cmd).await
    }

    /// As [`request_async`](Self::request_async), for a command whose route the caller has found to be
    /// [`Route::Shared`].
    ///
    /// # Errors
    ///
    /// As [`request_async`](Self::request_async).
    pub async fn request_routed(&self, cmd: &Cmd) -> Result<Value> {
        // What would only disturb its own client, on a connection of its own, here would disturb others.
        if self.context.membership().is_some()
            && let Err(refused) = route(cmd).and_then(only_shared)
        {
            return Err(self.name(refused, upper_name(cmd)));
        }
        let sockets = match &self.link {
            Link::Server(sockets) => sockets,
            // Boxed, because a future has room for its largest part.
            Link::Cluster(cluster) => return Box::pin(self.request_in(cluster, cmd)).await,
        };
        let deadline = Deadline::after(self.context.command_timeout());
        let guard = self.context.guard();
        if let Some(guard) = guard
            && guard.needs_table()
        {
            // Boxed, because a future has room for its largest part, and no other call needs this one.
            let learning = Box::pin(learn_commands(&self.context, sockets.commands(), deadline));
            if let Err(error) = learning.await {
                return Err(self.name(error, upper_name(cmd)));
            }
        }
        // Without another future around it, or all that comes out of this one is moved once more.
        let mut shape = None;
        let left = self.leave(sockets, guard, cmd, deadline, &mut shape);
        let outcome = match left {
            Ok(ticket) => value(cmd, ticket).await,
            Err(error) => Err(error),
        };
        match outcome {
            Ok(reply) => match guard {
                Some(guard) if shape.is_some() => Ok(guard.strip(shape, reply)),
                _ => Ok(reply),
            },
            Err(error) => Err(self.name(error, upper_name(cmd))),
        }
    }

    /// Leaves `cmd` to be sent, as `guard` wants it; `shape` is where names come back then.
    fn leave<'a>(
        &self,
        sockets: &'a Sockets,
        guard: Option<&Guard>,
        cmd: &Cmd,
        deadline: Deadline,
        shape: &mut Option<ReplyShape>,
    ) -> Result<Ticket<&'a Wire>> {
        let Some(guard) = guard else {
            let in_flight = self.context.admit_commands_until(1, deadline)?;
            return sockets.command(cmd, None, in_flight);
        };
        let mapped = guard.map(cmd)?;
        *shape = mapped.shape;
        let in_flight = self.context.admit_commands_until(1, deadline)?;
        let prefix = guard.packed_prefix(&mapped.form);
        sockets.command(mapped.form.cmd(cmd), prefix, in_flight)
    }

    /// Sends `pipeline` in one write and waits for its replies, blocking the thread.
    ///
    /// # Errors
    ///
    /// As [`request_pipeline_async`](Self::request_pipeline_async); [`ErrorKind::WouldDeadlock`] on an
    /// I/O thread of the library.
    pub fn request_pipeline(&self, pipeline: &Pipeline) -> Result<Vec<Value>> {
        wait(self.request_pipeline_async(pipeline))?
    }

    /// Sends `pipeline` in one write and completes with its replies: one a command, or for an atomic
    /// pipeline the one reply of EXEC.
    ///
    /// # Errors
    ///
    /// As [`request_async`](Self::request_async); if one command is refused, none is sent.
    pub async fn request_pipeline_async(&self, pipeline: &Pipeline) -> Result<Vec<Value>> {
        only_shared(route_pipeline(pipeline)?)?;
        self.request_pipeline_routed(pipeline).await
    }

    /// As [`request_pipeline_async`](Self::request_pipeline_async), for a pipeline whose route the caller
    /// has found to be [`Route::Shared`].
    ///
    /// # Errors
    ///
    /// As [`request_pipeline_async`](Self::request_pipeline_async).
    pub async fn request_pipeline_routed(&self, pipeline: &Pipeline) -> Result<Vec<Value>> {
        if self.context.membership().is_some()
            && let Err(refused) = route_pipeline(pipeline).and_then(only_shared)
        {
            return Err(self.name(refused, "pipeline"));
        }
        if has_no_reply(pipeline) {
            return Ok(Vec::new());
        }
        let sockets = match &self.link {
            Link::Server(sockets) => sockets,
            Link::Cluster(cluster) => {
                return Box::pin(self.request_pipeline_in(cluster, pipeline)).await;
            }
        };
        if let Some(guard) = self.context.guard() {
            return self
                .request_guarded_pipeline(sockets, guard, pipeline)
                .await;
        }
        let deadline = Deadline::after(self.context.command_timeout());
        self.send_pipeline(sockets, pipeline, deadline).await
    }

    async fn request_guarded_pipeline(
        &self,
        sockets: &Sockets,
        guard: &Guard,
        pipeline: &Pipeline,
    ) -> Result<Vec<Value>> {
        let deadline = Deadline::after(self.context.command_timeout());
        if guard.needs_table() {
            let learning = learn_commands(&self.context, sockets.commands(), deadline);
            let learnt = Box::pin(learning).await;
            learnt.map_err(|error| self.name(error, "pipeline"))?;
        }
        let refused = |error: Error| {
            let command = error.command().unwrap_or("pipeline").to_owned();
            self.name(error, command)
        };
        let mapped = guard.map_pipeline(pipeline).map_err(refused)?;
        let sent = mapped.pipeline.as_ref().unwrap_or(pipeline);
        let replies = self.send_pipeline(sockets, sent, deadline).await?;
        Ok(guard.strip_all(&mapped.shapes, pipeline.is_transaction(), replies))
    }

    async fn send_pipeline(
        &self,
        sockets: &Sockets,
        pipeline: &Pipeline,
        deadline: Deadline,
    ) -> Result<Vec<Value>> {
        let call = async {
            let commands = pipeline.len();
            let in_flight = self.context.admit_commands_until(commands, deadline)?;
            let ticket = sockets.pipeline(pipeline, in_flight)?;
            all(ticket.await?, commands).await
        };
        call.await.map_err(|error| self.name(error, "pipeline"))
    }
}

/// Whether there is nothing to send. redis calls this an error, which every caller that fills a pipeline in a
/// loop would have to avoid.
pub(super) fn has_no_reply(pipeline: &Pipeline) -> bool {
    pipeline.is_empty() && !pipeline.is_transaction()
}

fn only_shared(route: Route) -> Result<()> {
    match route {
        Route::Shared => Ok(()),
        Route::Blocking(_) => Err(Error::new(
            ErrorKind::Refused,
            "a blocking command would hold up every other call of this connection; \
             use commands() or session() of a COMMAND client",
        )
        .with_delivery(Delivery::NotSent)),
    }
}
