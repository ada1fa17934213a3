//! Why a stream of bytes is no RESP.

use std::error::Error as StdError;
use std::fmt;

use crate::{Error, ErrorKind};

/// What was wrong, and where in the stream.
///
/// It quotes nothing of the reply but the type byte: replies are other people's data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeError {
    fault: DecodeFault,
    offset: u64,
    type_byte: Option<u8>,
}

/// What was wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeFault {
    /// No type of RESP begins with this byte.
    UnknownType,
    /// A streamed string or aggregate (`$?`, `*?`), which no Redis server sends and we do not support.
    Streamed,
    /// An integer is none, or does not fit 64 bits.
    Integer,
    /// A length is no number, or a negative one that the type does not have.
    Length,
    /// A null has content.
    Null,
    /// A boolean is neither `t` nor `f`.
    Boolean,
    /// A double is no number.
    Double,
    /// A big number is none, or has more than 65 536 characters.
    BigNumber,
    /// A simple string or a push kind is no UTF-8.
    NotUtf8,
    /// The end of the line is missing where the announced length says it should be.
    Terminator,
    /// A verbatim string has no format in front.
    Verbatim,
    /// A push does not begin with a string.
    PushKind,
    /// redis-rs could make nothing of an error reply.
    ServerError,
    /// The reply is larger than [`max_reply_size`](super::DecoderLimits::max_reply_size), or announces to be.
    TooLarge {
        /// The limit, in bytes.
        max_reply_size: usize,
    },
    /// The reply is nested deeper than [`max_depth`](super::DecoderLimits::max_depth).
    TooDeep {
        /// The limit, in levels.
        max_depth: usize,
    },
    /// There is no memory for a string of the announced length.
    OutOfMemory,
}

impl DecodeError {
    pub(super) fn new(fault: DecodeFault, offset: u64, type_byte: Option<u8>) -> Self {
        Self {
            fault,
            offset,
            type_byte,
        }
    }

    /// What was wrong.
    #[must_use]
    pub fn fault(&self) -> DecodeFault {
        self.fault
    }

    /// Where the offending value begins: at which byte of all that were fed, from 0 on.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The byte at [`offset`](Self::offset), which says the value's type; `None` if it had not
    /// arrived yet.
    #[must_use]
    pub fn type_byte(&self) -> Option<u8> {
        self.type_byte
    }
}

impl fmt::Display for DecodeFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::UnknownType => "no type of RESP begins with this byte",
            Self::Streamed => "streamed types are not supported",
            Self::Integer => "an integer is not a number of 64 bits",
            Self::Length => "a length is not allowed",
            Self::Null => "a null has content",
            Self::Boolean => "a boolean is neither t nor f",
            Self::Double => "a double is not a number",
            Self::BigNumber => "a big number is not one, or too long",
            Self::NotUtf8 => "a simple string is not UTF-8",
            Self::Terminator => "the announced length does not end at an end of line",
            Self::Verbatim => "a verbatim string has no format",
            Self::PushKind => "a push does not begin with its kind",
            Self::ServerError => "an error reply could not be read",
            Self::OutOfMemory => "there is no memory for the announced length",
            Self::TooLarge { max_reply_size } => {
                return write!(
                    f,
                    "a reply is larger than max_reply_size, {max_reply_size} bytes"
                );
            }
            Self::TooDeep { max_depth } => {
                return write!(f, "a reply is nested deeper than {max_depth} levels");
            }
        };
        f.write_str(text)
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (", self.fault)?;
        if let Some(byte) = self.type_byte {
            write!(f, "type byte '{}', ", byte.escape_ascii())?;
        }
        write!(f, "offset {})", self.offset)
    }
}

impl StdError for DecodeError {}

impl From<DecodeError> for Error {
    fn from(error: DecodeError) -> Self {
        Error::new(ErrorKind::Protocol, error.to_string()).with_source(error)
    }
}
