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
        if name.is_empty() || name.len() > LONGEST || name.contains(&0) {
            return None;
        }
        for (word, bytes) in words.iter_mut().zip(name.chunks(8)) {
            for (at, byte) in bytes.iter().enumerate() {
                *word |= u64::from(byte.to_ascii_uppercase()) << (8 * at);
            }
        }
        Some(Self(words))
    }

    /// Spread well over all bits.
    pub(super) fn hash(self) -> u64 {
        const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
        let folded = self.0.iter().fold(0, |hash: u64, word| {
            (hash.rotate_left(23) ^ word).wrapping_mul(ODD)
        });
        folded ^ (folded >> 32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
