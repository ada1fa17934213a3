//! The configurations of TLS that clients have in common.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use rustls::{ClientConfig, RootCertStore};

use super::client_config::client_config;
use super::material::Material;
use super::system_roots::SystemRoots;
use crate::{Error, ErrorKind, Result, TlsOptions, VerifyPeer};

/// By what the user asks for, the configuration that was made of it last. It is made anew when the files have changed.
/// Shared, because one with the system's authorities takes some hundred kilobytes, and because a server that was
/// connected to before is connected to with less work.
#[derive(Default)]
pub(crate) struct TlsConfigs {
    slots: Mutex<HashMap<(TlsOptions, VerifyPeer), Slot>>,
    system_roots: Arc<SystemRoots>,
}

/// Held while files are read, so that a thousand clients that connect at once do not keep a thousand threads busy.
type Slot = Arc<tokio::sync::Mutex<Option<Made>>>;

struct Made {
    material: Material,
    system_roots: Option<Arc<RootCertStore>>,
    /// It lives as long as a connection that was made with it.
    config: Weak<ClientConfig>,
}

impl TlsConfigs {
    /// The configuration for `options`, whose files are read. Must be polled on an I/O runtime.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidOptions`] names the file that cannot be used.
    pub(crate) async fn get(
        &self,
        options: &TlsOptions,
        verify_peer: VerifyPeer,
    ) -> Result<Arc<ClientConfig>> {
        let slot = self.slot(options, verify_peer);
        let mut made = Arc::clone(&slot).lock_owned().await;
        let options = options.clone();
        let system_roots = Arc::clone(&self.system_roots);
        let reading = tokio::task::spawn_blocking(move || {
            renew(&mut made, &options, verify_peer, &system_roots)
        });
        reading.await.map_err(|error| {
            Error::new(ErrorKind::Internal, "the options of TLS could not be read")
                .with_source(error)
        })?
    }

    fn slot(&self, options: &TlsOptions, verify_peer: VerifyPeer) -> Slot {
        let mut slots = self.slots.lock();
        let key = (options.clone(), verify_peer);
        if let Some(slot) = slots.get(&key) {
            return Arc::clone(slot);
        }
        let is_used = |slot: &Slot| {
            let lives = |made: &Option<Made>| {
                made.as_ref()
                    .is_some_and(|made| made.config.strong_count() > 0)
            };
            Arc::strong_count(slot) > 1 || slot.try_lock().is_ok_and(|made| lives(&made))
        };
        slots.retain(|_, slot| is_used(slot));
        Arc::clone(slots.entry(key).or_default())
    }
}

fn renew(
    made: &mut Option<Made>,
    options: &TlsOptions,
    verify_peer: VerifyPeer,
    system_roots: &SystemRoots,
) -> Result<Arc<ClientConfig>> {
    let material = Material::read(options)?;
    let wants_system_roots = verify_peer != VerifyPeer::None && !material.has_roots();
    let system_roots = match wants_system_roots {
        true => Some(system_roots.get()?),
        false => None,
    };
    // Before anything is made of what was read: a thousand clients that connect at once come here one after the other.
    if let Some(made) = made
        && made.material == material
        && made.system_roots.as_ref().map(Arc::as_ptr) == system_roots.as_ref().map(Arc::as_ptr)
        && let Some(config) = made.config.upgrade()
    {
        return Ok(config);
    }
    let own_roots = material.roots()?;
    let roots = match &system_roots {
        Some(roots) => Arc::clone(roots),
        None if verify_peer == VerifyPeer::None => Arc::new(RootCertStore::empty()),
        None => Arc::new(own_roots.unwrap_or_else(RootCertStore::empty)),
    };
    let config = Arc::new(client_config(&material, roots, verify_peer)?);
    *made = Some(Made {
        material,
        system_roots,
        config: Arc::downgrade(&config),
    });
    Ok(config)
}
