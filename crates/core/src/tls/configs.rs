//! The configurations of TLS that clients have in common.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::files::TlsFiles;
use super::system_roots::SystemRoots;
use crate::{TlsOptions, VerifyPeer};

/// By what the user asks for. Shared, because a configuration with the system's authorities takes some hundred kilobytes,
/// and because a server that was connected to before is connected to with less work.
#[derive(Default)]
pub(crate) struct TlsConfigs {
    known: Mutex<HashMap<(TlsOptions, VerifyPeer), Arc<TlsFiles>>>,
    system_roots: Arc<SystemRoots>,
}

impl TlsConfigs {
    /// The files that `options` name, and what was made of them last.
    pub(crate) fn files(&self, options: &TlsOptions, verify_peer: VerifyPeer) -> Arc<TlsFiles> {
        let mut known = self.known.lock();
        let key = (options.clone(), verify_peer);
        if let Some(files) = known.get(&key) {
            return Arc::clone(files);
        }
        known.retain(|_, files| Arc::strong_count(files) > 1 || files.is_used());
        let files = TlsFiles::new(options, verify_peer, &self.system_roots);
        Arc::clone(known.entry(key).or_insert(files))
    }
}
