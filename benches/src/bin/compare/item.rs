//! Keys and values.

use bytes::Bytes;

/// A key of one caller, and the value that nobody else's key has: a reply that went astray is noticed.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(crate) key: Bytes,
    pub(crate) value: Bytes,
}

const DIGITS: usize = 8;

/// `count` items with values of `size` bytes. The values share memory, so that many large ones cost
/// the processor's caches no more than one would.
pub(crate) fn items(count: usize, size: usize) -> Vec<Item> {
    let numbers = count + size.div_ceil(DIGITS);
    let pool: String = (0..numbers).map(|number| format!("{number:08}")).collect();
    let pool = Bytes::from(pool);
    (0..count)
        .map(|index| Item {
            key: Bytes::from(format!("compare:{index:06}")),
            value: pool.slice(index * DIGITS..index * DIGITS + size),
        })
        .collect()
}
