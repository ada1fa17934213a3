//! The names that a script uses again and again, found at a glance.

use std::sync::atomic::{AtomicU64, Ordering};

/// Short names, as they are written, of commands that get the prefix before their first argument and are the same
/// otherwise. Most commands are such, and most calls of a script are of a few: for them nothing is looked up.
#[derive(Debug, Default)]
pub(super) struct RecentNames([AtomicU64; PLACES]);

const PLACES: usize = 16;

impl RecentNames {
    /// Whether `name` was noted, and not pushed out by another since.
    #[inline]
    pub(super) fn has(&self, name: &[u8]) -> bool {
        let word = word(name);
        word != 0 && self.place(word).load(Ordering::Relaxed) == word
    }

    /// Notes `name`. The names of one table are told here only, so what is noted stays right.
    pub(super) fn note(&self, name: &[u8]) {
        let word = word(name);
        if word != 0 {
            self.place(word).store(word, Ordering::Relaxed);
        }
    }

    fn place(&self, word: u64) -> &AtomicU64 {
        const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
        let place = word.wrapping_mul(ODD) >> (u64::BITS - PLACES.ilog2());
        // Never out of range.
        &self.0[place as usize % PLACES]
    }
}

/// The name and its length in one number; 0 if it is too long.
#[inline]
fn word(name: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    let Some(([length], place)) = bytes.split_first_chunk_mut::<1>() else {
        return 0;
    };
    let Some(place) = place.get_mut(..name.len()) else {
        return 0;
    };
    place.copy_from_slice(name);
    *length = name.len() as u8;
    u64::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_name_is_found_as_it_was_written_and_no_other() {
        let names = RecentNames::default();
        assert!(!names.has(b"") && !names.has(b"GET"));
        names.note(b"GET");
        assert!(names.has(b"GET"));
        for other in [
            "get",
            "GE",
            "GETS",
            "GET\0",
            "\0GET",
            "",
            "GEORADIUSBYMEMBER",
        ] {
            assert!(!names.has(other.as_bytes()), "{other}");
        }
        names.note(b"");
        names.note(b"HINCRBYFLOAT");
        assert!(!names.has(b"") && !names.has(b"HINCRBYFLOAT"));
        names.note(b"HINCRBY");
        assert!(names.has(b"HINCRBY"));
    }
}
