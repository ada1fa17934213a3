//! When a silent peer is asked for a sign of life, and when it is given up.

use std::time::Duration;

use tokio::time::Instant;

/// What is to be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beat {
    Nothing,
    /// Ask the peer.
    Ask,
    /// The peer was asked and does not answer.
    GiveUp,
}

/// How often a call that keeps a silent peer from being given up is looked at, in one beat.
const LOOKS: u32 = 4;

#[derive(Debug)]
pub(super) struct Heartbeat {
    interval: Duration,
    heard: Instant,
    answered: Instant,
    asked: Option<Instant>,
    next: Instant,
}

impl Heartbeat {
    pub(super) fn new(interval: Duration, now: Instant) -> Self {
        Self {
            interval,
            heard: now,
            answered: now,
            asked: None,
            next: now + interval,
        }
    }

    /// Notes that the peer has sent something.
    pub(super) fn heard(&mut self, now: Instant) {
        self.heard = now;
    }

    /// Notes that the peer has answered a request. Messages are no answer: a peer that speaks may hear
    /// nothing.
    pub(super) fn answered(&mut self, now: Instant) {
        self.answered = now;
        self.asked = None;
    }

    /// When to look again.
    pub(super) fn next(&self) -> Instant {
        self.next
    }

    /// Decides what to do. `has_patience` tells whether a call that was sent before the peer was asked has
    /// time left: it may be what keeps the server from answering.
    pub(super) fn beat(&mut self, now: Instant, has_patience: impl FnOnce() -> bool) -> Beat {
        let Some(asked) = self.asked else {
            self.next = self.answered + self.interval;
            if now < self.next {
                return Beat::Nothing;
            }
            self.asked = Some(now);
            self.next = now + self.interval;
            return Beat::Ask;
        };
        // The answer may stand behind messages that are still on their way.
        let beats = if self.heard > asked { 2 } else { 1 };
        let end = asked + self.interval * beats;
        if now < end {
            self.next = end;
            return Beat::Nothing;
        }
        if has_patience() {
            self.next = now + self.interval / LOOKS;
            return Beat::Nothing;
        }
        Beat::GiveUp
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEAT: Duration = Duration::from_secs(1);

    fn started() -> (Heartbeat, impl Fn(u32) -> Instant) {
        let start = Instant::now();
        // In tenths of a beat.
        (Heartbeat::new(BEAT, start), move |tenths| {
            start + BEAT * tenths / 10
        })
    }

    #[test]
    fn who_answers_is_not_asked() {
        let (mut heartbeat, at) = started();
        heartbeat.answered(at(9));
        assert_eq!(heartbeat.beat(at(10), || false), Beat::Nothing);
        assert_eq!(heartbeat.next(), at(19));
    }

    #[test]
    fn who_is_silent_for_two_beats_is_given_up() {
        let (mut heartbeat, at) = started();
        assert_eq!(heartbeat.beat(at(10), || false), Beat::Ask);
        assert_eq!(heartbeat.beat(at(15), || false), Beat::Nothing);
        assert_eq!(heartbeat.beat(at(20), || false), Beat::GiveUp);
    }

    #[test]
    fn any_answer_counts() {
        let (mut heartbeat, at) = started();
        assert_eq!(heartbeat.beat(at(10), || false), Beat::Ask);
        heartbeat.answered(at(15));
        assert_eq!(heartbeat.beat(at(20), || false), Beat::Nothing);
        assert_eq!(heartbeat.beat(at(25), || false), Beat::Ask);
        assert_eq!(heartbeat.beat(at(35), || false), Beat::GiveUp);
    }

    #[test]
    fn who_speaks_and_answers_nothing_is_given_one_beat_more() {
        let (mut heartbeat, at) = started();
        heartbeat.heard(at(9));
        assert_eq!(heartbeat.beat(at(10), || false), Beat::Ask);
        heartbeat.heard(at(19));
        assert_eq!(heartbeat.beat(at(20), || false), Beat::Nothing);
        assert_eq!(heartbeat.next(), at(30));
        heartbeat.heard(at(29));
        assert_eq!(heartbeat.beat(at(30), || false), Beat::GiveUp);
    }

    #[test]
    fn a_call_with_time_left_is_waited_for() {
        let (mut heartbeat, at) = started();
        assert_eq!(heartbeat.beat(at(10), || true), Beat::Ask);
        assert_eq!(heartbeat.beat(at(20), || true), Beat::Nothing);
        assert_eq!(heartbeat.beat(at(30), || true), Beat::Nothing);
        assert_eq!(heartbeat.beat(at(40), || false), Beat::GiveUp);
    }
}
