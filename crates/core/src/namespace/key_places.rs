//! Where the keys of a command stand, as far as anybody knows.
//!
//! A key prefix needs certainty, and where there is none refuses. Here a guess is good enough: a node that is sent a
//! command for another's key says so, and has not run it.

use redis::Cmd;

use super::command_table::MOST_SPECS;
use super::key_spec::{KeySpec, Last, Span};
use super::known;
use super::server_entry::{Keys, ServerEntry};
use crate::route::{argument, bytes};

/// How the keys of a command are found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum KeyPlaces {
    None,
    /// The first argument alone. So it is with most.
    First,
    At(Box<[KeySpec]>),
    /// The first half of what is behind `STREAMS`.
    Streams,
    /// The first argument, and what the last of these options from the argument at `from` on names.
    Stored {
        from: usize,
        options: &'static [&'static str],
    },
    /// `MIGRATE`: the third argument, and if that is empty all behind `KEYS`.
    Migrate,
    /// `STRALGO LCS`, of Redis 6: the two behind `KEYS`.
    Stralgo,
}

/// The places of the keys in one command.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Places {
    None,
    /// This argument alone.
    One(usize),
    Spans(Spans),
}

/// Some runs of arguments.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Spans([Span; MOST_SPECS]);

impl Places {
    pub(crate) fn has(&self, index: usize) -> bool {
        match self {
            Self::None => false,
            Self::One(place) => *place == index,
            Self::Spans(Spans(spans)) => spans.iter().any(|span| span.has(index)),
        }
    }

    /// Those of a command of `count` arguments that stand at one of `spans`.
    fn of(count: usize, spans: impl IntoIterator<Item = Span>) -> Self {
        let mut found = Spans::default();
        let spans = spans.into_iter().filter(|span| !span.is_empty());
        for (place, span) in found.0.iter_mut().zip(spans) {
            *place = span;
        }
        let spans = Self::Spans(found);
        let mut places = (0..count).filter(|index| spans.has(*index));
        match (places.next(), places.next()) {
            (None, _) => Self::None,
            (Some(place), None) => Self::One(place),
            _ => spans,
        }
    }
}

impl KeyPlaces {
    pub(super) fn of(entry: &ServerEntry) -> Self {
        const BY_STORE: &[&str] = &["STORE", "STOREDIST"];
        match entry.name.as_str() {
            "XREAD" | "XREADGROUP" => return Self::Streams,
            "SORT" => {
                return Self::Stored {
                    from: 2,
                    options: &["STORE"],
                };
            }
            "GEORADIUS" => {
                return Self::Stored {
                    from: 6,
                    options: BY_STORE,
                };
            }
            "GEORADIUSBYMEMBER" => {
                return Self::Stored {
                    from: 5,
                    options: BY_STORE,
                };
            }
            "MIGRATE" => return Self::Migrate,
            "STRALGO" => return Self::Stralgo,
            "EVAL" | "EVALSHA" | "EVAL_RO" | "EVALSHA_RO" | "FCALL" | "FCALL_RO" => {
                return Self::At(Box::new([KeySpec::Number {
                    number: 2,
                    first: 3,
                    step: 1,
                }]));
            }
            _ => {}
        }
        match &entry.keys {
            Keys::None => Self::None,
            // To a cluster a shard channel is as a key.
            Keys::At(specs) | Keys::Channels(specs) => Self::at(specs),
            Keys::Uncertain => match (known::movable_keys(&entry.name), &entry.first_keys) {
                (Some(specs), _) => Self::at(&specs),
                (None, Keys::At(specs)) => Self::at(specs),
                _ => Self::None,
            },
        }
    }

    fn at(specs: &[KeySpec]) -> Self {
        let first = KeySpec::Range {
            first: 1,
            last: Last::At(1),
            step: 1,
        };
        match specs {
            [] => Self::None,
            [only] if *only == first => Self::First,
            specs => Self::At(specs.into()),
        }
    }

    /// Those of `cmd`.
    pub(super) fn find(&self, cmd: &Cmd) -> Places {
        let count = cmd.args_iter().len();
        match self {
            Self::None => Places::None,
            Self::First if count > 1 => Places::One(1),
            Self::First => Places::None,
            Self::At(specs) => {
                let resolve = |spec: &KeySpec| spec.resolve(count, |index| argument(cmd, index));
                Places::of(count, specs.iter().filter_map(resolve))
            }
            Self::Streams => {
                let streams = streams(cmd).unwrap_or(count);
                let half = count.saturating_sub(streams) / 2;
                Places::of(count, [Span::new(streams, streams + half)])
            }
            Self::Stored { from, options } => {
                let stored = stored(cmd, *from, options).unwrap_or(count);
                Places::of(count, [one(1), one(stored)])
            }
            Self::Migrate => match argument(cmd, 3) {
                Some(b"") => {
                    let keys = words(cmd, 6).find(|(_, word)| is(word, "KEYS"));
                    let first = keys.map_or(count, |(index, _)| index + 1);
                    Places::of(count, [Span::new(first, count)])
                }
                _ => Places::of(count, [one(3)]),
            },
            Self::Stralgo => {
                let keys = words(cmd, 1).find(|(_, word)| is(word, "KEYS"));
                let first = keys.map_or(count, |(index, _)| index + 1);
                Places::of(count, [Span::new(first, first + 2)])
            }
        }
    }
}

fn one(index: usize) -> Span {
    Span::new(index, index + 1)
}

/// Where the keys of `XREAD` begin. A group, a consumer or a number may read like an option, but stands behind one.
fn streams(cmd: &Cmd) -> Option<usize> {
    let mut words = words(cmd, 1);
    while let Some((index, word)) = words.next() {
        if is(word, "STREAMS") {
            return Some(index + 1);
        } else if is(word, "GROUP") {
            words.nth(1);
        } else if ["COUNT", "BLOCK", "CLAIM"].iter().any(|it| is(word, it)) {
            words.next();
        }
    }
    None
}

/// Where the key is that the last of `options` from the argument at `from` on names.
fn stored(cmd: &Cmd, from: usize, options: &[&str]) -> Option<usize> {
    let mut found = None;
    let mut words = words(cmd, from);
    while let Some((index, word)) = words.next() {
        if options.iter().any(|option| is(word, option)) {
            found = Some(index + 1);
            words.next();
        } else if is(word, "LIMIT") {
            words.nth(1);
        } else if is(word, "BY") || is(word, "GET") {
            words.next();
        }
    }
    found
}

/// The arguments of `cmd` from that at `from` on, with their places.
fn words(cmd: &Cmd, from: usize) -> impl Iterator<Item = (usize, &[u8])> {
    cmd.args_iter().map(bytes).enumerate().skip(from)
}

fn is(word: &[u8], option: &str) -> bool {
    word.eq_ignore_ascii_case(option.as_bytes())
}

#[cfg(test)]
#[path = "key_places/tests.rs"]
mod tests;
