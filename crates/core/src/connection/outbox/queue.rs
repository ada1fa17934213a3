//! Requests that wait to be sent, encoded one behind the other. Pure.

use std::collections::VecDeque;

use tokio::time::Instant;

use super::super::multiplexer::{Unsent, sooner};
use super::super::reply::Expected;
use super::super::request::{Request, RequestKind};
use super::super::verdict::Verdict;
use super::leadership::Round;
use crate::{Error, ErrorKind, Result, Waiting};

/// How much may be on its way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Requests without a reply.
    pub(super) requests: usize,
    /// Bytes that are to be sent, or kept to be sent again.
    pub(super) bytes: usize,
}

#[derive(Default)]
pub(super) struct Queue {
    bytes: Vec<u8>,
    /// Numbered in the order in which they came, which they keep; those between may be gone.
    requests: VecDeque<Request>,
    last_number: u64,
    /// How many of `requests` are withdrawn, and how many of `bytes` are theirs.
    withdrawn: usize,
    withdrawn_bytes: usize,
    /// None of `requests` is due before; `None`: none is.
    earliest: Option<Instant>,
    /// What the driver has, as far as it has said.
    fetched: usize,
    fetched_bytes: usize,
    /// How many requests waited for a reply, sent or not, when one came last.
    usual: usize,
}

impl Queue {
    pub(super) fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    /// Whether anything waits, here or with the driver, as far as it has said.
    pub(super) fn is_in_use(&self) -> bool {
        !self.requests.is_empty() || self.fetched > 0
    }

    /// What waits, without what nobody wants any more.
    pub(super) fn waiting(&self) -> Waiting {
        Waiting::new(
            self.requests.len().saturating_sub(self.withdrawn),
            self.bytes.len().saturating_sub(self.withdrawn_bytes),
        )
    }

    pub(super) fn earliest(&self) -> Option<Instant> {
        self.earliest
    }

    /// How many calls at a time have waited of late.
    pub(super) fn round(&self) -> Round {
        Round::of(self.usual.max(self.requests.len() + self.fetched))
    }

    /// Adds a request.
    pub(super) fn push(
        &mut self,
        limits: Limits,
        kind: RequestKind,
        encode: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(u64, Verdict)> {
        // Subscriptions are bounded by the listeners, and are not to be crowded out when they are restored. A login is
        // one at a time, and calls that wait may need it.
        let is_bounded = !matches!(kind.expected, Expected::Confirmation | Expected::Login);
        let is_full = self.requests.len() + self.fetched >= limits.requests;
        if is_bounded && is_full && !self.sweep() {
            return Err(full("request_queue_size", limits.requests));
        }
        let before = self.bytes.len();
        encode(&mut self.bytes);
        let size = self.bytes.len() - before;
        // One request alone is let in whatever its size: it could never be sent otherwise.
        if is_bounded
            && before + self.fetched_bytes > 0
            && self.bytes.len() + self.fetched_bytes > limits.bytes
        {
            let own = self.bytes.split_off(before);
            let is_full = !self.sweep() || {
                let others = self.bytes.len() + self.fetched_bytes;
                others > 0 && others + size > limits.bytes
            };
            if is_full {
                return Err(full("request_queue_bytes", limits.bytes));
            }
            self.bytes.extend_from_slice(&own);
        }
        let mut kind = kind;
        if is_bounded && let Err(refused) = kind.in_flight.take_bytes(size) {
            self.bytes.truncate(self.bytes.len() - size);
            return Err(refused);
        }
        // Those that no caller made have 0.
        self.last_number += 1;
        let number = self.last_number;
        let start = self.bytes.len() - size;
        let own = self.bytes.get(start..).unwrap_or_default();
        let (request, verdict) = Request::new(number, kind, own);
        self.earliest = sooner(self.earliest, request.due());
        self.requests.push_back(request);
        Ok((number, verdict))
    }

    /// Gives up the request of this number, if it is here still.
    pub(super) fn withdraw(&mut self, number: u64) {
        let found = self.requests.binary_search_by_key(&number, Request::number);
        if let Some(request) = found.ok().and_then(|index| self.requests.get_mut(index)) {
            request.withdraw();
            self.withdrawn += 1;
            self.withdrawn_bytes += request.size();
        }
    }

    /// Takes what is wanted out into `bytes` and `requests`, which are empty. `in_flight` and `kept` are how
    /// many requests and bytes the driver has besides.
    pub(super) fn fetch(
        &mut self,
        bytes: &mut Vec<u8>,
        requests: &mut VecDeque<Request>,
        (in_flight, kept): (usize, usize),
    ) {
        if !self.requests.iter().all(Request::is_wanted) {
            self.remove_unwanted();
        }
        std::mem::swap(&mut self.bytes, bytes);
        std::mem::swap(&mut self.requests, requests);
        self.withdrawn = 0;
        self.withdrawn_bytes = 0;
        self.earliest = None;
        self.fetched = in_flight + requests.len();
        self.fetched_bytes = kept + bytes.len();
    }

    /// Notes that replies came: the driver had `before` requests in flight, and has `now`.
    pub(super) fn note_replies(&mut self, before: usize, now: usize) {
        let waiting = before + self.requests.len();
        self.usual = waiting.max(self.usual - self.usual.div_ceil(8));
        self.fetched = now;
    }

    /// Takes out, to fail them, the requests of clients that were closed and wait no more.
    pub(super) fn cut(&mut self) -> VecDeque<Request> {
        let mut cut = VecDeque::new();
        if !self.requests.iter().any(Request::is_cut) {
            return cut;
        }
        let mut bytes = Vec::with_capacity(self.bytes.len());
        let mut rest = self.bytes.as_slice();
        for request in std::mem::take(&mut self.requests) {
            let (own, after) = rest.split_at_checked(request.size()).unwrap_or((rest, &[]));
            rest = after;
            if request.is_cut() {
                cut.push_back(request);
            } else {
                bytes.extend_from_slice(own);
                self.requests.push_back(request);
            }
        }
        self.bytes = bytes;
        cut
    }

    /// Puts back, to be sent first, what was taken out and not sent. The driver has `in_flight` more.
    pub(super) fn give_back(&mut self, unsent: Unsent, in_flight: usize) {
        self.fetched = in_flight;
        self.fetched_bytes = 0;
        let mut bytes = unsent.bytes;
        bytes.append(&mut self.bytes);
        self.bytes = bytes;
        for request in unsent.requests.into_iter().rev() {
            self.earliest = sooner(self.earliest, request.due());
            self.requests.push_front(request);
        }
        self.remove_unwanted();
    }

    /// Fails the requests whose deadline is over. `reason` is why, and is told whether they were sent once.
    pub(super) fn expire(&mut self, now: Instant, reason: impl Fn(bool) -> String) {
        self.earliest = None;
        for request in &mut self.requests {
            if request.expire(now, &reason) {
                self.withdrawn += 1;
                self.withdrawn_bytes += request.size();
            } else {
                self.earliest = sooner(self.earliest, request.due());
            }
        }
        self.sweep();
    }

    /// Takes everything out, to fail it.
    pub(super) fn clear(&mut self) -> VecDeque<Request> {
        self.bytes = Vec::new();
        self.withdrawn = 0;
        self.withdrawn_bytes = 0;
        std::mem::take(&mut self.requests)
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
}

fn full(option: &str, limit: usize) -> Error {
    Error::new(
        ErrorKind::QueueFull,
        format!("too much waits to be sent; the option {option} allows {limit}"),
    )
}
