//! How far a connection got that is being made.

#[cfg(feature = "tls")]
use std::sync::Arc;

use parking_lot::Mutex;

use super::endpoint::Endpoint;
use super::scheme_hint::without_tls;
use crate::RedisUri;
#[cfg(feature = "tls")]
use crate::tls::TlsFiles;

/// Left by who connects, for who tells that it took too long.
#[derive(Debug, Default)]
pub(super) struct Progress(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Where it goes, once that is known.
    endpoint: Option<Endpoint>,
    awaited: Awaited,
}

/// Whose turn it is.
#[derive(Debug, Default)]
enum Awaited {
    /// Nobody's of whom there is something to say.
    #[default]
    Nobody,
    /// The server's, which was reached, and is to answer the TLS handshake.
    #[cfg_attr(not(feature = "tls"), expect(dead_code, reason = "there is none"))]
    Tls,
    /// That of files, which are read for the TLS handshake.
    #[cfg(feature = "tls")]
    Files(Arc<TlsFiles>),
    /// That of the credentials provider, which calls itself so.
    Credentials(String),
}

impl Progress {
    /// A connection to `endpoint` is begun.
    pub(super) fn began(&self, endpoint: &Endpoint) {
        *self.0.lock() = State {
            endpoint: Some(endpoint.clone()),
            awaited: Awaited::Nobody,
        };
    }

    /// `files` are read, and nothing more is done before.
    #[cfg(feature = "tls")]
    pub(super) fn reading_began(&self, files: &Arc<TlsFiles>) {
        self.0.lock().awaited = Awaited::Files(Arc::clone(files));
    }

    /// The server was reached, and is to answer the TLS handshake.
    #[cfg(feature = "tls")]
    pub(super) fn tls_began(&self) {
        self.0.lock().awaited = Awaited::Tls;
    }

    /// The credentials provider is asked, which calls itself `name`.
    pub(super) fn asking_began(&self, name: String) {
        self.0.lock().awaited = Awaited::Credentials(name);
    }

    /// Whoever was waited for has answered.
    pub(super) fn answered(&self) {
        self.0.lock().awaited = Awaited::Nobody;
    }

    /// Where the connection went, if it was known where to.
    pub(super) fn address(&self) -> Option<String> {
        self.0.lock().endpoint.as_ref().map(Endpoint::to_string)
    }

    /// What there is to say of a connection for `uri` that took too long.
    pub(super) fn hint(&self, uri: &RedisUri) -> String {
        let state = self.0.lock();
        match (&state.awaited, &state.endpoint) {
            (Awaited::Tls, Some(endpoint)) => {
                let plain = without_tls(uri, endpoint);
                format!(
                    ": the TLS handshake is not answered; if the port does not speak TLS, {plain}"
                )
            }
            #[cfg(feature = "tls")]
            (Awaited::Files(files), _) => format!(": {} has not been read", files.awaited()),
            (Awaited::Credentials(name), _) => format!(": {name} has not answered"),
            (Awaited::Nobody | Awaited::Tls, _) => String::new(),
        }
    }
}
