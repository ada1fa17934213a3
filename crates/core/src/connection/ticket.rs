//! What the caller holds of a request.

use std::ops::Deref;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::outbox::{Left, Role};
use super::reply::Reply;
use super::shared_driver::Turn;
use super::verdict::Verdict;
use super::wire::Wire;
use crate::Result;

/// A request that was left, and its verdict to come. Dropped before that, it is withdrawn.
pub(super) struct Ticket<W: Deref<Target = Wire>> {
    wire: W,
    number: u64,
    verdict: Verdict,
    /// The caller is to send what is there.
    leads: bool,
    /// Others are let go first, because they may leave more.
    yields: bool,
    /// It has its verdict, or shall go its way without anybody waiting.
    is_settled: bool,
}

impl<W: Deref<Target = Wire>> Ticket<W> {
    /// For a request that was left in the outbox of `wire`.
    pub(super) fn new(wire: W, left: Left) -> Self {
        if left.role.wakes() {
            wire.wake();
        }
        Self {
            wire,
            number: left.number,
            verdict: left.verdict,
            leads: left.role.leads(),
            yields: left.role != Role::LeadAlone,
            is_settled: false,
        }
    }

    fn resign(&mut self, is_due: bool) {
        if std::mem::take(&mut self.leads) {
            self.wire.resign(self.number, is_due);
        }
    }

    /// Lets the request go its way; nobody waits for the reply.
    pub(super) fn forget(mut self) {
        self.is_settled = true;
    }
}

/// Completes with the verdict, which comes by the deadline.
impl<W: Deref<Target = Wire> + Unpin> Future for Ticket<W> {
    type Output = Result<Reply>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut is_due = true;
        if self.leads && !std::mem::take(&mut self.yields) {
            match self.wire.turn() {
                Turn::Taken | Turn::Sent => self.resign(true),
                Turn::Answered => {}
                Turn::AllAnswered => is_due = false,
            }
        }
        let verdict = Pin::new(&mut self.verdict).poll(context);
        if self.leads {
            match verdict {
                Poll::Ready(_) => self.resign(is_due),
                Poll::Pending => context.waker().wake_by_ref(),
            }
        }
        self.is_settled = verdict.is_ready();
        verdict
    }
}

impl<W: Deref<Target = Wire>> Drop for Ticket<W> {
    fn drop(&mut self) {
        if !self.is_settled {
            self.wire.outbox().withdraw(self.number);
        }
        self.resign(true);
    }
}
