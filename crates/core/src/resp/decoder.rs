//! The decoder: what to do with the next bytes.

use bytes::BufMut;
use redis::Value;

use super::aggregate::{self, Aggregate};
use super::blob::{self, Blob};
use super::buffer::ReadBuffer;
use super::error::{DecodeError, DecodeFault};
use super::limits::DecoderLimits;
use super::line;
use super::number::{Number, number};

/// The shortest element there is: a type byte and the end of the line.
const SHORTEST_ELEMENT: usize = 3;

/// Turns bytes, in whatever pieces they come, into replies.
///
/// ```
/// use redis_manager_core::{redis::Value, resp::{Decoder, DecoderLimits}};
///
/// let mut decoder = Decoder::new(DecoderLimits::default());
/// decoder.feed(b"+OK\r\n$5\r\nhel");
/// assert_eq!(decoder.next_value()?, Some(Value::Okay));
/// assert_eq!(decoder.next_value()?, None);
/// decoder.feed(b"lo\r\n");
/// assert_eq!(decoder.next_value()?, Some(Value::BulkString(b"hello".to_vec())));
///
/// decoder.feed(b"HTTP/1.1 400 Bad Request\r\n");
/// let error = decoder.next_value().unwrap_err();
/// assert_eq!((error.offset(), error.type_byte()), (16, Some(b'H')));
/// # Ok::<(), redis_manager_core::resp::DecodeError>(())
/// ```
///
/// With a socket, bytes are read straight into the decoder's buffer:
///
/// ```
/// # use redis_manager_core::{redis::Value, resp::{Decoder, DecoderLimits}};
/// use tokio::io::{AsyncRead, AsyncReadExt};
///
/// async fn replies(mut socket: impl AsyncRead + Unpin) -> std::io::Result<Vec<Value>> {
///     let mut decoder = Decoder::new(DecoderLimits::default());
///     let mut replies = Vec::new();
///     while socket.read_buf(&mut decoder.space()).await? > 0 {
///         while let Some(reply) = decoder.next_value().map_err(std::io::Error::other)? {
///             replies.push(reply);
///         }
///     }
///     Ok(replies)
/// }
/// # let replies = redis_manager_core::wait(replies(&b":1\r\n:2\r\n"[..])).unwrap();
/// # assert_eq!(replies.unwrap(), [Value::Int(1), Value::Int(2)]);
/// ```
#[derive(Debug)]
pub struct Decoder {
    limits: DecoderLimits,
    buffer: ReadBuffer,
    /// The aggregates that wait for elements, the outermost first.
    open: Vec<Aggregate>,
    blob: Option<Blob>,
    /// How many unread bytes are known not to contain the end of the line that they begin with.
    searched: usize,
    /// Where in the stream the reply that is being decoded begins.
    reply_start: u64,
    /// Whether nothing is kept of the reply that is being decoded.
    skips: bool,
    failed: Option<DecodeError>,
}

enum Step {
    Value(Value),
    Opened,
    Incomplete,
}

impl Decoder {
    /// Makes a decoder that stands at the beginning of a stream, and holds no memory yet.
    #[must_use]
    pub fn new(limits: DecoderLimits) -> Self {
        let limits = limits.clamped();
        Self {
            limits,
            buffer: ReadBuffer::new(limits.buffer_usage_ratio),
            open: Vec::new(),
            blob: None,
            searched: 0,
            reply_start: 0,
            skips: false,
            failed: None,
        }
    }

    /// Where to put the next bytes: room that [`AsyncReadExt::read_buf`] and `try_read_buf` fill. Its
    /// size follows what recent reads brought, from 1 to 128 KiB.
    ///
    /// Call [`next_value`](Self::next_value) until it returns `None` before asking again, or the
    /// buffer grows.
    ///
    /// [`AsyncReadExt::read_buf`]: https://docs.rs/tokio/latest/tokio/io/trait.AsyncReadExt.html#method.read_buf
    #[must_use]
    pub fn space(&mut self) -> impl BufMut + '_ {
        self.discard_if_failed();
        self.buffer.space()
    }

    /// Appends bytes that are somewhere else already.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.discard_if_failed();
        self.buffer.feed(bytes);
    }

    /// The next reply, or `None` if it has not arrived as a whole.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] if the bytes are no RESP, or a reply passes the limits. What follows in the
    /// stream cannot be trusted, so every later call returns the same error.
    pub fn next_value(&mut self) -> Result<Option<Value>, DecodeError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let next = self.advance();
        match &next {
            Ok(_) => self.buffer.reclaim(),
            Err(error) => {
                self.failed = Some(error.clone());
                self.open = Vec::new();
                self.buffer.abandon();
            }
        }
        next
    }

    /// As [`next_value`](Self::next_value), for a reply that nobody reads: makes nothing of it, and so does not look
    /// at what its lines and strings say, only at where they end.
    pub(crate) fn skip_value(&mut self) -> Result<Option<()>, DecodeError> {
        self.skips = true;
        let skipped = self.next_value();
        self.skips = false;
        skipped.map(|value| value.map(drop))
    }

    /// Where in the stream the first byte is that is not decoded: after a reply was returned, the
    /// end of that reply.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.buffer.offset()
    }

    /// Whether the stream may end here without cutting a reply.
    #[must_use]
    pub fn is_between_replies(&self) -> bool {
        self.buffer.offset() == self.reply_start && self.buffer.unread().is_empty()
    }

    /// The first byte of a reply that has begun and is not complete: what type it is of.
    #[must_use]
    pub fn begun(&self) -> Option<u8> {
        let aggregate = self.open.first().map(|aggregate| aggregate.type_byte);
        let blob = self.blob.as_ref().map(|blob| blob.type_byte);
        let unread = self.buffer.unread().first().copied();
        aggregate.or(blob).or(unread)
    }

    /// How many bytes the read buffer holds or has room for.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.buffer.capacity()
    }

    #[cfg(test)]
    pub(super) fn work(&self) -> u64 {
        self.buffer.work
    }

    /// Nothing is kept of what follows an error.
    fn discard_if_failed(&mut self) {
        if self.failed.is_some() {
            self.buffer.abandon();
        }
    }

    fn advance(&mut self) -> Result<Option<Value>, DecodeError> {
        loop {
            let mut value = match self.step()? {
                Step::Value(value) => value,
                Step::Opened => continue,
                Step::Incomplete => return Ok(None),
            };
            loop {
                let Some(parent) = self.open.last_mut() else {
                    self.reply_start = self.buffer.offset();
                    return Ok(Some(value));
                };
                if !parent.push(value) {
                    break;
                }
                let Some(full) = self.open.pop() else { break };
                let (offset, type_byte) = (full.offset, full.type_byte);
                value = full
                    .into_value()
                    .map_err(|fault| DecodeError::new(fault, offset, Some(type_byte)))?;
            }
        }
    }

    fn step(&mut self) -> Result<Step, DecodeError> {
        if let Some(blob) = self.blob.take() {
            return self.fill(blob);
        }
        let offset = self.buffer.offset();
        let budget = self.budget();
        // Not to be looked at where there must be none: errors would depend on the fragmentation.
        let first = self.buffer.unread().first().filter(|_| budget > 0);
        let first = first.copied();
        let step = match first {
            Some(type_byte) => self.element(type_byte, budget),
            None => self.incomplete(),
        };
        step.map_err(|fault| DecodeError::new(fault, offset, first))
    }

    /// Begins the value of a type, which may have `budget` bytes. A fault leaves it unconsumed.
    fn element(&mut self, type_byte: u8, budget: usize) -> Result<Step, DecodeFault> {
        if self.open.len() >= self.limits.max_depth {
            return Err(DecodeFault::TooDeep {
                max_depth: self.limits.max_depth,
            });
        }
        match type_byte {
            b'$' | b'!' | b'=' => self.blob(type_byte, budget),
            b':' => match self.number(budget, DecodeFault::Integer)? {
                Some((value, used)) => {
                    self.buffer.consume(used);
                    Ok(Step::Value(Value::Int(value)))
                }
                None => self.incomplete(),
            },
            b'*' | b'~' | b'%' | b'|' | b'>' => self.aggregate(type_byte, budget),
            b'+' | b'-' | b'_' | b',' | b'#' | b'(' => self.line(type_byte, budget),
            _ => Err(DecodeFault::UnknownType),
        }
    }

    /// How many bytes the reply may still have.
    fn budget(&self) -> usize {
        let so_far = self.buffer.offset() - self.reply_start;
        usize::try_from(so_far).map_or(0, |so_far| {
            self.limits.max_reply_size.saturating_sub(so_far)
        })
    }

    /// More bytes are needed, which is an error if there must not be more. What is decided about a
    /// reply thus does not depend on how it was fragmented.
    fn incomplete(&self) -> Result<Step, DecodeFault> {
        if self.buffer.unread().len() >= self.budget() {
            Err(self.too_large())
        } else {
            Ok(Step::Incomplete)
        }
    }

    fn too_large(&self) -> DecodeFault {
        DecodeFault::TooLarge {
            max_reply_size: self.limits.max_reply_size,
        }
    }

    /// The number after the type byte, and how long both are together.
    fn number(
        &mut self,
        budget: usize,
        malformed: DecodeFault,
    ) -> Result<Option<(i64, usize)>, DecodeFault> {
        let unread = self.buffer.unread();
        let line = unread.get(1..unread.len().min(budget)).unwrap_or_default();
        let (outcome, looked_at) = match number(line) {
            Number::Complete { value, used } => (Ok(Some((value, used + 1))), used),
            Number::Incomplete => (Ok(None), line.len()),
            Number::Malformed => (Err(malformed), 0),
        };
        self.buffer.note(looked_at);
        outcome
    }

    /// The length after the type byte, `None` if it is null, and how long both are together.
    fn length(&mut self, budget: usize) -> Result<Option<(Option<usize>, usize)>, DecodeFault> {
        let malformed = match self.buffer.unread().get(1) {
            Some(b'?') => DecodeFault::Streamed,
            _ => DecodeFault::Length,
        };
        let Some((value, used)) = self.number(budget, malformed)? else {
            return Ok(None);
        };
        match usize::try_from(value) {
            Ok(length) => Ok(Some((Some(length), used))),
            Err(_) if value == -1 => Ok(Some((None, used))),
            Err(_) if value < 0 => Err(DecodeFault::Length),
            Err(_) => Err(self.too_large()),
        }
    }

    fn blob(&mut self, type_byte: u8, budget: usize) -> Result<Step, DecodeFault> {
        let (length, header) = match self.length(budget)? {
            Some((Some(length), header)) => (length, header),
            Some((None, header)) if type_byte == b'$' => {
                self.buffer.consume(header);
                return Ok(Step::Value(Value::Nil));
            }
            Some((None, _)) => return Err(DecodeFault::Length),
            None => return self.incomplete(),
        };
        let frame = length
            .checked_add(header + 2)
            .filter(|&frame| frame <= budget)
            .ok_or_else(|| self.too_large())?;
        let unread = self.buffer.unread();
        let Some(complete) = unread.get(header..frame) else {
            let blob = Blob::new(type_byte, self.buffer.offset(), length);
            self.buffer.consume(header);
            self.blob = Some(blob);
            return Ok(Step::Opened);
        };
        let payload = complete
            .strip_suffix(b"\r\n")
            .ok_or(DecodeFault::Terminator)?;
        let value = match self.skips {
            true => Value::Nil,
            false => blob::value(type_byte, payload)?,
        };
        self.buffer.note(length);
        self.buffer.consume(frame);
        Ok(Step::Value(value))
    }

    fn fill(&mut self, mut blob: Blob) -> Result<Step, DecodeError> {
        let (offset, type_byte) = (blob.offset, blob.type_byte);
        let error = |fault| DecodeError::new(fault, offset, Some(type_byte));
        let taken = blob.fill(self.buffer.unread()).map_err(error)?;
        self.buffer.note(taken);
        self.buffer.consume(taken);
        let end_of_line = match self.buffer.unread() {
            _ if !blob.is_full() => false,
            [b'\r', b'\n', ..] => true,
            [] | [b'\r'] => false,
            _ => return Err(error(DecodeFault::Terminator)),
        };
        if !end_of_line {
            self.blob = Some(blob);
            return Ok(Step::Incomplete);
        }
        self.buffer.consume(2);
        let value = match self.skips {
            true => Value::Nil,
            false => blob.into_value().map_err(error)?,
        };
        Ok(Step::Value(value))
    }

    fn aggregate(&mut self, type_byte: u8, budget: usize) -> Result<Step, DecodeFault> {
        let Some((length, header)) = self.length(budget)? else {
            return self.incomplete();
        };
        let Some(length) = length else {
            // RESP2 has a null array only; redis-rs knows a null set and a null push as well.
            let value = match type_byte {
                b'*' | b'~' => Value::Nil,
                b'>' => aggregate::empty(type_byte),
                _ => return Err(DecodeFault::Length),
            };
            self.buffer.consume(header);
            return Ok(Step::Value(value));
        };
        let elements = aggregate::elements(type_byte, length)
            .filter(|elements| elements.saturating_mul(SHORTEST_ELEMENT) <= budget - header)
            .ok_or_else(|| self.too_large())?;
        let offset = self.buffer.offset();
        self.buffer.consume(header);
        if elements == 0 {
            return Ok(Step::Value(aggregate::empty(type_byte)));
        }
        let aggregate = match self.skips {
            true => Aggregate::skipped(type_byte, offset, elements),
            false => Aggregate::new(type_byte, offset, elements),
        };
        self.open.push(aggregate);
        Ok(Step::Opened)
    }

    fn line(&mut self, type_byte: u8, budget: usize) -> Result<Step, DecodeFault> {
        let unread = self.buffer.unread();
        let view = unread.get(..budget).unwrap_or(unread);
        let found = line::end(view, self.searched);
        let looked_at = found.unwrap_or(view.len()).saturating_sub(self.searched);
        // Without its end, the line is known to have all of this but a carriage return, perhaps.
        let length = found
            .unwrap_or(view.len().saturating_sub(1))
            .saturating_sub(1);
        if let Some((longest, fault)) = line::longest(type_byte)
            && length > longest
        {
            return Err(fault);
        }
        let value = match found {
            Some(_) if self.skips => Value::Nil,
            Some(end) => line::value(type_byte, view.get(1..end).unwrap_or_default())?,
            None => {
                self.searched = view.len();
                self.buffer.note(looked_at);
                return self.incomplete();
            }
        };
        self.buffer.note(looked_at);
        self.searched = 0;
        self.buffer.consume(length + 3);
        Ok(Step::Value(value))
    }
}
