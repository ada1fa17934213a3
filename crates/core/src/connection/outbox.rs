//! Where callers leave their requests for the driver, also while there is no connection.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::task::AtomicWaker;
use parking_lot::Mutex;
use redis::{Cmd, Pipeline};
use tokio::sync::oneshot;

use super::multiplexer::Request;
use super::reply::{Expected, Reply};
use crate::{Delivery, Error, ErrorKind, InFlight, Result};

/// How much may wait to be sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct OutboxLimits {
    pub(super) requests: usize,
    pub(super) bytes: usize,
}

/// The requests that were made and not fetched by the driver yet, encoded one behind the other.
pub(super) struct Outbox {
    limits: OutboxLimits,
    state: Mutex<State>,
    driver: AtomicWaker,
    /// Whether there is a driver, and so a connection.
    served: AtomicBool,
}

#[derive(Default)]
struct State {
    bytes: Vec<u8>,
    /// Numbered in the order in which they came, which they keep; those between may be gone.
    requests: VecDeque<Request>,
    next_number: u64,
    /// How many of `requests` are withdrawn, and how many of `bytes` are theirs.
    withdrawn: usize,
    withdrawn_bytes: usize,
    /// Why no request is taken any more.
    ended: Option<Error>,
}

impl State {
    fn withdraw(&mut self, number: u64) -> Delivery {
        let found = self.requests.binary_search_by_key(&number, Request::number);
        match found.ok().and_then(|index| self.requests.get_mut(index)) {
            Some(request) => {
                request.withdraw();
                self.withdrawn += 1;
                self.withdrawn_bytes += request.size();
                Delivery::NotSent
            }
            None => Delivery::Unknown,
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
        let mut bytes = Vec::with_capacity(self.bytes.len() - self.withdrawn_bytes);
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
}

impl Outbox {
    pub(super) fn new(limits: OutboxLimits) -> Arc<Self> {
        Arc::new(Self {
            limits,
            state: Mutex::new(State::default()),
            driver: AtomicWaker::new(),
            served: AtomicBool::new(false),
        })
    }

    pub(super) fn set_served(&self, served: bool) {
        self.served.store(served, Ordering::SeqCst);
    }

    pub(super) fn is_served(&self) -> bool {
        self.served.load(Ordering::SeqCst)
    }

    /// Leaves one command.
    pub(super) fn put(
        self: &Arc<Self>,
        cmd: &Cmd,
        expected: Expected,
        in_flight: InFlight,
    ) -> Result<Ticket> {
        let unattended = cmd.is_no_response();
        self.put_with(expected, in_flight, unattended, |bytes| {
            cmd.write_packed_command(bytes)
        })
    }

    /// Leaves a pipeline, whose bytes stay together.
    pub(super) fn put_pipeline(
        self: &Arc<Self>,
        pipeline: &Pipeline,
        in_flight: InFlight,
    ) -> Result<Ticket> {
        let expected = if pipeline.is_transaction() {
            Expected::Transaction(pipeline.len())
        } else {
            Expected::Each(pipeline.len())
        };
        let packed = pipeline.get_packed_pipeline();
        self.put_with(expected, in_flight, false, |bytes| {
            bytes.extend_from_slice(&packed)
        })
    }

    fn put_with(
        self: &Arc<Self>,
        expected: Expected,
        in_flight: InFlight,
        unattended: bool,
        encode: impl FnOnce(&mut Vec<u8>),
    ) -> Result<Ticket> {
        let (number, reply) = {
            let mut state = self.state.lock();
            if let Some(cause) = &state.ended {
                return Err(cause.clone().with_delivery(Delivery::NotSent));
            }
            if state.requests.len() >= self.limits.requests && !state.sweep() {
                return Err(self.full("request_queue_size", self.limits.requests));
            }
            let before = state.bytes.len();
            encode(&mut state.bytes);
            let size = state.bytes.len() - before;
            // One request alone is let in whatever its size: it could never be sent otherwise.
            if before > 0 && state.bytes.len() > self.limits.bytes {
                let own = state.bytes.split_off(before);
                if !state.sweep()
                    || !state.bytes.is_empty() && state.bytes.len() + size > self.limits.bytes
                {
                    return Err(self.full("request_queue_bytes", self.limits.bytes));
                }
                state.bytes.extend_from_slice(&own);
            }
            let number = state.next_number;
            state.next_number += 1;
            let (request, reply) = Request::new(number, expected, size, in_flight);
            state.requests.push_back(request.unattended(unattended));
            (number, reply)
        };
        self.driver.wake();
        Ok(Ticket {
            outbox: Arc::clone(self),
            number,
            reply,
            settled: false,
        })
    }

    fn full(&self, option: &str, limit: usize) -> Error {
        Error::new(
            ErrorKind::QueueFull,
            format!("too much waits to be sent; the option {option} allows {limit}"),
        )
        .with_delivery(Delivery::NotSent)
    }

    /// Fetches what is there and still wanted into `bytes` and `requests`, which are empty; returns
    /// whether there was any. The driver is woken when more comes.
    pub(super) fn fetch(
        &self,
        context: &std::task::Context<'_>,
        bytes: &mut Vec<u8>,
        requests: &mut VecDeque<Request>,
    ) -> bool {
        // Before looking, so that what comes in between wakes.
        self.driver.register(context.waker());
        let mut state = self.state.lock();
        if !state.requests.iter().all(Request::is_wanted) {
            state.remove_unwanted();
        }
        std::mem::swap(&mut state.bytes, bytes);
        std::mem::swap(&mut state.requests, requests);
        !requests.is_empty()
    }

    /// Takes back what was fetched last and not sent, `bytes` of `requests`, to be sent first.
    pub(super) fn give_back(&self, bytes: &[u8], requests: VecDeque<Request>) {
        let mut state = self.state.lock();
        state.bytes.splice(0..0, bytes.iter().copied());
        for request in requests.into_iter().rev() {
            state.requests.push_front(request);
        }
    }

    /// Takes no request any more because of `cause`, which those that are there get too.
    pub(super) fn end(&self, cause: &Error) {
        let left = {
            let mut state = self.state.lock();
            state.ended.get_or_insert_with(|| cause.clone());
            state.bytes = Vec::new();
            state.withdrawn = 0;
            state.withdrawn_bytes = 0;
            std::mem::take(&mut state.requests)
        };
        for request in left {
            request.fail(cause.clone().with_delivery(Delivery::NotSent));
        }
    }
}

/// A request that was left, and its reply to come. Dropped before that, it is withdrawn.
pub(super) struct Ticket {
    outbox: Arc<Outbox>,
    number: u64,
    reply: oneshot::Receiver<Result<Reply>>,
    /// It has its verdict, or shall go its way without anybody waiting.
    settled: bool,
}

impl Ticket {
    /// Waits for the reply.
    pub(super) async fn reply(&mut self) -> Result<Reply> {
        let verdict = (&mut self.reply).await;
        self.settled = true;
        verdict.unwrap_or_else(|_| {
            // Every request gets its verdict, so this is never seen.
            Err(Error::new(
                ErrorKind::Internal,
                "the request got no verdict",
            ))
        })
    }

    /// Gives the request up, and says whether it was sent; if it was not, it never is.
    pub(super) fn withdraw(&mut self) -> Delivery {
        self.settled = true;
        self.outbox.state.lock().withdraw(self.number)
    }

    /// Lets the request go its way; nobody waits for the reply.
    pub(super) fn forget(mut self) {
        self.settled = true;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.settled {
            self.withdraw();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: OutboxLimits = OutboxLimits {
        requests: 4,
        bytes: 1000,
    };

    fn put(outbox: &Arc<Outbox>, name: &str) -> Result<Ticket> {
        outbox.put(&redis::cmd(name), Expected::One, InFlight::uncounted())
    }

    fn fetch(outbox: &Outbox) -> (String, VecDeque<Request>) {
        let context = std::task::Context::from_waker(std::task::Waker::noop());
        let (mut bytes, mut requests) = (Vec::new(), VecDeque::new());
        outbox.fetch(&context, &mut bytes, &mut requests);
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
        let outbox = Outbox::new(LIMITS);
        let [mut zero, mut one, two] =
            ["ZERO", "ONE", "TWO"].map(|name| put(&outbox, name).unwrap());
        drop(two);
        let (bytes, requests) = fetch(&outbox);
        assert_eq!(bytes, packed(&["ZERO", "ONE"]));
        outbox.give_back(bytes.as_bytes(), requests);
        let three = put(&outbox, "THREE").unwrap();
        assert_eq!(one.withdraw(), Delivery::NotSent);
        let (bytes, requests) = fetch(&outbox);
        assert_eq!(bytes, packed(&["ZERO", "THREE"]));
        assert_eq!(requests.len(), 2);
        assert_eq!(zero.withdraw(), Delivery::Unknown);
        three.forget();
    }

    #[test]
    fn what_was_given_up_while_the_driver_had_it_is_not_sent_later_unless_nobody_was_to_wait() {
        let outbox = Outbox::new(LIMITS);
        let given_up = put(&outbox, "ONE").unwrap();
        let mut cmd = redis::cmd("TWO");
        cmd.set_no_response(true);
        let told = outbox.put(&cmd, Expected::One, InFlight::uncounted());
        told.unwrap().forget();
        let (bytes, requests) = fetch(&outbox);
        drop(given_up);
        outbox.give_back(bytes.as_bytes(), requests);
        assert_eq!(fetch(&outbox).0, packed(&["TWO"]));
    }

    #[test]
    fn what_is_withdrawn_makes_room() {
        let outbox = Outbox::new(LIMITS);
        let mut tickets: Vec<_> = (0..4).map(|_| put(&outbox, "PING").unwrap()).collect();
        let full = put(&outbox, "PING").map(drop).unwrap_err();
        assert_eq!(full.kind(), ErrorKind::QueueFull);
        tickets.truncate(1);
        tickets.extend((0..3).map(|_| put(&outbox, "PING").unwrap()));
        assert!(put(&outbox, "PING").is_err());
        assert_eq!(fetch(&outbox).0, packed(&["PING"; 4]));
    }
}
