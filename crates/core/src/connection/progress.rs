//! How far a connection got that is being made.

use parking_lot::Mutex;

use super::endpoint::Endpoint;
use super::scheme_hint::without_tls;
use crate::RedisUri;

/// Left by who connects, for who tells that it took too long.
#[derive(Debug, Default)]
pub(super) struct Progress(Mutex<Awaited>);

/// Whose turn it is.
#[derive(Debug, Default)]
enum Awaited {
    /// Nobody's of whom there is something to say.
    #[default]
    Nobody,
    /// The server's, which was reached, and is to answer the TLS handshake.
    #[cfg_attr(not(feature = "tls"), expect(dead_code, reason = "there is none"))]
    Tls(Endpoint),
    /// The credentials provider's.
    Credentials,
}

impl Progress {
    /// The server at `endpoint` was reached, and is to answer the TLS handshake.
    #[cfg(feature = "tls")]
    pub(super) fn tls_began(&self, endpoint: &Endpoint) {
        *self.0.lock() = Awaited::Tls(endpoint.clone());
    }

    /// The credentials provider is asked.
    pub(super) fn asking_began(&self) {
        *self.0.lock() = Awaited::Credentials;
    }

    /// Whoever was waited for has answered.
    pub(super) fn answered(&self) {
        *self.0.lock() = Awaited::Nobody;
    }

    /// What there is to say of a connection for `uri` that took too long.
    pub(super) fn hint(&self, uri: &RedisUri) -> String {
        match &*self.0.lock() {
            Awaited::Nobody => String::new(),
            Awaited::Tls(endpoint) => {
                let plain = without_tls(uri, endpoint);
                format!(
                    ": the TLS handshake is not answered; if the port does not speak TLS, {plain}"
                )
            }
            Awaited::Credentials => ": the credentials provider has not answered".to_owned(),
        }
    }
}
