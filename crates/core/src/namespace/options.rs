//! The commands whose keys stand behind options, read as the server reads them, and more strictly: an option that is
//! not known here is refused, because it may be one of a later server that has a key.

/// Reads the options of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parser {
    /// `XREAD`, and in a group `XREADGROUP`.
    Streams { in_group: bool },
    /// `SORT`, and what does not store `SORT_RO`.
    Sort { stores: bool },
    /// `GEORADIUS`, `GEORADIUSBYMEMBER`, by where their options begin.
    Georadius { options: usize },
    /// `SCAN`.
    Scan,
    /// `PUBSUB CHANNELS`.
    OptionalPattern,
    /// `PUBSUB NUMSUB`.
    Channels,
}

/// What gets the prefix.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// The places of the arguments.
    pub(super) places: Vec<usize>,
    pub(super) tail: Tail,
}

/// What is added behind the last argument.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Tail {
    #[default]
    Nothing,
    /// A pattern that all names with the prefix match.
    Pattern,
    /// The same, as the option `MATCH`.
    Match,
}

impl Parser {
    /// Reads `arguments`, the name included. The error says what is wrong.
    pub(super) fn read(self, arguments: &[&[u8]]) -> Result<Found, String> {
        match self {
            Self::Streams { in_group } => streams(arguments, in_group),
            Self::Sort { stores } => sort(arguments, stores),
            Self::Georadius { options } => georadius(arguments, options),
            Self::Scan => scan(arguments),
            Self::OptionalPattern => match arguments.len() {
                0..=2 => Ok(Found {
                    places: Vec::new(),
                    tail: Tail::Pattern,
                }),
                _ => Ok((2..arguments.len()).collect()),
            },
            Self::Channels => Ok((2..arguments.len()).collect()),
        }
    }
}

impl FromIterator<usize> for Found {
    fn from_iter<I: IntoIterator<Item = usize>>(places: I) -> Self {
        Self {
            places: places.into_iter().collect(),
            tail: Tail::Nothing,
        }
    }
}

/// Walks over options.
struct Options<'a> {
    arguments: &'a [&'a [u8]],
    next: usize,
}

impl<'a> Options<'a> {
    fn new(arguments: &'a [&'a [u8]], next: usize) -> Self {
        Self { arguments, next }
    }

    /// The next option, in upper case.
    fn option(&mut self) -> Option<Vec<u8>> {
        let option = self.arguments.get(self.next)?;
        self.next += 1;
        Some(option.to_ascii_uppercase())
    }

    /// Takes as many values of `option`, and returns where the first one is.
    fn values(&mut self, option: &[u8], count: usize) -> Result<usize, String> {
        let first = self.next;
        self.next += count;
        if self.next <= self.arguments.len() {
            return Ok(first);
        }
        Err(format!("{} has no value", option.escape_ascii()))
    }
}

fn unknown(option: &[u8]) -> String {
    format!(
        "the option {} is not known here, so it may be followed by a key",
        option.escape_ascii()
    )
}

fn streams(arguments: &[&[u8]], in_group: bool) -> Result<Found, String> {
    let mut options = Options::new(arguments, 1);
    while let Some(option) = options.option() {
        match option.as_slice() {
            b"STREAMS" => {
                let first = options.next;
                let count = arguments.len() - first;
                if count == 0 || !count.is_multiple_of(2) {
                    return Err("STREAMS is followed by as many keys as ids".to_owned());
                }
                return Ok((first..first + count / 2).collect());
            }
            b"COUNT" | b"BLOCK" => drop(options.values(&option, 1)?),
            b"GROUP" if in_group => drop(options.values(&option, 2)?),
            b"NOACK" if in_group => {}
            b"CLAIM" if in_group => drop(options.values(&option, 1)?),
            _ => return Err(unknown(&option)),
        }
    }
    Err("it has no STREAMS".to_owned())
}

fn sort(arguments: &[&[u8]], stores: bool) -> Result<Found, String> {
    let mut places = vec![key(arguments)?];
    let mut options = Options::new(arguments, 2);
    while let Some(option) = options.option() {
        match option.as_slice() {
            b"ASC" | b"DESC" | b"ALPHA" => {}
            b"LIMIT" => drop(options.values(&option, 2)?),
            // A pattern with `->` is one of keys before the arrow. Only a BY without `*` is no pattern, and it is the
            // same with the prefix.
            b"BY" => places.push(options.values(&option, 1)?),
            b"GET" => {
                let pattern = options.values(&option, 1)?;
                // The element itself.
                if arguments.get(pattern) != Some(&b"#".as_slice()) {
                    places.push(pattern);
                }
            }
            b"STORE" if stores => places.push(options.values(&option, 1)?),
            _ => return Err(unknown(&option)),
        }
    }
    Ok(places.into_iter().collect())
}

fn georadius(arguments: &[&[u8]], first: usize) -> Result<Found, String> {
    let mut places = vec![key(arguments)?];
    let mut options = Options::new(arguments, first);
    while let Some(option) = options.option() {
        match option.as_slice() {
            b"WITHCOORD" | b"WITHDIST" | b"WITHHASH" | b"ASC" | b"DESC" | b"ANY" => {}
            b"COUNT" => drop(options.values(&option, 1)?),
            // The server takes the last of them.
            b"STORE" | b"STOREDIST" => places.push(options.values(&option, 1)?),
            _ => return Err(unknown(&option)),
        }
    }
    Ok(places.into_iter().collect())
}

fn scan(arguments: &[&[u8]]) -> Result<Found, String> {
    if arguments.len() < 2 {
        return Err("it has no cursor".to_owned());
    }
    let mut found = Found {
        places: Vec::new(),
        tail: Tail::Match,
    };
    let mut options = Options::new(arguments, 2);
    while let Some(option) = options.option() {
        match option.as_slice() {
            // The server takes the last of them.
            b"MATCH" => {
                found.places.push(options.values(&option, 1)?);
                found.tail = Tail::Nothing;
            }
            b"COUNT" | b"TYPE" => drop(options.values(&option, 1)?),
            _ => return Err(unknown(&option)),
        }
    }
    Ok(found)
}

fn key(arguments: &[&[u8]]) -> Result<usize, String> {
    match arguments.len() {
        0 | 1 => Err("it has no key".to_owned()),
        _ => Ok(1),
    }
}
