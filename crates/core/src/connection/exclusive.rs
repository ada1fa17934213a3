//! A connection that one caller has to itself.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use redis::{Cmd, Pipeline, Value};
use tokio_util::task::AbortOnDropHandle;

use super::busy_poll::BusyPoll;
use super::driver::{Driver, Place};
use super::endpoint::Endpoint;
use super::following::Following;
use super::handshake::{Greeted, greet};
use super::in_time::in_time;
use super::learning::learn_commands;
use super::link::{all, value};
use super::multiplexer::{Multiplexer, Pushes};
use super::outbox::{Leading, Outbox};
use super::progress::Progress;
use super::requesting::has_no_reply;
use super::served::Served;
use super::socket_target::SocketTarget;
use super::ticket::Ticket;
use super::wire::Wire;
use crate::credentials::Announcements;
use crate::namespace::{Guard, QueuedReplies};
use crate::route::upper_name;
use crate::{
    ClientContext, Deadline, Delivery, Error, ErrorKind, InFlight, KeyPrefix, ReplayFilter, Result,
};

/// A connection for one caller at a time, who may change it or let it block. It carries any command, so its
/// owner looks at [`session_effect`](crate::route::session_effect) first.
///
/// Once lost it stays lost: what it was can not be made again. Dropping it ends it, and so does closing the
/// client.
pub struct ExclusiveConnection {
    context: Arc<ClientContext>,
    wire: Arc<Wire>,
    /// What a transaction that the caller began has queued, for a client with a key prefix.
    queued: Mutex<QueuedReplies>,
    announcements: Option<Announcements>,
    _driver: AbortOnDropHandle<()>,
}

impl ExclusiveConnection {
    /// Opens one for the client that `context` describes. Must be polled on its I/O runtime.
    ///
    /// # Errors
    ///
    /// What kept it from connecting, within the option `connect_timeout`.
    pub async fn open_async(context: &Arc<ClientContext>) -> Result<Self> {
        Self::open_to(context, SocketTarget::of(context)).await
    }

    /// Opens one to `target`.
    pub(super) async fn open_to(
        context: &Arc<ClientContext>,
        target: SocketTarget,
    ) -> Result<Self> {
        let progress = Progress::default();
        let opening = Self::open_unbounded(context, &target, &progress);
        in_time(context, &target, &progress, opening).await
    }

    /// The same for who says how long it may take.
    pub(super) async fn open_unbounded(
        context: &Arc<ClientContext>,
        target: &SocketTarget,
        progress: &Progress,
    ) -> Result<Self> {
        let greeted = greet(context, target, context.protocol(), progress).await?;
        Ok(Self::start(context, target, greeted))
    }

    /// Opens one to `target`, which ends when `following` says so.
    pub(super) async fn open_following(
        context: &Arc<ClientContext>,
        target: SocketTarget,
        following: Following,
    ) -> Result<Self> {
        let progress = Progress::default();
        let opening = async {
            let mut greeted = greet(context, &target, context.protocol(), &progress).await?;
            greeted.following = Some(Box::new(following));
            Ok(Self::start(context, &target, greeted))
        };
        in_time(context, &target, &progress, opening).await
    }

    fn start(context: &Arc<ClientContext>, target: &SocketTarget, mut greeted: Greeted) -> Self {
        let announcements = greeted.announcements.take();
        let outbox = Outbox::new(context.options(), &ReplayFilter::none());
        let pushes = Pushes::of(greeted.protocol, false);
        let address: Arc<str> = target.address(context).into();
        let driver = Driver::new(
            greeted,
            Multiplexer::new(pushes, None),
            Arc::clone(&outbox),
            // A PING would be queued in a transaction, and be answered late by a command that blocks.
            None,
            BusyPoll::new(context),
            context.cut_error(Delivery::Unknown),
            Place::At(Arc::clone(&address)),
        );
        let served = Served::new(&outbox, context.closed_error());
        let lost = move |endpoint: Option<&Endpoint>, reason| {
            let address = endpoint.map_or_else(|| address.to_string(), Endpoint::to_string);
            let message = format!("the connection to {address} was lost: {reason}");
            Error::new(ErrorKind::Disconnected, message)
        };
        let leading = match context.uri().is_tls() {
            true => Leading::Never,
            false => Leading::Alone,
        };
        let wire = Wire::new(&outbox, leading);
        let serving = Arc::clone(&wire);
        let drive = async move { served.end(serving.run(driver, lost).await.cause) };
        Self {
            _driver: AbortOnDropHandle::new(context.spawn(drive)),
            context: Arc::clone(context),
            wire,
            queued: Mutex::default(),
            announcements,
        }
    }

    /// Sends `cmd` and completes with its reply. An error reply is a [`Value::ServerError`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Timeout`] at `deadline`, [`ErrorKind::Closed`] and [`ErrorKind::Disconnected`].
    /// [`Error::delivery`] says whether the server may have run it.
    pub async fn request_async(&self, cmd: &Cmd, deadline: Deadline) -> Result<Value> {
        let outcome = match self.context.guard() {
            Some(guard) => self.request_guarded(guard, cmd, deadline).await,
            None => {
                let admitted = self.context.admit_commands_until(1, deadline);
                self.request_admitted(cmd, None, admitted).await
            }
        };
        outcome.map_err(|error| self.name(error, upper_name(cmd)))
    }

    async fn request_guarded(&self, guard: &Guard, cmd: &Cmd, deadline: Deadline) -> Result<Value> {
        self.learn(guard, deadline).await?;
        let mapped = guard.map(cmd)?;
        let admitted = self.context.admit_commands_until(1, deadline)?;
        self.queued.lock().sent([mapped.shape]);
        let (sent, prefix) = (mapped.form.cmd(cmd), guard.packed_prefix(&mapped.form));
        let reply = self.request_admitted(sent, prefix, Ok(admitted)).await?;
        if cmd.is_no_response() {
            return Ok(reply);
        }
        let mut queued = self.queued.lock();
        let answer = queued.answered(guard, cmd, mapped.shape, reply);
        queued.all_answered();
        answer
    }

    async fn learn(&self, guard: &Guard, deadline: Deadline) -> Result<()> {
        if guard.needs_table() {
            Box::pin(learn_commands(&self.context, &self.wire, deadline)).await?;
        }
        Ok(())
    }

    /// Asks the server for a sign of life, of which nothing counts for the script, and completes when it is there.
    ///
    /// # Errors
    ///
    /// As [`request_async`](Self::request_async).
    pub async fn ping_async(&self, deadline: Deadline) -> Result<()> {
        let admitted = self.context.admit_until(deadline);
        let ping = redis::cmd("PING");
        let reply = self.request_admitted(&ping, None, admitted).await;
        let reply = reply.map_err(|error| self.name(error, "PING"))?;
        reply.extract_error()?;
        Ok(())
    }

    /// Asks the server for what the library needs itself; nothing of it counts for anybody.
    pub(super) async fn ask_async(&self, cmd: &Cmd, deadline: Deadline) -> Result<Value> {
        let uncounted = InFlight::uncounted(deadline);
        self.request_admitted(cmd, None, Ok(uncounted)).await
    }

    async fn request_admitted(
        &self,
        cmd: &Cmd,
        prefix: Option<&KeyPrefix>,
        admitted: Result<InFlight>,
    ) -> Result<Value> {
        let left = self.wire.put_prefixed(cmd, prefix, admitted?)?;
        value(cmd, Ticket::new(&*self.wire, left)).await
    }

    /// Sends `pipeline` in one write and completes with its replies: one a command, or for an atomic
    /// pipeline the one reply of EXEC.
    ///
    /// # Errors
    ///
    /// As [`request_async`](Self::request_async).
    pub async fn request_pipeline_async(
        &self,
        pipeline: &Pipeline,
        deadline: Deadline,
    ) -> Result<Vec<Value>> {
        if has_no_reply(pipeline) {
            return Ok(Vec::new());
        }
        let outcome = match self.context.guard() {
            Some(guard) => {
                let call = self.request_guarded_pipeline(guard, pipeline, deadline);
                call.await
            }
            None => self.send_pipeline(pipeline, deadline).await,
        };
        outcome.map_err(|error| {
            // That of one command of it names that.
            let command = error.command().unwrap_or("pipeline").to_owned();
            self.name(error, command)
        })
    }

    async fn request_guarded_pipeline(
        &self,
        guard: &Guard,
        pipeline: &Pipeline,
        deadline: Deadline,
    ) -> Result<Vec<Value>> {
        self.learn(guard, deadline).await?;
        let mapped = guard.map_pipeline(pipeline)?;
        self.queued.lock().sent(mapped.shapes.iter());
        let sent = mapped.pipeline.as_ref().unwrap_or(pipeline);
        let replies = self.send_pipeline(sent, deadline).await?;
        let mut queued = self.queued.lock();
        let replies = if pipeline.is_transaction() {
            Ok(guard.strip_all(&mapped.shapes, true, replies))
        } else {
            let sent = pipeline.cmd_iter().zip(mapped.shapes.iter());
            let answers = replies.into_iter().zip(sent);
            answers
                .map(|(reply, (cmd, shape))| queued.answered(guard, cmd, shape, reply))
                .collect()
        };
        queued.all_answered();
        replies
    }

    async fn send_pipeline(&self, pipeline: &Pipeline, deadline: Deadline) -> Result<Vec<Value>> {
        let commands = pipeline.len();
        let in_flight = self.context.admit_commands_until(commands, deadline)?;
        let left = self.wire.put_pipeline(pipeline, in_flight)?;
        let ticket = Ticket::new(&*self.wire, left);
        all(ticket.await?, commands).await
    }

    /// Whether it can carry a command still, as far as is known.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.wire.outbox().is_up()
    }

    /// Whether other credentials were announced since it has logged in. It stays as it is: its user may be in the middle
    /// of a transaction.
    #[must_use]
    pub fn has_old_login(&self) -> bool {
        let announcements = self.announcements.as_ref();
        announcements.is_some_and(Announcements::has_next)
    }

    fn name(&self, error: Error, command: impl Into<String>) -> Error {
        self.context.note_failure(&error);
        error
            .with_command(command)
            .with_client(self.context.client_id())
    }
}

impl fmt::Debug for ExclusiveConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExclusiveConnection")
            .field("client", &self.context.client_id())
            .field("is_open", &self.is_open())
            .finish_non_exhaustive()
    }
}
