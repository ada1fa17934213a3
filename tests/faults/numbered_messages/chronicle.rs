//! When which number was published.

use std::ops::Range;
use std::time::SystemTime;

use super::subscriber::CHANNEL;
use crate::publisher::Publisher;

/// The numbers from 0 on, in the batches in which they were published.
#[derive(Default)]
pub(super) struct Chronicle(Vec<Batch>);

pub(super) struct Batch {
    numbers: Range<u64>,
    pub(super) began: SystemTime,
    pub(super) ended: SystemTime,
}

impl Chronicle {
    pub(super) fn published(&self) -> u64 {
        self.0.last().map_or(0, |batch| batch.numbers.end)
    }

    /// Publishes the next `length` numbers.
    pub(super) fn publish(&mut self, publisher: &mut Publisher, length: u64) {
        let numbers = self.published()..self.published() + length;
        let messages: Vec<_> = numbers
            .clone()
            .map(|number| (CHANNEL.to_owned(), number.to_string()))
            .collect();
        let began = SystemTime::now();
        publisher.publish(&messages);
        self.0.push(Batch {
            numbers,
            began,
            ended: SystemTime::now(),
        });
    }

    /// The batch that `number` was published with.
    pub(super) fn of(&self, number: u64) -> &Batch {
        let index = self.0.partition_point(|batch| batch.numbers.end <= number);
        &self.0[index]
    }
}
