//! How much a peer may make the decoder hold.

/// What a [`Decoder`](super::Decoder) accepts, and when it gives memory back.
///
/// ```
/// use redis_manager_core::resp::DecoderLimits;
///
/// let limits = DecoderLimits { max_reply_size: 1 << 20, ..DecoderLimits::default() };
/// assert_eq!(limits.max_depth, 100);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecoderLimits {
    /// The bytes that one reply may have on the wire, nested ones included; 512 MiB by default, which
    /// is the longest string that Redis keeps.
    ///
    /// Decoded, a reply of very small elements takes a multiple of that: a [`redis::Value`] has dozens
    /// of bytes, the smallest element on the wire three.
    pub max_reply_size: usize,
    /// How deep replies may be nested, the outermost counted; 100 by default, as in redis-rs. More
    /// than 1 000 is taken as 1 000, because dropping a value recurses.
    pub max_depth: usize,
    /// When consumed : unconsumed bytes of the read buffer pass this, the consumed ones are reclaimed,
    /// and so is capacity that passes what is in use by this much; 3 by default, as in lettuce. 0 is
    /// taken as 1.
    pub buffer_usage_ratio: usize,
}

/// Dropping a nested [`redis::Value`] takes a stack frame or two for each level.
const DEEPEST: usize = 1_000;

impl DecoderLimits {
    pub(super) fn clamped(self) -> Self {
        Self {
            max_reply_size: self.max_reply_size.max(1),
            max_depth: self.max_depth.min(DEEPEST),
            buffer_usage_ratio: self.buffer_usage_ratio.max(1),
        }
    }
}

impl Default for DecoderLimits {
    fn default() -> Self {
        Self {
            max_reply_size: 512 << 20,
            max_depth: 100,
            buffer_usage_ratio: 3,
        }
    }
}
