//! Where the keys of a command stand.

/// How the server says where keys stand, as far as that is certain: `index` and `range`, or `keynum`. See
/// <https://redis.io/docs/latest/develop/reference/key-specs/>.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeySpec {
    /// From `first` to `last`.
    Range {
        first: usize,
        last: Last,
        step: usize,
    },
    /// As many as the argument at `number` says, from `first` on.
    Number {
        number: usize,
        first: usize,
        step: usize,
    },
}

/// The last argument that may be a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Last {
    /// This one.
    At(usize),
    /// So many before the end; 1 is the last argument of all.
    BeforeEnd(usize),
    /// So many before the end of the first of as many equal parts, that begin with the first key.
    OfPart { before: usize, parts: usize },
}

/// Some arguments of a command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    first: usize,
    /// Behind the last one.
    end: usize,
    step: usize,
}

impl Span {
    /// From `first` to before `end`.
    pub(super) fn new(first: usize, end: usize) -> Self {
        Self {
            first,
            end,
            step: 1,
        }
    }

    pub(super) fn has(self, index: usize) -> bool {
        index >= self.first && index < self.end && (index - self.first).is_multiple_of(self.step)
    }

    pub(super) fn is_empty(self) -> bool {
        self.first >= self.end
    }
}

impl KeySpec {
    /// Which of `count` arguments are keys; `argument` is the one at an index. `None` if that is not certain.
    pub(super) fn resolve<'a>(
        self,
        count: usize,
        argument: impl FnOnce(usize) -> Option<&'a [u8]>,
    ) -> Option<Span> {
        match self {
            Self::Range { first, last, step } => {
                let end = match last {
                    Last::At(index) => index + 1,
                    Last::BeforeEnd(before) => (count + 1).saturating_sub(before),
                    Last::OfPart { before, parts } => {
                        (first + count.saturating_sub(first) / parts + 1).saturating_sub(before)
                    }
                };
                Some(Span {
                    first,
                    end: end.min(count),
                    step,
                })
            }
            Self::Number {
                number,
                first,
                step,
            } => {
                let keys = number_of_keys(argument(number)?)?;
                let last = first.checked_add((keys - 1).checked_mul(step)?)?;
                (last < count).then_some(Span {
                    first,
                    end: last + 1,
                    step,
                })
            }
        }
    }
}

/// Reads a number of keys, at least 1, as it is written in one way only: servers differ in what else they take.
fn number_of_keys(argument: &[u8]) -> Option<usize> {
    let is_plain = argument.iter().all(u8::is_ascii_digit) && !argument.starts_with(b"0");
    std::str::from_utf8(argument)
        .ok()
        .filter(|_| is_plain)?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(spec: KeySpec, line: &str) -> Option<Vec<usize>> {
        let words: Vec<&str> = line.split(' ').collect();
        let argument = |index: usize| words.get(index).map(|word| word.as_bytes());
        let span = spec.resolve(words.len(), argument)?;
        Some((0..words.len()).filter(|i| span.has(*i)).collect())
    }

    fn range(first: usize, last: Last, step: usize) -> KeySpec {
        KeySpec::Range { first, last, step }
    }

    #[test]
    fn a_range_ends_where_it_says_and_never_behind_the_end() {
        let first = range(1, Last::At(1), 1);
        assert_eq!(keys(first, "GET a b"), Some(vec![1]));
        assert_eq!(keys(first, "GET"), Some(vec![]));
        let all = range(1, Last::BeforeEnd(1), 1);
        assert_eq!(keys(all, "DEL a b c"), Some(vec![1, 2, 3]));
        let all_but_one = range(1, Last::BeforeEnd(2), 1);
        assert_eq!(keys(all_but_one, "BLPOP a b 0"), Some(vec![1, 2]));
        assert_eq!(keys(all_but_one, "BLPOP a"), Some(vec![]));
        let every_other = range(1, Last::BeforeEnd(1), 2);
        assert_eq!(keys(every_other, "MSET a 1 b 2"), Some(vec![1, 3]));
        assert_eq!(keys(every_other, "MSET a 1 b"), Some(vec![1, 3]));
        let half = range(
            2,
            Last::OfPart {
                before: 1,
                parts: 2,
            },
            1,
        );
        assert_eq!(keys(half, "XREAD STREAMS a b 0 0"), Some(vec![2, 3]));
    }

    #[test]
    fn a_number_of_keys_must_be_one() {
        let spec = KeySpec::Number {
            number: 1,
            first: 2,
            step: 1,
        };
        assert_eq!(keys(spec, "ZUNION 2 a b WEIGHTS"), Some(vec![2, 3]));
        for wrong in [
            "0",
            "-1",
            "+1",
            "01",
            "1.0",
            "",
            "a",
            "4",
            "99999999999999999999",
            "18446744073709551615",
        ] {
            assert_eq!(
                keys(spec, &format!("ZUNION {wrong} a b c")),
                None,
                "{wrong}"
            );
        }
        let pairs = KeySpec::Number {
            number: 1,
            first: 2,
            step: 2,
        };
        assert_eq!(keys(pairs, "MSETEX 2 a 1 b 2 EX 1"), Some(vec![2, 4]));
    }
}
