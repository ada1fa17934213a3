//! What became of the writes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use redis_manager_support::TestServer;

use super::BACK;
use super::course::{Course, lateness};
use super::writer::Writer;
use crate::harness::Run;

#[derive(Default)]
pub(super) struct Ledger {
    acknowledged: usize,
    unknown: usize,
    unknown_that_ran: usize,
    not_sent: usize,
    refused: BTreeMap<String, usize>,
    /// Acknowledged before there was another master, which did not have it yet; after that, and before a sentinel told;
    /// after that.
    lost: [usize; 3],
    /// How long after a sentinel named another one a master acknowledged a write.
    latest: Duration,
}

impl Ledger {
    /// Compares what `writer` was told with what the last master has.
    pub(super) fn audit(&mut self, writer: &Writer, course: &Course, master: &TestServer) {
        let list = master.run(&["LRANGE", &writer.list, "0", "-1"]);
        let list: Vec<i64> = list
            .items()
            .iter()
            .map(|item| item.text().parse().unwrap())
            .collect();
        let there: BTreeSet<i64> = list.iter().copied().collect();
        assert_eq!(there.len(), list.len(), "a write was applied twice");
        let counter = master.run(&["GET", &writer.counter]).text();
        assert_eq!(
            counter,
            list.len().to_string(),
            "both are written, or neither"
        );
        assert!(
            writer.not_sent.is_disjoint(&there),
            "what was not sent is there"
        );
        let acknowledged: BTreeSet<i64> = writer.acks.iter().map(|ack| ack.number).collect();
        let known = |number| acknowledged.contains(number) || writer.unknown.contains(number);
        assert!(there.iter().all(known), "somebody else wrote");
        self.account_for_lost(writer, course, &there);
        self.acknowledged += writer.acks.len();
        self.unknown += writer.unknown.len();
        self.unknown_that_ran += writer.unknown.intersection(&there).count();
        self.not_sent += writer.not_sent.len();
        for (code, count) in &writer.refused {
            *self.refused.entry(code.clone()).or_default() += count;
        }
    }

    /// A replica has what its master had up to some moment. So what is lost is the end of what one master
    /// acknowledged: anything else was lost by us.
    fn account_for_lost(&mut self, writer: &Writer, course: &Course, there: &BTreeSet<i64>) {
        let mut first_lost = BTreeMap::new();
        for ack in &writer.acks {
            let (term, next) = course.term(ack.port, ack.at);
            if let Some(next) = next {
                self.latest = self.latest.max(lateness(next.named, ack.at));
            }
            if there.contains(&ack.number) {
                let lost = first_lost.get(&term);
                assert_eq!(lost, None, "{} is there, which came later", ack.number);
                continue;
            }
            first_lost.entry(term).or_insert(ack.number);
            let next = next.expect("the last master has what it acknowledged");
            let phase = usize::from(ack.at >= next.promoted) + usize::from(ack.at >= next.named);
            self.lost[phase] += 1;
        }
    }

    pub(super) fn report(&self, run: &Run) {
        run.report("writes acknowledged", self.acknowledged);
        run.report(
            "of those, lost by Redis: before the new master's ROLE, before a sentinel names it, after that",
            format!("{:?}", self.lost),
        );
        run.report(
            "a master acknowledged writes after a sentinel named another one, for up to",
            format!("{:.1?}", self.latest),
        );
        run.report(
            "writes Unknown, of those applied",
            format!("{}, {}", self.unknown, self.unknown_that_ran),
        );
        run.report("writes NotSent or refused, none applied", self.not_sent);
        run.report("refusals of servers", format!("{:?}", self.refused));
        let is_in_time = self.latest <= BACK || !run.is_long();
        assert!(is_in_time, "a master that is none was written to");
    }
}
