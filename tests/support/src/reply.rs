//! What a server answered, and how it is read off the wire (RESP2).

use std::io::{self, BufRead};

/// One reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// `+OK`
    Simple(String),
    /// `-ERR …`, with its code, without the minus.
    Error(String),
    /// `:1`
    Int(i64),
    /// A string of bytes; `None` is nil (a nil array too).
    Bulk(Option<Vec<u8>>),
    /// A list of replies.
    Array(Vec<Reply>),
}

impl Reply {
    /// The reply for people and assertions: bytes as lossy UTF-8, a number in decimal, nil as "",
    /// an array one element a line.
    pub fn text(&self) -> String {
        match self {
            Self::Simple(text) | Self::Error(text) => text.clone(),
            Self::Int(number) => number.to_string(),
            Self::Bulk(bytes) => {
                String::from_utf8_lossy(bytes.as_deref().unwrap_or_default()).into_owned()
            }
            Self::Array(items) => items.iter().map(Self::text).collect::<Vec<_>>().join("\n"),
        }
    }

    /// Whether the server refused.
    pub fn is_error(&self) -> bool {
        matches!(self, Self::Error(_))
    }

    /// The number, if it is one: an integer, or text that reads as one.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            Self::Simple(_) | Self::Bulk(Some(_)) => self.text().parse().ok(),
            _ => None,
        }
    }

    /// The elements; of anything but an array none.
    pub fn items(&self) -> &[Reply] {
        match self {
            Self::Array(items) => items,
            _ => &[],
        }
    }

    /// Reads one reply.
    pub(crate) fn read(from: &mut impl BufRead) -> io::Result<Self> {
        let mut line = Vec::new();
        from.read_until(b'\n', &mut line)?;
        let Some(line) = line.strip_suffix(b"\r\n") else {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the server closed the connection",
            ));
        };
        let line = String::from_utf8_lossy(line);
        let (kind, rest) = line.split_at_checked(1).unwrap_or_default();
        match kind {
            "+" => Ok(Self::Simple(rest.to_owned())),
            "-" => Ok(Self::Error(rest.to_owned())),
            ":" => Ok(Self::Int(number(rest)?)),
            "$" => match usize::try_from(number(rest)?) {
                Err(_) => Ok(Self::Bulk(None)),
                Ok(length) => {
                    let mut bytes = vec![0; length + 2];
                    from.read_exact(&mut bytes)?;
                    bytes.truncate(length);
                    Ok(Self::Bulk(Some(bytes)))
                }
            },
            "*" => match number(rest)? {
                -1 => Ok(Self::Bulk(None)),
                count => (0..count)
                    .map(|_| Self::read(from))
                    .collect::<io::Result<_>>()
                    .map(Self::Array),
            },
            _ => Err(malformed(&line)),
        }
    }
}

fn number(text: &str) -> io::Result<i64> {
    text.parse().map_err(|_| malformed(text))
}

fn malformed(line: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("no RESP2: {line:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(mut wire: &[u8]) -> io::Result<Reply> {
        Reply::read(&mut wire)
    }

    #[test]
    fn every_kind_is_read() {
        let reply = read(b"*6\r\n+OK\r\n-ERR no\r\n:-7\r\n$3\r\na\r\n\r\n$-1\r\n*-1\r\n").unwrap();
        let expected = vec![
            Reply::Simple("OK".into()),
            Reply::Error("ERR no".into()),
            Reply::Int(-7),
            Reply::Bulk(Some(b"a\r\n".to_vec())),
            Reply::Bulk(None),
            Reply::Bulk(None),
        ];
        assert_eq!(reply, Reply::Array(expected));
        assert_eq!(reply.text(), "OK\nERR no\n-7\na\r\n\n\n");
        assert_eq!(reply.items().len(), 6);
    }

    #[test]
    fn a_closed_connection_and_nonsense_are_told_apart() {
        assert_eq!(read(b"").unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(
            read(b"+OK").unwrap_err().kind(),
            io::ErrorKind::UnexpectedEof
        );
        assert_eq!(
            read(b"HTTP/1.1 400\r\n").unwrap_err().kind(),
            io::ErrorKind::InvalidData
        );
        assert_eq!(
            read(b":x\r\n").unwrap_err().kind(),
            io::ErrorKind::InvalidData
        );
        assert_eq!(
            read(b"\r\n").unwrap_err().kind(),
            io::ErrorKind::InvalidData
        );
    }

    #[test]
    fn text_that_is_a_number_reads_as_one() {
        assert_eq!(Reply::Bulk(Some(b"42".to_vec())).as_int(), Some(42));
        assert_eq!(Reply::Int(1).as_int(), Some(1));
        assert_eq!(Reply::Error("1".into()).as_int(), None);
        assert_eq!(Reply::Bulk(None).as_int(), None);
    }
}
