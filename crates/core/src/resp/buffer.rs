//! The bytes that have arrived and are not decoded yet.

/// What an idle connection keeps.
const SMALLEST_READ: usize = 1 << 10;
/// What one read asks for when much arrives. Twice as much was no faster.
const LARGEST_READ: usize = 128 << 10;
/// After how many reads that would have fitted a quarter the next ones ask for half.
const PATIENCE: u8 = 4;

/// A buffer that is written at its end, read at its front, and gives memory back.
#[derive(Debug)]
pub(super) struct ReadBuffer {
    bytes: Vec<u8>,
    /// How many of `bytes` are consumed.
    read: usize,
    /// How many were consumed since the beginning of the stream.
    consumed: u64,
    usage_ratio: usize,
    /// What the next read asks for.
    ask: usize,
    /// What the last read could have brought.
    offered: usize,
    /// Where in the stream the last read began.
    offered_at: u64,
    small_reads: u8,
    /// Bytes looked at, copied or moved, for the tests that bound them.
    #[cfg(test)]
    pub(super) work: u64,
}

impl ReadBuffer {
    pub(super) fn new(usage_ratio: usize) -> Self {
        Self {
            bytes: Vec::new(),
            read: 0,
            consumed: 0,
            usage_ratio,
            ask: SMALLEST_READ,
            offered: 0,
            offered_at: 0,
            small_reads: 0,
            #[cfg(test)]
            work: 0,
        }
    }

    pub(super) fn unread(&self) -> &[u8] {
        self.bytes.get(self.read..).unwrap_or_default()
    }

    pub(super) fn consume(&mut self, count: usize) {
        self.read += count;
        self.consumed += count as u64;
    }

    /// Where in the stream the first unread byte is.
    pub(super) fn offset(&self) -> u64 {
        self.consumed
    }

    pub(super) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    pub(super) fn feed(&mut self, bytes: &[u8]) {
        if self.bytes.capacity() - self.bytes.len() < bytes.len() {
            self.make_room(bytes.len());
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// The bytes, with room for a read at their end.
    pub(super) fn space(&mut self) -> &mut Vec<u8> {
        self.learn();
        if self.bytes.capacity() - self.bytes.len() < self.ask / 2 {
            self.make_room(self.ask);
        }
        self.offered = self.bytes.capacity() - self.bytes.len();
        self.offered_at = self.consumed + self.unread().len() as u64;
        &mut self.bytes
    }

    /// Asks for more after a read that filled what it was offered, for less after some that did not
    /// nearly, so that a busy connection makes few system calls and an idle one holds little memory.
    fn learn(&mut self) {
        let arrived = self.consumed + self.unread().len() as u64;
        let brought = arrived.saturating_sub(self.offered_at);
        let brought = usize::try_from(brought).unwrap_or(usize::MAX);
        if self.offered > 0 && brought >= self.offered {
            self.ask = (self.ask * 2).min(LARGEST_READ);
            self.small_reads = 0;
        } else if brought >= self.ask / 4 {
            self.small_reads = 0;
        } else if brought > 0 {
            self.small_reads += 1;
            if self.small_reads >= PATIENCE {
                self.small_reads = 0;
                self.ask = (self.ask / 2).max(SMALLEST_READ);
                if self.unread().is_empty() {
                    self.discard_read();
                    self.bytes.shrink_to(self.ask);
                }
            }
        }
    }

    fn make_room(&mut self, room: usize) {
        if self.read > self.usage_ratio.saturating_mul(self.unread().len()) {
            self.discard_read();
        }
        if self.bytes.capacity() - self.bytes.len() < room {
            self.note(self.bytes.len());
            self.bytes.reserve(room);
        }
    }

    /// Gives back what is consumed once it passes the usage ratio. Called often: what it moves is
    /// less than what was consumed since it last moved anything.
    pub(super) fn reclaim(&mut self) {
        let unread = self.unread().len();
        let passed = self.read > self.usage_ratio.saturating_mul(unread);
        if unread == 0 || (passed && self.read >= self.ask) {
            self.discard_read();
            let useful = unread + self.ask;
            if self.bytes.capacity() > useful.saturating_mul(self.usage_ratio.saturating_add(1)) {
                self.note(unread);
                self.bytes.shrink_to(useful);
            }
        }
    }

    /// Forgets what is unread, and gives all memory back.
    pub(super) fn abandon(&mut self) {
        self.bytes = Vec::new();
        self.read = 0;
    }

    fn discard_read(&mut self) {
        self.note(self.unread().len());
        self.bytes.drain(..self.read.min(self.bytes.len()));
        self.read = 0;
    }

    #[cfg(test)]
    pub(super) fn note(&mut self, work: usize) {
        self.work += work as u64;
    }

    #[cfg(not(test))]
    pub(super) fn note(&mut self, _work: usize) {}
}
