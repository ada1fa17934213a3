//! What is counted of a client's calls, if that is asked for.

mod latencies;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

pub use latencies::Latencies;
use latencies::LatencyHistogram;

use crate::{Delivery, Error, ErrorKind, StatisticsSnapshot};

/// Counted by whoever decodes a reply, without a lock.
#[derive(Debug, Default)]
pub(crate) struct Statistics {
    /// Each counts a call that was answered, and so there is no other count of them.
    latencies: LatencyHistogram,
    /// How many commands there were beyond one a call, in pipelines.
    pipelined: AtomicU64,
    errors: AtomicU64,
    timeouts: AtomicU64,
    failures: AtomicU64,
    bytes_sent: AtomicU64,
    heard: AtomicU64,
}

/// A call that was answered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answered {
    pub(crate) latency: Duration,
    pub(crate) bytes: usize,
    pub(crate) commands: usize,
    /// How many of the commands got an error reply.
    pub(crate) errors: usize,
}

impl Statistics {
    /// Notes a call that was answered.
    #[inline]
    pub(crate) fn answered(&self, call: Answered) {
        self.latencies.note(call.latency);
        add(&self.bytes_sent, call.bytes);
        if call.commands > 1 {
            add(&self.pipelined, call.commands - 1);
        }
        if call.errors > 0 {
            add(&self.errors, call.errors);
        }
    }

    /// Notes the error that a caller was given.
    pub(crate) fn failed(&self, error: &Error) {
        // That the server said no is an answer.
        if error.delivery() == Some(Delivery::Replied) {
            return;
        }
        match error.kind() {
            ErrorKind::Timeout => add(&self.timeouts, 1),
            _ => add(&self.failures, 1),
        }
    }

    /// Notes messages that were handed to listeners.
    pub(crate) fn heard(&self, messages: usize) {
        add(&self.heard, messages);
    }

    /// How long the answered calls took.
    pub(crate) fn latencies(&self) -> Latencies {
        self.latencies.copy()
    }

    /// What was counted so far.
    pub(crate) fn snapshot(&self) -> StatisticsSnapshot {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let latencies = self.latencies();
        StatisticsSnapshot {
            commands: latencies.count() + read(&self.pipelined),
            errors: read(&self.errors),
            timeouts: read(&self.timeouts),
            failures: read(&self.failures),
            bytes_sent: read(&self.bytes_sent),
            messages_heard: read(&self.heard),
            latency: latencies.summary(),
        }
    }
}

#[inline]
fn add(counter: &AtomicU64, more: usize) {
    counter.fetch_add(more as u64, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipeline_counts_as_its_commands_and_has_one_latency() {
        let statistics = Statistics::default();
        for (commands, errors) in [(1, 0), (10, 3), (1, 1)] {
            statistics.answered(Answered {
                latency: Duration::from_micros(100),
                bytes: 20,
                commands,
                errors,
            });
        }
        let counted = statistics.snapshot();
        assert_eq!((counted.commands, counted.errors), (12, 4));
        assert_eq!(counted.bytes_sent, 60);
        assert_eq!(statistics.latencies().count(), 3);
    }

    #[test]
    fn what_the_server_refused_is_no_failure_and_a_timeout_is_one_of_its_own() {
        let statistics = Statistics::default();
        let error = |kind| Error::new(kind, "deliberate");
        statistics.failed(&error(ErrorKind::Server).with_delivery(Delivery::Replied));
        statistics.failed(&error(ErrorKind::Timeout).with_delivery(Delivery::Unknown));
        statistics.failed(&error(ErrorKind::QueueFull).with_delivery(Delivery::NotSent));
        statistics.failed(&error(ErrorKind::Disconnected));
        let counted = statistics.snapshot();
        assert_eq!((counted.timeouts, counted.failures), (1, 2));
        assert_eq!((counted.commands, counted.latency), (0, None));
    }
}
