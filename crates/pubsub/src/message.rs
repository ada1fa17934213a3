//! One published message.

use std::fmt;
use std::sync::Arc;

use redis_manager_core::redis::{PushInfo, PushKind, Value};
use redis_manager_core::{ChannelKind, Error, ErrorKind, Result};
use serde::de::DeserializeOwned;

/// A message as it came from the server: bytes on a channel of bytes. Cheap to clone: all listeners of a channel
/// share one.
///
/// ```
/// use redis_manager_pubsub::Message;
///
/// let message = Message::new("global", r#"{"player":"alice","coins":3}"#);
/// #[derive(serde::Deserialize)]
/// struct Earned { player: String, coins: u32 }
/// let earned: Earned = message.payload_as()?;
/// assert_eq!((earned.player.as_str(), earned.coins), ("alice", 3));
/// # Ok::<(), redis_manager_core::Error>(())
/// ```
#[derive(Clone)]
pub struct Message {
    content: Arc<Content>,
    /// How many bytes of the channel and the pattern are the prefix of the script that hears it.
    hidden: u8,
}

#[derive(Clone)]
struct Content {
    channel: Vec<u8>,
    pattern: Option<Vec<u8>>,
    payload: Vec<u8>,
}

impl Message {
    /// Makes a message, as the server would send it; for the tests of a listener.
    #[must_use]
    pub fn new(channel: impl Into<Vec<u8>>, payload: impl Into<Vec<u8>>) -> Self {
        Self::from_parts(channel.into(), None, payload.into())
    }

    /// The same message, as a listener to `pattern` gets it; for the tests of a listener.
    #[must_use]
    pub fn with_pattern(self, pattern: impl Into<Vec<u8>>) -> Self {
        let Content {
            channel, payload, ..
        } = Arc::unwrap_or_clone(self.content);
        Self::from_parts(channel, Some(pattern.into()), payload)
    }

    fn from_parts(channel: Vec<u8>, pattern: Option<Vec<u8>>, payload: Vec<u8>) -> Self {
        let content = Arc::new(Content {
            channel,
            pattern,
            payload,
        });
        Self { content, hidden: 0 }
    }

    /// The same message, without the first bytes of its channel and its pattern.
    pub(crate) fn hiding(&self, hidden: u8) -> Self {
        Self {
            content: Arc::clone(&self.content),
            hidden,
        }
    }

    fn shown<'a>(&self, name: &'a [u8]) -> &'a [u8] {
        name.get(usize::from(self.hidden)..).unwrap_or_default()
    }

    /// Reads a message out of what the server sent unasked, and what kind of subscription it came by; `None`
    /// if it is something else.
    pub(crate) fn from_push(push: PushInfo) -> Option<(ChannelKind, Self)> {
        let kind = match push.kind {
            PushKind::Message => ChannelKind::Plain,
            PushKind::PMessage => ChannelKind::Pattern,
            PushKind::SMessage => ChannelKind::Shard,
            _ => return None,
        };
        let mut parts = push.data.into_iter().map(|part| match part {
            Value::BulkString(bytes) => Some(bytes),
            _ => None,
        });
        let mut next = || parts.next().flatten();
        let pattern = match kind {
            ChannelKind::Pattern => Some(next()?),
            _ => None,
        };
        Some((kind, Self::from_parts(next()?, pattern, next()?)))
    }

    /// The channel that it was published to.
    #[must_use]
    pub fn channel(&self) -> &[u8] {
        self.shown(&self.content.channel)
    }

    /// The channel as text.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Conversion`] if it is no UTF-8.
    pub fn channel_str(&self) -> Result<&str> {
        text(self.channel(), "channel")
    }

    /// The pattern that the channel matched, if the listener registered for a pattern.
    #[must_use]
    pub fn pattern(&self) -> Option<&[u8]> {
        let pattern = self.content.pattern.as_deref();
        pattern.map(|pattern| self.shown(pattern))
    }

    /// What was published.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.content.payload
    }

    /// What was published, as text.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Conversion`] if it is no UTF-8.
    pub fn payload_str(&self) -> Result<&str> {
        text(&self.content.payload, "payload")
    }

    /// What was published, read as JSON.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Conversion`] if it is no JSON, or none that fits `T`. The error tells where, and
    /// nothing of the payload.
    pub fn payload_as<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.content.payload).map_err(|error| {
            let reason = match error.classify() {
                serde_json::error::Category::Data => "is JSON of another form",
                _ => "is no JSON",
            };
            Error::new(
                ErrorKind::Conversion,
                format!(
                    "the payload {reason}, at line {} column {}",
                    error.line(),
                    error.column()
                ),
            )
        })
    }

    /// What it came by: the pattern, or the channel.
    pub(crate) fn subscription(&self) -> &[u8] {
        self.pattern().unwrap_or(self.channel())
    }

    /// How much it weighs in a queue that is bounded by bytes.
    pub(crate) fn size(&self) -> usize {
        let pattern = self.content.pattern.as_ref().map_or(0, Vec::len);
        self.content.channel.len() + pattern + self.content.payload.len()
    }
}

fn text<'a>(bytes: &'a [u8], part: &str) -> Result<&'a str> {
    std::str::from_utf8(bytes).map_err(|error| {
        Error::new(ErrorKind::Conversion, format!("the {part} is no UTF-8")).with_source(error)
    })
}

impl PartialEq for Message {
    fn eq(&self, other: &Self) -> bool {
        self.channel() == other.channel()
            && self.pattern() == other.pattern()
            && self.payload() == other.payload()
    }
}

impl Eq for Message {}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("channel", &String::from_utf8_lossy(self.channel()))
            .field("pattern", &self.pattern().map(String::from_utf8_lossy))
            .field("payload_len", &self.content.payload.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(kind: PushKind, data: &[&str]) -> PushInfo {
        PushInfo {
            kind,
            data: data
                .iter()
                .map(|part| Value::BulkString(part.as_bytes().to_vec()))
                .collect(),
        }
    }

    #[test]
    fn only_a_message_is_a_message() {
        let hello = Message::new("global", "hello");
        let message = push(PushKind::Message, &["global", "hello"]);
        assert_eq!(
            Message::from_push(message),
            Some((ChannelKind::Plain, hello.clone()))
        );
        let by_pattern = push(PushKind::PMessage, &["glo*", "global", "hello"]);
        assert_eq!(
            Message::from_push(by_pattern),
            Some((ChannelKind::Pattern, hello.clone().with_pattern("glo*")))
        );
        let by_shard = push(PushKind::SMessage, &["global", "hello"]);
        assert_eq!(
            Message::from_push(by_shard),
            Some((ChannelKind::Shard, hello))
        );
        assert!(Message::from_push(push(PushKind::PMessage, &["global", "hello"])).is_none());
        assert!(Message::from_push(push(PushKind::Subscribe, &["global", "1"])).is_none());
        assert!(Message::from_push(push(PushKind::Message, &["global"])).is_none());
        assert!(Message::from_push(push(PushKind::Disconnection, &[])).is_none());
    }

    #[test]
    fn what_a_script_does_not_see_of_a_message_is_not_there() {
        let message = Message::new("p:global", "hello").with_pattern("p:glo*");
        let shown = message.hiding(2);
        assert_eq!(shown, Message::new("global", "hello").with_pattern("glo*"));
        assert_eq!(shown.channel_str().unwrap(), "global");
        assert!(!format!("{shown:?}").contains("p:"));
        assert_eq!(shown.payload().as_ptr(), message.payload().as_ptr());
        assert_eq!(message.hiding(200).channel(), b"");
    }

    #[test]
    fn bytes_that_are_no_text_say_so() {
        let message = Message::new("global", [0xff, 0xfe]);
        assert_eq!(message.payload(), [0xff, 0xfe]);
        let error = message.payload_str().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conversion);
        assert_eq!(error.message(), "the payload is no UTF-8");
    }

    #[test]
    fn an_error_about_a_payload_does_not_contain_it() {
        let message = Message::new("global", r#"{"token":"s3cret"}"#);
        let error = message.payload_as::<Vec<u32>>().unwrap_err();
        assert_eq!(
            error.message(),
            "the payload is JSON of another form, at line 1 column 0"
        );
        assert!(!format!("{error:?} {message:?}").contains("s3cret"));
    }
}
