//! The slot of a key.

use std::fmt;

use crc16::{State, XMODEM};
use memchr::memchr;

/// One of the 16 384 parts that a cluster's keys are divided into; see
/// <https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#key-distribution-model>.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Slot(u16);

impl Slot {
    /// How many there are.
    pub(crate) const COUNT: u16 = 16_384;

    /// The slot of `key`, or of a shard channel.
    pub(crate) fn of(key: &[u8]) -> Self {
        Self(State::<XMODEM>::calculate(hashed(key)) % Self::COUNT)
    }

    /// `None` if no slot has this number.
    pub(crate) fn new(number: u16) -> Option<Self> {
        (number < Self::COUNT).then_some(Self(number))
    }

    /// Reads a number in its decimal form.
    pub(crate) fn read(number: &[u8]) -> Option<Self> {
        let number = std::str::from_utf8(number).ok()?;
        number.parse().ok().and_then(Self::new)
    }

    /// 0 to 16 383.
    pub(crate) fn number(self) -> u16 {
        self.0
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The part of `key` that counts: its hash tag, if it has one.
fn hashed(key: &[u8]) -> &[u8] {
    let tag = || {
        let (_, behind) = key.split_at_checked(memchr(b'{', key)? + 1)?;
        let tag = behind.get(..memchr(b'}', behind)?)?;
        (!tag.is_empty()).then_some(tag)
    };
    tag().unwrap_or(key)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keys_have_the_slots_that_a_server_gives_them() {
        // CLUSTER KEYSLOT of Redis 7.0.15.
        for (key, slot) in [
            ("", 0),
            ("foo", 12_182),
            ("123456789", 12_739),
            ("somekey", 11_058),
            ("{user1000}.following", 3_443),
            ("{user1000}.followers", 3_443),
            ("user1000", 3_443),
            ("foo{}{bar}", 8_363),
            ("foo{{bar}}zap", 4_015),
            ("{bar", 4_015),
            ("foo{bar}{zap}", 5_061),
            ("bar", 5_061),
            ("foo}{bar", 7_624),
            ("foo{bar", 15_278),
            ("}{a}b", 15_495),
            ("a", 15_495),
        ] {
            assert_eq!(Slot::of(key.as_bytes()).number(), slot, "{key}");
        }
    }

    #[test]
    fn only_a_slot_that_there_is_has_a_number() {
        assert_eq!(Slot::new(16_383).map(Slot::number), Some(16_383));
        assert_eq!(Slot::new(16_384), None);
        assert_eq!(Slot::read(b"16383"), Slot::new(16_383));
        for text in ["", "-1", "16384", "1.0", " 1", "x"] {
            assert_eq!(Slot::read(text.as_bytes()), None, "{text}");
        }
    }

    /// Bit by bit, as the specification has it.
    fn crc(bytes: &[u8]) -> u16 {
        bytes.iter().fold(0, |crc: u16, byte| {
            (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc, _| {
                let shifted = crc << 1;
                if crc & 0x8000 == 0 {
                    shifted
                } else {
                    shifted ^ 0x1021
                }
            })
        })
    }

    proptest! {
        #[test]
        fn a_tag_decides_alone_and_the_whole_key_without_one(
            key in prop::collection::vec(prop_oneof![Just(b'{'), Just(b'}'), any::<u8>()], 0..40),
        ) {
            let open = key.iter().position(|byte| *byte == b'{');
            let close = open.and_then(|open| {
                let found = key.iter().skip(open + 1).position(|byte| *byte == b'}')?;
                Some(open + 1 + found)
            });
            let counts = match (open, close) {
                (Some(open), Some(close)) if close > open + 1 => &key[open + 1..close],
                _ => &key,
            };
            prop_assert_eq!(Slot::of(&key).number(), crc(counts) % 16_384);
        }
    }
}
