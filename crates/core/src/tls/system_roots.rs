//! The authorities that the system trusts.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rustls::RootCertStore;

use crate::{Error, ErrorKind, Result};

/// How long they are taken for current. Reading them takes some ten milliseconds, and many clients connect at once.
const FRESH: Duration = Duration::from_secs(60);

#[derive(Default)]
pub(super) struct SystemRoots(Mutex<Option<Known>>);

struct Known {
    roots: Arc<RootCertStore>,
    read: Instant,
}

impl SystemRoots {
    /// The authorities of the system; the same ones as before if nothing has changed. Blocks while they are read.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unsupported`] if there are none.
    pub(super) fn get(&self) -> Result<Arc<RootCertStore>> {
        let mut known = self.0.lock();
        if let Some(known) = &*known
            && known.read.elapsed() < FRESH
        {
            return Ok(Arc::clone(&known.roots));
        }
        let mut roots = load()?;
        if let Some(known) = &*known
            && known.roots.roots == roots.roots
        {
            roots = Arc::clone(&known.roots);
        }
        *known = Some(Known {
            roots: Arc::clone(&roots),
            read: Instant::now(),
        });
        Ok(roots)
    }
}

fn load() -> Result<Arc<RootCertStore>> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // Systems have some that nobody can use; what is signed by those is refused.
    roots.add_parsable_certificates(found.certs);
    if !roots.is_empty() {
        return Ok(Arc::new(roots));
    }
    let reason = found.errors.first().map(|error| format!(": {error}"));
    Err(Error::new(
        ErrorKind::Unsupported,
        format!(
            "the system trusts no certificate authority that could be found{}; name one with the option `tls.ca`",
            reason.unwrap_or_default()
        ),
    ))
}
