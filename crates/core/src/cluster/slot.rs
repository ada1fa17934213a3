//! The part of a cluster that a key belongs to.

use std::fmt;

/// How many there are.
const SLOTS: u16 = 16_384;

/// One of the 16 384 parts that all keys are divided into; see
/// <https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#key-distribution-model>.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Slot(u16);

impl Slot {
    pub(crate) const LAST: Self = Self(SLOTS - 1);

    /// The one of this number, if there is one.
    pub(crate) fn new(number: u16) -> Option<Self> {
        (number < SLOTS).then_some(Self(number))
    }

    pub(crate) fn before(self) -> Option<Self> {
        self.0.checked_sub(1).map(Self)
    }

    pub(crate) fn after(self) -> Option<Self> {
        Self::new(self.0 + 1)
    }

    /// That of `key`; of its part in braces alone, if it has one.
    pub(crate) fn of(key: &[u8]) -> Self {
        let hashed = hash_tag(key).unwrap_or(key);
        Self(crc16::State::<crc16::XMODEM>::calculate(hashed) % SLOTS)
    }
}

/// What stands between the first brace and the first one that closes after it, unless that is nothing.
fn hash_tag(key: &[u8]) -> Option<&[u8]> {
    let open = memchr::memchr(b'{', key)?;
    let after = key.get(open + 1..)?;
    let close = memchr::memchr(b'}', after)?;
    after.get(..close).filter(|tag| !tag.is_empty())
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_cluster_keyslot_says() {
        // Of Redis 7.0.15.
        for (key, slot) in [
            ("", 0),
            ("123456789", 12739),
            ("foo", 12182),
            ("{foo}bar", 12182),
            ("a{foo}b{bar}", 12182),
            ("{}foo", 9500),
            ("foo{}{bar}", 8363),
            ("foo{{bar}}zap", 4015),
        ] {
            assert_eq!(Slot::of(key.as_bytes()), Slot(slot), "{key}");
        }
    }

    #[test]
    fn there_are_no_more_than_16_384() {
        assert_eq!(Slot::new(16_383), Some(Slot::LAST));
        assert_eq!(Slot::new(16_384), None);
    }
}
