//! The types that announce their length in bytes: bulk string, blob error, verbatim string.

use redis::{Value, VerbatimFormat};

use super::error::DecodeFault;
use super::server_error::server_error;

/// How much of an announced length is allocated before that much has arrived. A peer that announces
/// much and sends little costs no more than this.
const EAGER: usize = 1 << 20;

/// A string of which only a part has arrived. What has is here rather than in the read buffer, so
/// that the buffer stays small and each byte is copied once.
#[derive(Debug)]
pub(super) struct Blob {
    pub(super) type_byte: u8,
    /// Where in the stream its type byte was.
    pub(super) offset: u64,
    length: usize,
    payload: Vec<u8>,
}

impl Blob {
    pub(super) fn new(type_byte: u8, offset: u64, length: usize) -> Self {
        Self {
            type_byte,
            offset,
            length,
            payload: Vec::new(),
        }
    }

    /// Takes what belongs to it from the front of `bytes`, and says how much that was.
    pub(super) fn fill(&mut self, bytes: &[u8]) -> Result<usize, DecodeFault> {
        let missing = self.length - self.payload.len();
        let taken = missing.min(bytes.len());
        if self.payload.capacity() - self.payload.len() < taken {
            let eager = if self.payload.is_empty() {
                missing.min(EAGER.max(taken))
            } else {
                missing
            };
            self.payload
                .try_reserve_exact(eager)
                .map_err(|_| DecodeFault::OutOfMemory)?;
        }
        self.payload
            .extend_from_slice(bytes.get(..taken).unwrap_or_default());
        Ok(taken)
    }

    pub(super) fn is_full(&self) -> bool {
        self.payload.len() == self.length
    }

    pub(super) fn into_value(self) -> Result<Value, DecodeFault> {
        match self.type_byte {
            b'$' => Ok(Value::BulkString(self.payload)),
            other => text_value(other, &self.payload),
        }
    }
}

/// The value of a payload that has arrived as a whole.
pub(super) fn value(type_byte: u8, payload: &[u8]) -> Result<Value, DecodeFault> {
    match type_byte {
        b'$' => Ok(Value::BulkString(payload.to_vec())),
        other => text_value(other, payload),
    }
}

fn text_value(type_byte: u8, payload: &[u8]) -> Result<Value, DecodeFault> {
    match type_byte {
        b'!' => server_error(payload),
        _ => verbatim(payload),
    }
}

/// The specification gives the format three bytes; redis-rs takes what stands before the first colon,
/// and decodes lossily, so the same is done here.
fn verbatim(payload: &[u8]) -> Result<Value, DecodeFault> {
    let payload = String::from_utf8_lossy(payload);
    let (format, text) = payload.split_once(':').ok_or(DecodeFault::Verbatim)?;
    let format = match format {
        "txt" => VerbatimFormat::Text,
        "mkd" => VerbatimFormat::Markdown,
        other => VerbatimFormat::Unknown(other.to_owned()),
    };
    Ok(Value::VerbatimString {
        format,
        text: text.to_owned(),
    })
}
