//! Messages of one channel that came at once.

use std::ops::Range;
use std::sync::Arc;

use crate::Message;

/// Messages that all listeners of a channel share, so that each costs a listener nothing before its call. Cheap to
/// clone.
#[derive(Clone)]
pub(crate) struct Burst {
    messages: Arc<[Message]>,
    /// What they weigh together.
    size: usize,
}

impl Burst {
    pub(crate) fn new(messages: impl Into<Arc<[Message]>>) -> Self {
        let messages = messages.into();
        let size = messages.iter().map(Message::size).sum();
        Self { messages, size }
    }

    #[inline]
    pub(crate) fn messages(&self) -> &[Message] {
        &self.messages
    }

    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// What some of them weigh together.
    pub(crate) fn size_of(&self, range: Range<usize>) -> usize {
        let some = self.messages.get(range).unwrap_or_default();
        some.iter().map(Message::size).sum()
    }

    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.messages, &other.messages)
    }

    #[cfg(test)]
    pub(crate) fn holders(&self) -> usize {
        Arc::strong_count(&self.messages)
    }
}
