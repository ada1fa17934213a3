//! How much may wait for one listener.

use redis_manager_core::{ClientOptions, Error, ErrorKind, Overflow, Result};

/// How much may wait, and what happens to what is too much.
#[derive(Clone, Copy, Debug)]
pub(crate) struct QueueLimits {
    pub(crate) messages: usize,
    pub(crate) bytes: usize,
    pub(crate) overflow: Overflow,
}

impl QueueLimits {
    pub(crate) fn new(options: &ClientOptions) -> Self {
        Self {
            messages: options.listener_queue_size(),
            bytes: options.listener_queue_bytes(),
            overflow: options.overflow(),
        }
    }

    pub(crate) fn check(&self) -> Result<()> {
        for (name, limit) in [("queue_size", self.messages), ("queue_bytes", self.bytes)] {
            if limit == 0 {
                let message = format!("a listener's `{name}` is 0; it must be at least 1");
                return Err(Error::new(ErrorKind::InvalidArgument, message));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_needs_room() {
        let mut limits = QueueLimits::new(&ClientOptions::default());
        limits.check().unwrap();
        limits.messages = 0;
        assert_eq!(
            limits.check().unwrap_err().message(),
            "a listener's `queue_size` is 0; it must be at least 1"
        );
    }
}
