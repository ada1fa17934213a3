//! The name of a command, in a form that is compared without allocation.

/// How many bytes the longest name may have. Those of Redis, its modules included, have up to 22.
pub(super) const LONGEST: usize = 32;

const WORDS: usize = LONGEST / 8;

/// The name of a command or of a subcommand, in upper case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CommandName([u64; WORDS]);

impl CommandName {
    /// `None` if no command has such a name. A server may compare names only up to a NUL, so one with a NUL is none.
    pub(crate) fn new(name: &[u8]) -> Option<Self> {
        let mut words = [0; WORDS];
        if name.is_empty() || name.len() > LONGEST {
            return None;
        }
        for (word, bytes) in words.iter_mut().zip(name.chunks(8)) {
            let mut padded = [0; 8];
            padded.get_mut(..bytes.len())?.copy_from_slice(bytes);
            *word = upper(u64::from_le_bytes(padded));
            let behind = u64::MAX.checked_shl(8 * bytes.len() as u32).unwrap_or(0);
            if has_nul(*word | behind) {
                return None;
            }
        }
        Some(Self(words))
    }

    /// Spread well over all bits.
    pub(super) fn hash(self) -> u64 {
        const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
        let [a, b, c, d] = self.0;
        let together = a ^ b.rotate_left(17) ^ c.rotate_left(31) ^ d.rotate_left(47);
        // The upper bits depend on all others.
        together.wrapping_mul(ODD) >> 32
    }
}

/// The lowest bit of each byte.
const EACH: u64 = u64::MAX / 255;

/// The same 8 bytes with their letters in upper case.
fn upper(word: u64) -> u64 {
    let low = word & (EACH * 0x7f);
    // The highest bit of each byte says that it is `a` or more, and that it is more than `z`.
    let from_a = low + EACH * (0x80 - b'a' as u64);
    let behind_z = low + EACH * (0x7f - b'z' as u64);
    let is_letter = (from_a ^ behind_z) & !word & (EACH * 0x80);
    // 0x20 lies between the cases.
    word ^ (is_letter >> 2)
}

/// Whether one of the 8 bytes is 0.
fn has_nul(word: u64) -> bool {
    word.wrapping_sub(EACH) & !word & (EACH * 0x80) != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_looked_at_eight_at_a_time() {
        for byte in 0..=u8::MAX {
            for at in 0..8 {
                let mut bytes = *b"aZ\x80\xffz@[1";
                bytes[at] = byte;
                let word = u64::from_le_bytes(bytes);
                let expected = u64::from_le_bytes(bytes.map(|byte| byte.to_ascii_uppercase()));
                assert_eq!(upper(word), expected, "{bytes:?}");
                assert_eq!(has_nul(word), bytes.contains(&0), "{bytes:?}");
            }
        }
    }

    #[test]
    fn names_are_equal_whatever_their_case() {
        let name = |text: &str| CommandName::new(text.as_bytes());
        assert_eq!(name("get"), name("GET"));
        assert_ne!(name("GET"), name("GETX"));
        assert_ne!(name("GEORADIUSBYMEMBER"), name("GEORADIUSBYMEMBER_RO"));
        assert!(name("client|getredir").is_some());
        for none in ["", "GET\0", "FLUSHALL\0x", &"x".repeat(33)] {
            assert_eq!(name(none), None, "{none:?}");
        }
    }
}
