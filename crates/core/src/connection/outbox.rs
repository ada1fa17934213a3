//! Where callers leave their requests for the driver, also while there is no connection.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::task::AtomicWaker;
use parking_lot::Mutex;
use redis::{Cmd, Pipeline, ProtocolVersion};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::deadline_timer::DeadlineTimer;
use super::multiplexer::{Unsent, sooner};
use super::reply::{Expected, Reply};
use super::request::{Request, RequestKind};
use super::ticket::Ticket;
use crate::{
    ClientOptions, Delivery, DisconnectedBehavior, Error, ErrorKind, InFlight, ReplayFilter, Result,
};

/// The requests that were made and not fetched by the driver yet, encoded one behind the other.
pub(super) struct Outbox {
    /// How many requests may be on their way, and how many bytes of them wait to be sent.
    max_requests: usize,
    max_bytes: usize,
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
    bytes: Vec<u8>,
    /// Numbered in the order in which they came, which they keep; those between may be gone.
    requests: VecDeque<Request>,
    next_number: u64,
    /// How many of `requests` are withdrawn, and how many of `bytes` are theirs.
    withdrawn: usize,
    withdrawn_bytes: usize,
    /// None of `requests` is due before; `None`: none is.
    earliest: Option<Instant>,
    /// What the driver has, as far as it has said.
    fetched: usize,
    fetched_bytes: usize,
    service: Service,
    protocol: Option<ProtocolVersion>,
}

impl State {
    fn withdraw(&mut self, number: u64) {
        let found = self.requests.binary_search_by_key(&number, Request::number);
        if let Some(request) = found.ok().and_then(|index| self.requests.get_mut(index)) {
            request.withdraw();
            self.withdrawn += 1;
            self.withdrawn_bytes += request.size();
        }
    }

    /// Makes room by removing what is withdrawn, unless there is too little of it for that work to be
    /// worth it. Returns whether it did.
    fn sweep(&mut self) -> bool {
        let worth = |part: usize, whole: usize| part > 0 && part.saturating_mul(8) >= whole;
        let sweeps = worth(self.withdrawn, self.requests.len())
            || worth(self.withdrawn_bytes, self.bytes.len());
        if sweeps {
            self.remove_unwanted();
        }
        sweeps
    }

    fn remove_unwanted(&mut self) {
        let mut bytes = Vec::with_capacity(self.bytes.len().saturating_sub(self.withdrawn_bytes));
        let mut rest = self.bytes.as_slice();
        self.requests.retain(|request| {
            let (own, after) = rest.split_at_checked(request.size()).unwrap_or((rest, &[]));
            rest = after;
            let is_wanted = request.is_wanted();
            if is_wanted {
                bytes.extend_from_slice(own);
            }
            is_wanted
        });
        self.bytes = bytes;
        self.withdrawn = 0;
        self.withdrawn_bytes = 0;
    }

    fn add_due(&mut self, due: Option<Instant>) {
        self.earliest = sooner(self.earliest, due);
    }

    /// Takes everything out, to fail it.
    fn clear(&mut self) -> VecDeque<Request> {
        self.bytes = Vec::new();
        self.withdrawn = 0;
        self.withdrawn_bytes = 0;
        std::mem::take(&mut self.requests)
    }
}

impl Outbox {
    /// `replay` is what may be sent again on the next connection.
    pub(super) fn new(options: &ClientOptions, replay: &ReplayFilter) -> Arc<Self> {
        Arc::new(Self {
            max_requests: options.request_queue_size(),
            max_bytes: options.request_queue_bytes(),
            rejects: options.disconnected_behavior() == DisconnectedBehavior::Reject,
            replay: replay.clone(),
            state: Mutex::new(State {
                bytes: Vec::new(),
                requests: VecDeque::new(),
                next_number: 0,
                withdrawn: 0,
                withdrawn_bytes: 0,
                earliest: None,
                fetched: 0,
                fetched_bytes: 0,
                service: Service::Down(None),
                protocol: None,
            }),
            driver: AtomicWaker::new(),
        })
    }

    /// Leaves one command.
    pub(super) fn put(
        self: &Arc<Self>,
        cmd: &Cmd,
        expected: Expected,
        in_flight: InFlight,
    ) -> Result<Ticket> {
        let kind = RequestKind {
            expected,
            in_flight,
            is_unattended: cmd.is_no_response(),
            is_replayed: self.replay.allows(cmd),
        };
        self.leave(kind, |bytes| cmd.write_packed_command(bytes))
    }

    /// Leaves a pipeline, whose bytes stay together.
    pub(super) fn put_pipeline(
        self: &Arc<Self>,
        pipeline: &Pipeline,
        in_flight: InFlight,
    ) -> Result<Ticket> {
        let kind = RequestKind {
            expected: if pipeline.is_transaction() {
                Expected::Transaction(pipeline.len())
            } else {
                Expected::Each(pipeline.len())
            },
            in_flight,
            is_unattended: false,
            is_replayed: pipeline.cmd_iter().all(|cmd| self.replay.allows(cmd)),
        };
        let packed = pipeline.get_packed_pipeline();
        self.leave(kind, |bytes| bytes.extend_from_slice(&packed))
    }

    fn leave(
        self: &Arc<Self>,
        kind: RequestKind,
        encode: impl FnOnce(&mut Vec<u8>),
    ) -> Result<Ticket> {
        let left = self.try_leave(&mut self.state.lock(), kind, encode);
        let (number, reply) = left.map_err(|error| error.with_delivery(Delivery::NotSent))?;
        self.driver.wake();
        Ok(Ticket::new(Arc::clone(self), number, reply))
    }

    fn try_leave(
        &self,
        state: &mut State,
        kind: RequestKind,
        encode: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(u64, oneshot::Receiver<Result<Reply>>)> {
        match &state.service {
            Service::Ended(cause) => return Err(cause.clone()),
            Service::Down(Some(cause)) if self.rejects => return Err(cause.clone()),
            Service::Up | Service::Down(_) => {}
        }
        // Subscriptions are bounded by the listeners, and are not to be crowded out when they are restored.
        let is_bounded = kind.expected != Expected::Confirmation;
        let is_full = state.requests.len() + state.fetched >= self.max_requests;
        if is_bounded && is_full && !state.sweep() {
            return Err(full("request_queue_size", self.max_requests));
        }
        let before = state.bytes.len();
        encode(&mut state.bytes);
        let size = state.bytes.len() - before;
        // One request alone is let in whatever its size: it could never be sent otherwise.
        if is_bounded
            && before + state.fetched_bytes > 0
            && state.bytes.len() + state.fetched_bytes > self.max_bytes
        {
            let own = state.bytes.split_off(before);
            let is_full = !state.sweep() || {
                let others = state.bytes.len() + state.fetched_bytes;
                others > 0 && others + size > self.max_bytes
            };
            if is_full {
                return Err(full("request_queue_bytes", self.max_bytes));
            }
            state.bytes.extend_from_slice(&own);
        }
        let number = state.next_number;
        state.next_number += 1;
        let start = state.bytes.len() - size;
        let own = state.bytes.get(start..).unwrap_or_default();
        let (request, reply) = Request::new(number, kind, own);
        state.add_due(request.due());
        state.requests.push_back(request);
        Ok((number, reply))
    }

    /// Gives up the request of this number, if the driver has not fetched it yet.
    pub(super) fn withdraw(&self, number: u64) {
        self.state.lock().withdraw(number);
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
        let refused = state.clear();
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
            state.clear()
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
    /// whether there was any. The driver is woken when more comes. `in_flight` and `kept` are how many
    /// requests and bytes it has besides.
    pub(super) fn fetch(
        &self,
        context: &Context<'_>,
        bytes: &mut Vec<u8>,
        requests: &mut VecDeque<Request>,
        (in_flight, kept): (usize, usize),
    ) -> bool {
        // Before looking, so that what comes in between wakes.
        self.driver.register(context.waker());
        let mut state = self.state.lock();
        if !state.requests.iter().all(Request::is_wanted) {
            state.remove_unwanted();
        }
        std::mem::swap(&mut state.bytes, bytes);
        std::mem::swap(&mut state.requests, requests);
        state.withdrawn = 0;
        state.withdrawn_bytes = 0;
        state.earliest = None;
        state.fetched = in_flight + requests.len();
        state.fetched_bytes = kept + bytes.len();
        !requests.is_empty()
    }

    /// Takes back what was fetched last and not sent, to be sent first. The driver has `in_flight` more.
    pub(super) fn give_back(&self, unsent: Unsent, in_flight: usize) {
        let mut state = self.state.lock();
        state.fetched = in_flight;
        state.fetched_bytes = 0;
        let mut bytes = unsent.bytes;
        bytes.append(&mut state.bytes);
        state.bytes = bytes;
        for request in unsent.requests.into_iter().rev() {
            state.add_due(request.due());
            state.requests.push_front(request);
        }
        state.remove_unwanted();
    }

    /// When to [`expire`](Self::expire) next.
    pub(super) fn earliest(&self) -> Option<Instant> {
        self.state.lock().earliest
    }

    /// Fails the requests that were not sent by their deadline, and says what they waited for.
    pub(super) fn expire(&self, now: Instant) {
        let mut state = self.state.lock();
        let State {
            requests,
            withdrawn,
            withdrawn_bytes,
            earliest,
            service,
            ..
        } = &mut *state;
        let cause = match service {
            Service::Down(Some(cause)) => format!("{}; ", cause.message()),
            Service::Down(None) => "no connection; ".to_owned(),
            Service::Up | Service::Ended(_) => String::new(),
        };
        let [not_sent, not_again] = ["not sent", "not sent again"].map(|what| cause.clone() + what);
        *earliest = None;
        for request in requests {
            let reason = if request.was_sent() {
                &not_again
            } else {
                &not_sent
            };
            if request.expire(now, reason) {
                *withdrawn += 1;
                *withdrawn_bytes += request.size();
            } else {
                *earliest = sooner(*earliest, request.due());
            }
        }
        state.sweep();
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
            if self.state.lock().requests.is_empty() {
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        })
        .await;
    }
}

fn full(option: &str, limit: usize) -> Error {
    Error::new(
        ErrorKind::QueueFull,
        format!("too much waits to be sent; the option {option} allows {limit}"),
    )
}

fn fail_all(requests: VecDeque<Request>, cause: &Error) {
    for mut request in requests {
        request.fail(cause.clone());
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{ClientOptionsBuilder, Deadline};

    fn outbox() -> Arc<Outbox> {
        outbox_with(ClientOptions::builder())
    }

    fn outbox_with(options: ClientOptionsBuilder) -> Arc<Outbox> {
        let options = options.request_queue_size(4).build().unwrap();
        Outbox::new(&options, options.replay())
    }

    fn uncounted() -> InFlight {
        InFlight::uncounted(Deadline::after(None))
    }

    fn put(outbox: &Arc<Outbox>, name: &str) -> Result<Ticket> {
        outbox.put(&redis::cmd(name), Expected::One, uncounted())
    }

    /// Takes what the driver has taken back.
    fn unsent(bytes: &str, requests: VecDeque<Request>) -> Unsent {
        Unsent {
            bytes: bytes.as_bytes().to_vec(),
            requests,
        }
    }

    fn verdict(ticket: Ticket) -> Error {
        crate::wait(ticket.reply()).unwrap().unwrap_err()
    }

    fn fetch(outbox: &Outbox) -> (String, VecDeque<Request>) {
        let context = std::task::Context::from_waker(std::task::Waker::noop());
        let (mut bytes, mut requests) = (Vec::new(), VecDeque::new());
        outbox.fetch(&context, &mut bytes, &mut requests, (0, 0));
        (String::from_utf8(bytes).unwrap(), requests)
    }

    fn packed(names: &[&str]) -> String {
        let packed = names
            .iter()
            .map(|name| redis::cmd(name).get_packed_command());
        String::from_utf8(packed.collect::<Vec<_>>().concat()).unwrap()
    }

    #[test]
    fn a_ticket_withdraws_its_own_request_also_after_others_were_and_it_was_given_back() {
        let outbox = outbox();
        let [zero, one, two] = ["ZERO", "ONE", "TWO"].map(|name| put(&outbox, name).unwrap());
        drop(two);
        let (bytes, requests) = fetch(&outbox);
        assert_eq!(bytes, packed(&["ZERO", "ONE"]));
        outbox.give_back(unsent(&bytes, requests), 0);
        let three = put(&outbox, "THREE").unwrap();
        drop(one);
        let (bytes, requests) = fetch(&outbox);
        assert_eq!(bytes, packed(&["ZERO", "THREE"]));
        assert_eq!(requests.len(), 2);
        drop((zero, three));
    }

    #[test]
    fn what_was_given_up_while_the_driver_had_it_is_not_sent_later_unless_nobody_was_to_wait() {
        let outbox = outbox();
        let given_up = put(&outbox, "ONE").unwrap();
        let mut cmd = redis::cmd("TWO");
        cmd.set_no_response(true);
        let told = outbox.put(&cmd, Expected::One, uncounted());
        told.unwrap().forget();
        let (bytes, requests) = fetch(&outbox);
        drop(given_up);
        outbox.give_back(unsent(&bytes, requests), 0);
        assert_eq!(fetch(&outbox).0, packed(&["TWO"]));
    }

    #[test]
    fn what_is_withdrawn_makes_room() {
        let outbox = outbox();
        let mut tickets: Vec<_> = (0..4).map(|_| put(&outbox, "PING").unwrap()).collect();
        let full = put(&outbox, "PING").map(drop).unwrap_err();
        assert_eq!(full.kind(), ErrorKind::QueueFull);
        assert_eq!(full.delivery(), Some(Delivery::NotSent));
        tickets.truncate(1);
        tickets.extend((0..3).map(|_| put(&outbox, "PING").unwrap()));
        assert!(put(&outbox, "PING").is_err());
        assert_eq!(fetch(&outbox).0, packed(&["PING"; 4]));
    }

    #[test]
    fn what_the_driver_has_counts_until_it_is_answered() {
        let outbox = outbox_with(ClientOptions::builder().request_queue_bytes(60));
        let _tickets: Vec<_> = (0..4).map(|_| put(&outbox, "PING").unwrap()).collect();
        let context = Context::from_waker(std::task::Waker::noop());
        let (mut bytes, mut requests) = (Vec::new(), VecDeque::new());
        outbox.fetch(&context, &mut bytes, &mut requests, (0, 0));
        assert!(put(&outbox, "PING").is_err(), "four are waited for");
        bytes.clear();
        requests.clear();
        outbox.fetch(&context, &mut bytes, &mut requests, (2, 50));
        let error = put(&outbox, "PING").map(drop).unwrap_err();
        assert!(error.message().contains("request_queue_bytes"), "{error}");
        outbox.fetch(&context, &mut bytes, &mut requests, (2, 0));
        put(&outbox, "PING").unwrap();
    }

    #[test]
    fn what_is_not_sent_by_its_deadline_fails_and_says_what_it_waited_for() {
        let outbox = outbox();
        outbox.set_down(&Error::new(ErrorKind::Connect, "cannot connect"));
        let late = InFlight::uncounted(Deadline::after(Duration::from_secs(1)));
        let late = outbox.put(&redis::cmd("ONE"), Expected::One, late).unwrap();
        let _waits = put(&outbox, "TWO").unwrap();
        let earliest = outbox.earliest().unwrap();
        outbox.expire(earliest - Duration::from_millis(1));
        outbox.expire(earliest);
        let error = verdict(late);
        assert_eq!(
            (error.kind(), error.delivery()),
            (ErrorKind::Timeout, Some(Delivery::NotSent))
        );
        assert_eq!(error.message(), "cannot connect; not sent within 1s");
        assert_eq!(fetch(&outbox).0, packed(&["TWO"]));
    }

    #[test]
    fn one_that_rejects_keeps_nothing_for_later_while_it_is_down() {
        let rejects = ClientOptions::builder().disconnected_behavior(DisconnectedBehavior::Reject);
        let outbox = outbox_with(rejects);
        let waits_for_the_first = put(&outbox, "ONE").unwrap();
        let lost = Error::new(ErrorKind::Disconnected, "lost");
        outbox.set_down(&lost);
        assert_eq!(verdict(waits_for_the_first).message(), "lost");
        let refused = put(&outbox, "TWO").map(drop).unwrap_err();
        assert_eq!(refused.delivery(), Some(Delivery::NotSent));
        outbox.set_up(ProtocolVersion::RESP3);
        let three = put(&outbox, "THREE").unwrap();
        let (bytes, requests) = fetch(&outbox);
        outbox.end(&lost);
        outbox.give_back(unsent(&bytes, requests), 0);
        outbox.set_down(&lost);
        assert_eq!(verdict(three).message(), "lost");
        outbox.set_up(ProtocolVersion::RESP3);
        assert!(put(&outbox, "FOUR").is_err(), "it has ended");
    }
}
