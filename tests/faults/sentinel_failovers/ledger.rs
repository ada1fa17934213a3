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
    /// Acknowledged by a master whose successor did not have it yet.
    lost_before: usize,
    /// Acknowledged by a master that did not know yet that there was another one.
    lost_after: usize,
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
            let (term, ended) = course.term(ack.port, ack.at);
            if let Some(ended) = ended {
                self.latest = self.latest.max(lateness(ended, ack.at));
            }
            if there.contains(&ack.number) {
                let lost = first_lost.get(&term);
                assert_eq!(lost, None, "{} is there, which came later", ack.number);
                continue;
            }
            first_lost.entry(term).or_insert(ack.number);
            let ended = ended.expect("the last master has what it acknowledged");
            match ack.at < ended {
                true => self.lost_before += 1,
                false => self.lost_after += 1,
            }
        }
    }

    pub(super) fn report(&self, run: &Run) {
        run.report("writes acknowledged", self.acknowledged);
        run.report(
            "of those, lost by Redis: acknowledged before a sentinel named another master, after it",
            format!("{}, {}", self.lost_before, self.lost_after),
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
        assert!(self.latest <= BACK, "a master that is none was written to");
    }
}
