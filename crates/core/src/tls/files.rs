//! The files of one set of options.

use std::fmt;
use std::sync::{Arc, Weak};

use rustls::{ClientConfig, RootCertStore};
use tokio::task::spawn_blocking;

use super::client_config::{check, client_config};
use super::material::Material;
use super::reading::Reading;
use super::system_roots::SystemRoots;
use crate::{Error, ErrorKind, Result, TlsOptions, VerifyPeer};

/// Read by one thread at a time, so that a thousand clients that connect at once do not keep a thousand of them busy. For
/// good, perhaps: reading cannot be called off, and a file may never answer — a pipe without a writer, a drive elsewhere.
pub(crate) struct TlsFiles {
    options: TlsOptions,
    verify_peer: VerifyPeer,
    system_roots: Arc<SystemRoots>,
    /// Locked by who reads.
    known: Arc<tokio::sync::Mutex<Known>>,
    reading: Reading,
}

/// What is known of them. Looked at before anything is made of what was read: a thousand clients that open at once come
/// here one after the other.
#[derive(Default)]
struct Known {
    /// What could be used, the last time that it was looked at.
    usable: Option<Material>,
    made: Option<Made>,
}

/// The configuration that was made of them last. It is made anew when they have changed.
struct Made {
    material: Material,
    system_roots: Option<Arc<RootCertStore>>,
    /// It lives as long as a connection that was made with it.
    config: Weak<ClientConfig>,
}

impl TlsFiles {
    pub(super) fn new(
        options: &TlsOptions,
        verify_peer: VerifyPeer,
        system_roots: &Arc<SystemRoots>,
    ) -> Arc<Self> {
        Arc::new(Self {
            options: options.clone(),
            verify_peer,
            system_roots: Arc::clone(system_roots),
            known: Arc::default(),
            reading: Reading::default(),
        })
    }

    /// Whether there is a connection that was made with them.
    pub(super) fn is_used(&self) -> bool {
        let lives = |known: &Known| {
            let made = known.made.as_ref();
            made.is_some_and(|made| made.config.strong_count() > 0)
        };
        self.known.try_lock().is_ok_and(|known| lives(&known))
    }

    /// The configuration for what they hold at this moment. Must be polled on an I/O runtime.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidOptions`] names the file that cannot be used.
    pub(crate) async fn config(self: &Arc<Self>) -> Result<Arc<ClientConfig>> {
        self.read(Self::renew).await
    }

    /// What they hold at this moment, which can be used. Must be polled on an I/O runtime.
    ///
    /// # Errors
    ///
    /// As [`config`](Self::config).
    pub(crate) async fn material(self: &Arc<Self>) -> Result<Material> {
        self.read(|files, known| {
            let material = Material::read(&files.options, &files.reading)?;
            if known.usable.as_ref() != Some(&material) {
                check(&material, files.verify_peer)?;
                known.usable = Some(material.clone());
            }
            Ok(material)
        })
        .await
    }

    /// What is waited for, for the error of a reading that took too long.
    pub(crate) fn awaited(&self) -> String {
        let file = self.reading.name();
        file.unwrap_or_else(|| "what the option `tls` names".to_owned())
    }

    async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        read: impl FnOnce(&Self, &mut Known) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let mut known = Arc::clone(&self.known).lock_owned().await;
        let files = Arc::clone(self);
        let reading = spawn_blocking(move || {
            let read = read(&files, &mut known);
            files.reading.ended();
            read
        });
        reading.await.map_err(|error| {
            let message = "the options of TLS could not be read";
            Error::new(ErrorKind::Internal, message).with_source(error)
        })?
    }

    fn renew(&self, known: &mut Known) -> Result<Arc<ClientConfig>> {
        let material = Material::read(&self.options, &self.reading)?;
        let wants_system_roots = self.verify_peer != VerifyPeer::None && !material.has_roots();
        let system_roots = match wants_system_roots {
            true => {
                self.reading.began("what the system trusts");
                Some(self.system_roots.get()?)
            }
            false => None,
        };
        if let Some(made) = &known.made
            && made.material == material
            && made.system_roots.as_ref().map(Arc::as_ptr) == system_roots.as_ref().map(Arc::as_ptr)
            && let Some(config) = made.config.upgrade()
        {
            return Ok(config);
        }
        let own_roots = material.roots()?;
        let roots = match &system_roots {
            Some(roots) => Arc::clone(roots),
            None if self.verify_peer == VerifyPeer::None => Arc::new(RootCertStore::empty()),
            None => Arc::new(own_roots.unwrap_or_else(RootCertStore::empty)),
        };
        let config = Arc::new(client_config(&material, roots, self.verify_peer)?);
        known.made = Some(Made {
            material,
            system_roots,
            config: Arc::downgrade(&config),
        });
        Ok(config)
    }
}

impl fmt::Debug for TlsFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsFiles").finish_non_exhaustive()
    }
}
