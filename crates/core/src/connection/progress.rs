//! How far a connection got that is being made.

use std::sync::atomic::{AtomicBool, Ordering};

/// Left by who connects, for who tells that it took too long.
#[derive(Debug, Default)]
pub(super) struct Progress {
    waits_for_tls: AtomicBool,
    waits_for_credentials: AtomicBool,
}

impl Progress {
    /// The server was reached, and is to answer the TLS handshake.
    #[cfg(feature = "tls")]
    pub(super) fn tls_began(&self) {
        self.waits_for_tls.store(true, Ordering::Relaxed);
    }

    /// It did.
    #[cfg(feature = "tls")]
    pub(super) fn tls_ended(&self) {
        self.waits_for_tls.store(false, Ordering::Relaxed);
    }

    /// The credentials provider is asked.
    pub(super) fn asking_began(&self) {
        self.waits_for_credentials.store(true, Ordering::Relaxed);
    }

    /// It has answered.
    pub(super) fn asking_ended(&self) {
        self.waits_for_credentials.store(false, Ordering::Relaxed);
    }

    /// What there is to say of a connection that took too long.
    pub(super) fn hint(&self) -> &'static str {
        if self.waits_for_tls.load(Ordering::Relaxed) {
            ": the TLS handshake is not answered; if the port does not speak TLS, the URI begins with redis://"
        } else if self.waits_for_credentials.load(Ordering::Relaxed) {
            ": the credentials provider has not answered"
        } else {
            ""
        }
    }
}
