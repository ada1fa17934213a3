//! From what is trusted and shown to what rustls wants.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore, crypto};

use super::material::Material;
use super::verifier::{AnyName, Anyone};
use crate::{Error, ErrorKind, Result, VerifyPeer};

/// Makes the configuration of connections that show what `material` has and, as far as `verify_peer` says, trust
/// `roots`.
///
/// # Errors
///
/// [`ErrorKind::InvalidOptions`] if the certificate and the key to be shown cannot be used.
pub(super) fn client_config(
    material: &Material,
    roots: Arc<RootCertStore>,
    verify_peer: VerifyPeer,
) -> Result<ClientConfig> {
    // Named, so that neither a host's choice for its whole process matters, nor ours for the host.
    let provider = Arc::new(crypto::ring::default_provider());
    let algorithms = provider.signature_verification_algorithms;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| {
            Error::new(
                ErrorKind::Internal,
                format!("TLS cannot be set up: {error}"),
            )
            .with_source(error)
        })?;
    let builder = match verify_peer {
        VerifyPeer::Full => builder.with_root_certificates(roots),
        VerifyPeer::Ca => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyName { roots, algorithms })),
        VerifyPeer::None => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anyone { algorithms })),
    };
    match material.identity()? {
        None => Ok(builder.with_no_client_auth()),
        Some((certificates, key)) => builder
            .with_client_auth_cert(certificates, key)
            .map_err(|error| material.unusable_identity(&error)),
    }
}

/// Looks whether connections can be made with `material`.
///
/// # Errors
///
/// [`ErrorKind::InvalidOptions`] names what cannot be used.
pub(super) fn check(material: &Material, verify_peer: VerifyPeer) -> Result<()> {
    let roots = material.roots()?.unwrap_or_else(RootCertStore::empty);
    client_config(material, Arc::new(roots), verify_peer).map(drop)
}
