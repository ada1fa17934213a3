//! Where callers leave their requests for the driver, also while there is no connection.

mod leadership;
mod queue;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use futures_util::task::AtomicWaker;
use parking_lot::Mutex;
use redis::{Cmd, Pipeline, ProtocolVersion};
use tokio::time::Instant;

use super::deadline_timer::DeadlineTimer;
use super::multiplexer::Unsent;
use super::reply::Expected;
use super::request::{Request, RequestKind, cut_off};
use super::subscription::Subscription;
use super::verdict::Verdict;
use crate::namespace::prefix_first_argument;
use crate::{
    ClientOptions, Delivery, DisconnectedBehavior, Error, InFlight, KeyPrefix, ReplayFilter,
    Result, Waiting,
};
use leadership::Leadership;
use queue::{Limits, Queue};

pub(super) use leadership::{Leading, Role};

/// The requests that were made and not fetched by the driver yet, encoded one behind the other.
pub(super) struct Outbox {
    limits: Limits,
    /// Whether no request waits for a connection that was lost.
    rejects: bool,
    replay: ReplayFilter,
    state: Mutex<State>,
    /// Whoever has a task that is there while no driver is.
    supervisor: AtomicWaker,
}

/// A request that was left: its number, where its verdict will be, and what its caller does for it.
pub(super) struct Left {
    pub(super) number: u64,
    pub(super) verdict: Verdict,
    pub(super) role: Role,
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
    leadership: Leadership,
    service: Service,
    protocol: Option<ProtocolVersion>,
}

impl State {
    fn leave(
        &mut self,
        limits: Limits,
        kind: RequestKind,
        leading: Leading,
        encode: impl FnOnce(&mut Vec<u8>),
    ) -> Result<Left> {
        let (number, verdict) = self.queue.push(limits, kind, encode)?;
        let role = match self.service {
            Service::Up => self.leadership.role(number, leading, self.queue.round()),
            Service::Down(_) | Service::Ended(_) => Role::Wake,
        };
        Ok(Left {
            number,
            verdict,
            role,
        })
    }
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
                leadership: Leadership::new(),
                service: Service::Down(None),
                protocol: None,
            }),
            supervisor: AtomicWaker::new(),
        })
    }

    /// Leaves one command.
    #[cfg(test)]
    pub(super) fn put(&self, cmd: &Cmd, in_flight: InFlight, leading: Leading) -> Result<Left> {
        self.put_prefixed(cmd, None, in_flight, leading)
    }

    /// Leaves one command, with `prefix` before its first argument.
    pub(super) fn put_prefixed(
        &self,
        cmd: &Cmd,
        prefix: Option<&KeyPrefix>,
        in_flight: InFlight,
        leading: Leading,
    ) -> Result<Left> {
        let kind = RequestKind {
            expected: Expected::One,
            subscription: None,
            in_flight,
            is_unattended: cmd.is_no_response(),
            is_replayed: self.replay.allows(cmd),
        };
        self.leave(kind, leading, |bytes| {
            let start = bytes.len();
            cmd.write_packed_command(bytes);
            if let Some(prefix) = prefix {
                prefix_first_argument(bytes, start, cmd, prefix.as_bytes());
            }
        })
    }

    /// Leaves a change of what the connection is subscribed to.
    pub(super) fn put_subscription(
        &self,
        subscription: Subscription,
        in_flight: InFlight,
    ) -> Result<Left> {
        self.put_change(subscription, Expected::Confirmation, in_flight)
    }

    /// Leaves the end of a shard channel in a cluster.
    pub(super) fn put_ending(
        &self,
        subscription: Subscription,
        in_flight: InFlight,
    ) -> Result<Left> {
        self.put_change(subscription, Expected::Ending, in_flight)
    }

    fn put_change(
        &self,
        subscription: Subscription,
        expected: Expected,
        in_flight: InFlight,
    ) -> Result<Left> {
        let cmd = subscription.cmd();
        let kind = RequestKind {
            expected,
            subscription: Some(Box::new(subscription)),
            in_flight,
            is_unattended: false,
            // The next connection is told of what is wanted then.
            is_replayed: false,
        };
        self.leave(kind, Leading::Never, |bytes| {
            cmd.write_packed_command(bytes);
            if expected == Expected::Ending {
                redis::cmd("PING").write_packed_command(bytes);
            }
        })
    }

    /// Leaves a login of our own.
    pub(super) fn put_login(&self, cmd: &Cmd, in_flight: InFlight) -> Result<Left> {
        let kind = RequestKind {
            expected: Expected::Login,
            subscription: None,
            in_flight,
            is_unattended: false,
            // The next connection has logged in by itself.
            is_replayed: false,
        };
        self.leave(kind, Leading::Never, |bytes| {
            cmd.write_packed_command(bytes);
        })
    }

    /// Leaves a pipeline, whose bytes stay together.
    pub(super) fn put_pipeline(
        &self,
        pipeline: &Pipeline,
        in_flight: InFlight,
        leading: Leading,
    ) -> Result<Left> {
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
        self.leave(kind, leading, |bytes| bytes.extend_from_slice(&packed))
    }

    /// Leaves commands, each with a reply of its own, whose bytes stay together.
    pub(super) fn put_each<'a>(
        &self,
        commands: impl ExactSizeIterator<Item = &'a Cmd> + Clone,
        in_flight: InFlight,
        leading: Leading,
    ) -> Result<Left> {
        let kind = RequestKind {
            expected: Expected::Each(commands.len()),
            subscription: None,
            in_flight,
            is_unattended: false,
            is_replayed: commands.clone().all(|cmd| self.replay.allows(cmd)),
        };
        let mut packed = Vec::new();
        for cmd in commands {
            cmd.write_packed_command(&mut packed);
        }
        self.leave(kind, leading, |bytes| bytes.extend_from_slice(&packed))
    }

    fn leave(
        &self,
        kind: RequestKind,
        leading: Leading,
        encode: impl FnOnce(&mut Vec<u8>),
    ) -> Result<Left> {
        let left = {
            let mut state = self.state.lock();
            match &state.service {
                Service::Ended(cause) => Err(cause.clone()),
                // Under the lock: either it is refused here, or found by `cut`.
                _ if kind.in_flight.is_cut() => Err(cut_off(Delivery::NotSent)),
                Service::Down(Some(cause)) if self.rejects => Err(cause.clone()),
                Service::Up | Service::Down(_) => state.leave(self.limits, kind, leading, encode),
            }
        };
        left.map_err(|error| error.with_delivery(Delivery::NotSent))
    }

    /// Wakes who waits for a connection to be wanted, or looks at the clock meanwhile.
    pub(super) fn wake(&self) {
        self.supervisor.wake();
    }

    /// The task of the driver asks whether it may leave the work to callers who lead. They `get_on`, or have to be
    /// relieved.
    pub(super) fn stand_back(&self, get_on: bool) -> bool {
        self.state.lock().leadership.stand_back(get_on)
    }

    /// A caller who leads finds nothing left to do: neither has the task. Returns whether that is so.
    pub(super) fn send_back(&self) -> bool {
        let mut state = self.state.lock();
        let is_done = state.queue.is_empty();
        if is_done {
            state.leadership.send_back();
        }
        is_done
    }

    /// There is work for the task of the driver, who is to be woken.
    pub(super) fn call(&self) {
        self.state.lock().leadership.call();
    }

    /// The request of this number leads no more, if it did. Returns whether the driver is to be woken, who may have
    /// left the work to callers; `is_due` says whether there are replies to come.
    pub(super) fn resign(&self, number: u64, is_due: bool) -> bool {
        let mut state = self.state.lock();
        state.leadership.resign(number);
        let is_left = !state.queue.is_empty();
        let wakes = is_left || is_due && state.leadership.is_left_to_callers();
        if wakes {
            state.leadership.call();
        }
        wakes
    }

    /// Notes that replies came: the driver had `before` requests in flight, and has `now`.
    pub(super) fn note_replies(&self, before: usize, now: usize) {
        self.state.lock().queue.note_replies(before, now);
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
            state.leadership = Leadership::new();
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

    /// What waits to be sent.
    pub(super) fn waiting(&self) -> Waiting {
        self.state.lock().queue.waiting()
    }

    /// Fails the requests of clients that were closed and wait no more.
    pub(super) fn cut(&self) {
        let cut = self.state.lock().queue.cut();
        fail_cut(cut);
    }

    /// Whether it takes no request any more.
    pub(super) fn has_ended(&self) -> bool {
        matches!(self.state.lock().service, Service::Ended(_))
    }

    /// Whether a connection was lost or could not be made, and there is none since.
    pub(super) fn is_down(&self) -> bool {
        matches!(
            self.state.lock().service,
            Service::Down(Some(_)) | Service::Ended(_)
        )
    }

    /// Whether there is a request that has no verdict yet, as far as the driver has said.
    pub(super) fn is_in_use(&self) -> bool {
        self.state.lock().queue.is_in_use()
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
    /// whether there was any. `besides` are how many requests and bytes it has in flight.
    pub(super) fn fetch(
        &self,
        bytes: &mut Vec<u8>,
        requests: &mut VecDeque<Request>,
        besides: (usize, usize),
    ) -> bool {
        let mut state = self.state.lock();
        state.queue.fetch(bytes, requests, besides);
        state.leadership.set_asleep(requests.is_empty());
        !requests.is_empty()
    }

    /// Notes that the driver cannot fetch anything at this moment, and is to be woken all the same: when it has to
    /// look at the clock may change.
    pub(super) fn fall_asleep(&self) {
        self.state.lock().leadership.set_asleep(true);
    }

    /// Takes back what was fetched last and not sent, to be sent first. The driver has `in_flight` more.
    pub(super) fn give_back(&self, unsent: Unsent, in_flight: usize) {
        let cut = {
            let mut state = self.state.lock();
            state.queue.give_back(unsent, in_flight);
            if let Service::Ended(cause) = &state.service {
                let cause = cause.clone();
                let left = state.queue.clear();
                drop(state);
                return fail_all(left, &cause);
            }
            // Those of clients that were closed while the driver had them.
            state.queue.cut()
        };
        fail_cut(cut);
    }

    /// When to [`expire`](Self::expire) next.
    pub(super) fn earliest(&self) -> Option<Instant> {
        self.state.lock().queue.earliest()
    }

    /// Fails the requests that were not sent by their deadline, and says what they waited for. `address` is where they
    /// were to go.
    pub(super) fn expire(&self, now: Instant, address: impl Fn() -> String) {
        let mut state = self.state.lock();
        let State { queue, service, .. } = &mut *state;
        let service = &*service;
        queue.expire(now, |was_sent| {
            let cause = match service {
                Service::Down(Some(cause)) => cause.message().to_owned(),
                Service::Down(None) => format!("no connection to {}", address()),
                Service::Up | Service::Ended(_) => {
                    format!("the connection to {} takes nothing", address())
                }
            };
            let again = if was_sent { " again" } else { "" };
            format!("{cause}; not sent{again}")
        });
    }

    /// Expires what comes due for as long as nobody else does.
    pub(super) async fn expire_all(
        &self,
        address: impl Fn() -> String,
    ) -> std::convert::Infallible {
        let mut timer = DeadlineTimer::new();
        poll_fn(|context| {
            self.supervisor.register(context.waker());
            while let Poll::Ready(now) = timer.poll(context, self.earliest()) {
                self.expire(now, &address);
            }
            Poll::Pending
        })
        .await
    }

    /// Completes when there is a request.
    pub(super) async fn wanted(&self) {
        poll_fn(|context| {
            self.supervisor.register(context.waker());
            if self.state.lock().queue.is_empty() {
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        })
        .await;
    }
}

fn fail_cut(requests: VecDeque<Request>) {
    for mut request in requests {
        request.cut();
    }
}

fn fail_all(requests: VecDeque<Request>, cause: &Error) {
    for mut request in requests {
        request.fail(cause.clone());
    }
}
