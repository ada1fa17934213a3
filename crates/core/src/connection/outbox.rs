//! Where callers leave their requests for the driver, also while there is no connection.

mod queue;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::task::AtomicWaker;
use parking_lot::Mutex;
use redis::{Cmd, Pipeline, ProtocolVersion};
use tokio::time::Instant;

use super::deadline_timer::DeadlineTimer;
use super::multiplexer::Unsent;
use super::reply::Expected;
use super::request::{Request, RequestKind};
use super::subscription::Subscription;
use crate::{ClientOptions, Delivery, DisconnectedBehavior, Error, InFlight, ReplayFilter, Result};
use queue::{Limits, Queue};

pub(super) use queue::Left;

/// The requests that were made and not fetched by the driver yet, encoded one behind the other.
pub(super) struct Outbox {
    limits: Limits,
    /// Whether no request waits for a connection that was lost.
    rejects: bool,
    replay: ReplayFilter,
    state: Mutex<State>,
    driver: AtomicWaker,
}

/// Who takes the requests.
enum Service {
    /// The driver of a connection.
    Up,
    /// Nobody at this moment; if there was a connection, or a try to make one, for this reason.
    Down(Option<Error>),
    /// Nobody ever more.
    Ended(Error),
}

struct State {
    queue: Queue,
    service: Service,
    protocol: Option<ProtocolVersion>,
}

impl Outbox {
    /// `replay` is what may be sent again on the next connection.
    pub(super) fn new(options: &ClientOptions, replay: &ReplayFilter) -> Arc<Self> {
        Arc::new(Self {
            limits: Limits {
                requests: options.request_queue_size(),
                bytes: options.request_queue_bytes(),
            },
            rejects: options.disconnected_behavior() == DisconnectedBehavior::Reject,
            replay: replay.clone(),
            state: Mutex::new(State {
                queue: Queue::default(),
                service: Service::Down(None),
                protocol: None,
            }),
            driver: AtomicWaker::new(),
        })
    }

    /// Leaves one command.
    pub(super) fn put(&self, cmd: &Cmd, in_flight: InFlight) -> Result<Left> {
        let kind = RequestKind {
            expected: Expected::One,
            subscription: None,
            in_flight,
            is_unattended: cmd.is_no_response(),
            is_replayed: self.replay.allows(cmd),
        };
        self.leave(kind, |bytes| cmd.write_packed_command(bytes))
    }

    /// Leaves a change of what the connection is subscribed to.
    pub(super) fn put_subscription(
        &self,
        subscription: Subscription,
        in_flight: InFlight,
    ) -> Result<Left> {
        let cmd = subscription.cmd();
        let kind = RequestKind {
            expected: Expected::Confirmation,
            subscription: Some(Box::new(subscription)),
            in_flight,
            is_unattended: false,
            // The next connection is told of what is wanted then.
            is_replayed: false,
        };
        self.leave(kind, |bytes| cmd.write_packed_command(bytes))
    }

    /// Leaves a pipeline, whose bytes stay together.
    pub(super) fn put_pipeline(&self, pipeline: &Pipeline, in_flight: InFlight) -> Result<Left> {
        let kind = RequestKind {
            expected: if pipeline.is_transaction() {
                Expected::Transaction(pipeline.len())
            } else {
                Expected::Each(pipeline.len())
            },
            subscription: None,
            in_flight,
            is_unattended: false,
            is_replayed: pipeline.cmd_iter().all(|cmd| self.replay.allows(cmd)),
        };
        let packed = pipeline.get_packed_pipeline();
        self.leave(kind, |bytes| bytes.extend_from_slice(&packed))
    }

    fn leave(&self, kind: RequestKind, encode: impl FnOnce(&mut Vec<u8>)) -> Result<Left> {
        let left = {
            let mut state = self.state.lock();
            match &state.service {
                Service::Ended(cause) => Err(cause.clone()),
                Service::Down(Some(cause)) if self.rejects => Err(cause.clone()),
                Service::Up | Service::Down(_) => state.queue.push(self.limits, kind, encode),
            }
        };
        let left = left.map_err(|error| error.with_delivery(Delivery::NotSent))?;
        self.driver.wake();
        Ok(left)
    }

    /// Gives up the request of this number, if the driver has not fetched it yet.
    pub(super) fn withdraw(&self, number: u64) {
        self.state.lock().queue.withdraw(number);
    }

    /// A driver takes the requests from now on, on a connection that speaks `protocol`.
    pub(super) fn set_up(&self, protocol: ProtocolVersion) {
        let mut state = self.state.lock();
        if !matches!(state.service, Service::Ended(_)) {
            state.service = Service::Up;
            state.protocol = Some(protocol);
        }
    }

    /// There is no connection, because of `cause`. Either requests wait for one, or they fail.
    pub(super) fn set_down(&self, cause: &Error) {
        let mut state = self.state.lock();
        let cause = match &state.service {
            Service::Ended(cause) => cause.clone(),
            Service::Up | Service::Down(_) => {
                let cause = cause.to_disconnected();
                state.service = Service::Down(Some(cause.clone()));
                if !self.rejects {
                    return;
                }
                cause
            }
        };
        let refused = state.queue.clear();
        drop(state);
        fail_all(refused, &cause);
    }

    /// Takes no request any more because of `cause`, which those that are there get too.
    pub(super) fn end(&self, cause: &Error) {
        let cause = cause.to_disconnected();
        let left = {
            let mut state = self.state.lock();
            if !matches!(state.service, Service::Ended(_)) {
                state.service = Service::Ended(cause.clone());
            }
            state.queue.clear()
        };
        fail_all(left, &cause);
    }

    /// Whether there is a connection.
    pub(super) fn is_up(&self) -> bool {
        matches!(self.state.lock().service, Service::Up)
    }

    /// The protocol of the connection, or of the last one; `None` before the first.
    pub(super) fn protocol(&self) -> Option<ProtocolVersion> {
        self.state.lock().protocol
    }

    /// Fetches what is there and still wanted into `bytes` and `requests`, which are empty; returns
    /// whether there was any. The driver is woken when more comes. `besides` are how many requests and
    /// bytes it has in flight.
    pub(super) fn fetch(
        &self,
        context: &Context<'_>,
        bytes: &mut Vec<u8>,
        requests: &mut VecDeque<Request>,
        besides: (usize, usize),
    ) -> bool {
        // Before looking, so that what comes in between wakes.
        self.driver.register(context.waker());
        self.state.lock().queue.fetch(bytes, requests, besides);
        !requests.is_empty()
    }

    /// Takes back what was fetched last and not sent, to be sent first. The driver has `in_flight` more.
    pub(super) fn give_back(&self, unsent: Unsent, in_flight: usize) {
        self.state.lock().queue.give_back(unsent, in_flight);
    }

    /// When to [`expire`](Self::expire) next.
    pub(super) fn earliest(&self) -> Option<Instant> {
        self.state.lock().queue.earliest()
    }

    /// Fails the requests that were not sent by their deadline, and says what they waited for.
    pub(super) fn expire(&self, now: Instant) {
        let mut state = self.state.lock();
        let cause = match &state.service {
            Service::Down(Some(cause)) => format!("{}; ", cause.message()),
            Service::Down(None) => "no connection; ".to_owned(),
            Service::Up | Service::Ended(_) => String::new(),
        };
        state.queue.expire(now, &cause);
    }

    /// Expires what comes due for as long as nobody else does.
    pub(super) async fn expire_all(&self) -> std::convert::Infallible {
        let mut timer = DeadlineTimer::new();
        poll_fn(|context| {
            self.driver.register(context.waker());
            while let Poll::Ready(now) = timer.poll(context, self.earliest()) {
                self.expire(now);
            }
            Poll::Pending
        })
        .await
    }

    /// Completes when there is a request.
    pub(super) async fn wanted(&self) {
        poll_fn(|context| {
            self.driver.register(context.waker());
            if self.state.lock().queue.is_empty() {
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        })
        .await;
    }
}

fn fail_all(requests: VecDeque<Request>, cause: &Error) {
    for mut request in requests {
        request.fail(cause.clone());
    }
}
