//! The end of a socket before its client's.

use std::sync::{Arc, OnceLock};

use tokio_util::sync::CancellationToken;

/// Whether a socket is needed no more, and why. Had by who decides that, and by who keeps the socket connected.
#[derive(Clone, Debug, Default)]
pub(super) struct Retirement(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    reason: OnceLock<String>,
    begun: CancellationToken,
}

impl Retirement {
    /// Ends the socket, for `reason`. If there is one already, that stays.
    pub(super) fn begin(&self, reason: impl Into<String>) {
        let Self(inner) = self;
        inner.reason.get_or_init(|| reason.into());
        inner.begun.cancel();
    }

    pub(super) fn has_begun(&self) -> bool {
        self.0.begun.is_cancelled()
    }

    /// Completes with the reason when it has begun.
    pub(super) async fn reason(self) -> String {
        let Self(inner) = self;
        inner.begun.cancelled().await;
        inner.reason.get().cloned().unwrap_or_default()
    }

    /// Runs `connecting` until it has begun; `None` if that was earlier.
    pub(super) async fn unless_begun<T>(&self, connecting: impl Future<Output = T>) -> Option<T> {
        self.0.begun.run_until_cancelled(connecting).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_reason_is_told_to_whoever_keeps_the_socket() {
        let retirement = Retirement::default();
        let told = tokio::spawn(retirement.clone().reason());
        assert_eq!(retirement.unless_begun(async { 7 }).await, Some(7));
        assert!(!retirement.has_begun());
        retirement.begin("one");
        retirement.begin("another");
        assert_eq!(told.await.unwrap(), "one");
        assert!(retirement.has_begun());
        let never = std::future::pending::<()>();
        assert_eq!(retirement.unless_begun(never).await, None);
    }
}
