//! A connection that clients share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::PushSink;
use super::in_time::in_time;
use super::link::Link;
use super::progress::Progress;
use super::socket_target::SocketTarget;
use super::supervisor::tell_end;
use crate::{ClientContext, ClientEvent, Error, ErrorKind, Result};

/// Belongs to no client, and to a context of its own, which no client is. Opened by a task, for whoever waits for it,
/// and closed by that once nobody has it any more.
pub(crate) struct Carrier {
    context: Arc<ClientContext>,
    /// How many clients have it or wait for it. Changed while the list of all is locked.
    pub(super) users: AtomicUsize,
    stage: Mutex<Stage>,
    /// It is open, or could not be opened.
    settled: CancellationToken,
    unwanted: CancellationToken,
    ended: CancellationToken,
}

enum Stage {
    Opening,
    Open(Link, Option<Arc<dyn PushSink>>),
    /// What kept it from opening, or that it is closed.
    Over(Error),
}

impl Carrier {
    /// One that is like what the client of `context` asks for.
    pub(super) fn new(context: &ClientContext) -> Result<Arc<Self>> {
        Ok(Arc::new(Self {
            context: ClientContext::carrying(context)?,
            users: AtomicUsize::new(0),
            stage: Mutex::new(Stage::Opening),
            settled: CancellationToken::new(),
            unwanted: CancellationToken::new(),
            ended: CancellationToken::new(),
        }))
    }

    /// Whether it is what the client of `context` asks for.
    pub(super) fn suits(&self, context: &ClientContext) -> bool {
        let is_alike = self.context.client_type() == context.client_type()
            && self.context.uri() == context.uri()
            && self.context.options() == context.options();
        // One that reconnects no more is left to those who have it.
        is_alike && !matches!(&*self.stage.lock(), Stage::Open(link, _) if link.has_ended())
    }

    /// Starts the task that opens it, and closes it in the end.
    pub(super) fn start(self: &Arc<Self>, pushes: Option<Arc<dyn PushSink>>) {
        let running = Running(Arc::clone(self));
        drop(self.context.resources().spawn(running.run(pushes)));
    }

    fn link(&self) -> Option<Link> {
        match &*self.stage.lock() {
            Stage::Open(link, _) => Some(link.clone()),
            Stage::Opening | Stage::Over(_) => None,
        }
    }

    /// Has the client of `context` share it; `None` if not all of the connection is there at this moment, and what there
    /// is does not do, or if it reconnects no more.
    fn admit(&self, context: &Arc<ClientContext>, there: There) -> Option<Result<Link>> {
        let link = match &*self.stage.lock() {
            Stage::Open(link, _) => link.clone(),
            Stage::Over(cause) => return Some(Err(cause.clone())),
            Stage::Opening => return None,
        };
        let is_enough = there == There::Enough && !link.has_ended();
        self.context.join(context, is_enough).then_some(Ok(link))
    }
}

/// How much of a connection is known to be there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum There {
    /// What its state says.
    Unknown,
    /// As much as a client of its own connection would open with.
    Enough,
}

/// The task of a carrier. However it ends, nothing of the carrier is left.
struct Running(Arc<Carrier>);

impl Running {
    async fn run(self, pushes: Option<Arc<dyn PushSink>>) {
        let Self(carrier) = &self;
        let opening = Link::open(Arc::clone(&carrier.context), pushes.clone());
        let opened = tokio::select! {
            biased;
            () = carrier.unwanted.cancelled() => Err(carrier.context.closed_error()),
            opened = opening => opened,
        };
        match opened {
            Ok(link) => {
                if !carrier.context.options().lazy_connect() {
                    carrier.context.set_connected();
                }
                *carrier.stage.lock() = Stage::Open(link, pushes);
                carrier.settled.cancel();
                carrier.unwanted.cancelled().await;
            }
            Err(cause) => *carrier.stage.lock() = Stage::Over(cause),
        }
        carrier.context.end().await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let Self(carrier) = self;
        let context = &carrier.context;
        context.resources().carriers().forget(carrier);
        context.abandon();
        let before = {
            let mut stage = carrier.stage.lock();
            let over = match &*stage {
                Stage::Over(cause) => cause.clone(),
                Stage::Open(..) => context.closed_error(),
                Stage::Opening => {
                    let message = "the client's resources are shut down";
                    Error::new(ErrorKind::Internal, message)
                }
            };
            std::mem::replace(&mut *stage, Stage::Over(over))
        };
        drop(before);
        // The tasks of its sockets may be dropped later, when there is nobody left to be told.
        tell_end(context);
        context.part_all();
        carrier.settled.cancel();
        carrier.ended.cancel();
    }
}

/// A client's part in a carrier. Dropped, it is given up.
pub(crate) struct Membership {
    carrier: Arc<Carrier>,
    has_left: AtomicBool,
    is_last: AtomicBool,
}

impl Membership {
    pub(super) fn new(carrier: &Arc<Carrier>) -> Self {
        Self {
            carrier: Arc::clone(carrier),
            has_left: AtomicBool::new(false),
            is_last: AtomicBool::new(false),
        }
    }

    /// The context that the connection belongs to.
    pub(crate) fn carrier(&self) -> &Arc<ClientContext> {
        &self.carrier.context
    }

    /// What takes the connection's pushes.
    pub(super) fn sink(&self) -> Option<Arc<dyn PushSink>> {
        match &*self.carrier.stage.lock() {
            Stage::Open(_, sink) => sink.clone(),
            Stage::Opening | Stage::Over(_) => None,
        }
    }
}

impl Membership {
    /// Fails what the client has under way on the connection, if it waits for it no more.
    pub(crate) async fn cut(&self) {
        if let Some(link) = self.carrier.link() {
            link.cut().await;
        }
    }

    /// Gives it up, for the client of `context`. The last one to do so has the connection closed.
    pub(crate) fn leave(&self, context: &ClientContext) {
        self.carrier.context.part(context);
        self.give_up();
    }

    fn give_up(&self) {
        if self.has_left.swap(true, Ordering::AcqRel) {
            return;
        }
        let carriers = self.carrier.context.resources().carriers();
        if carriers.leave(&self.carrier) {
            self.is_last.store(true, Ordering::Release);
            self.carrier.unwanted.cancel();
        }
    }

    /// Completes when nothing of the connection is left, if it was closed with this membership.
    pub(crate) async fn ended(&self) {
        if self.is_last.load(Ordering::Acquire) {
            self.carrier.ended.cancelled().await;
        }
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.give_up();
    }
}

/// Has the client of `context` share a connection, which is opened with `pushes` if there is none.
///
/// All is done by whoever polls this, and nothing by a task: dropped in the middle it leaves nothing.
pub(super) async fn open(
    context: &Arc<ClientContext>,
    pushes: Option<&Arc<dyn PushSink>>,
) -> Result<Link> {
    loop {
        let membership = context.resources().carriers().enter(context, pushes)?;
        let carrier = &membership.carrier;
        carrier.settled.cancelled().await;
        let admitted = match carrier.admit(context, There::Unknown) {
            Some(admitted) => Some(admitted),
            None => {
                let (carrier, waiting) = (Arc::clone(carrier), Arc::clone(context));
                let usable = async move { carrier.usable(&waiting).await };
                match context.resources().run_cancellable(usable).await {
                    Ok(there) => membership.carrier.admit(context, there),
                    Err(cause) => Some(Err(cause)),
                }
            }
        };
        // Otherwise it was lost again, or reconnects no more.
        if let Some(admitted) = admitted {
            let link = admitted.map_err(|error| error.with_client(context.client_id()))?;
            context.set_membership(membership);
            return Ok(link);
        }
    }
}

impl Carrier {
    /// Waits, for the client of `context`, until a client of its own connection would have opened.
    async fn usable(&self, context: &ClientContext) -> Result<There> {
        match self.link() {
            // Of a cluster a part is enough, and any node says which that is.
            Some(Link::Cluster(cluster)) => {
                // Boxed, because it is large and most have none.
                Box::pin(cluster.find_any()).await?;
                Ok(There::Enough)
            }
            _ => {
                let progress = Progress::default();
                let reconnected = self.reconnected();
                in_time(context, &SocketTarget::OfUri, &progress, reconnected).await?;
                Ok(There::Unknown)
            }
        }
    }

    /// Waits until a connection that was lost is there again, or until a try has failed: a client of its own connection
    /// would not have opened then.
    async fn reconnected(&self) -> Result<()> {
        let mut events = self.context.events();
        loop {
            let ends = self.link().is_none_or(|link| link.has_ended());
            if ends || !self.context.state().is_disconnected() {
                return Ok(());
            }
            match events.recv_async().await {
                Some(ClientEvent::ReconnectFailed { cause, .. }) => return Err(cause),
                Some(_) => {}
                None => return Ok(()),
            }
        }
    }
}
