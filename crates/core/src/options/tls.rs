//! The options of TLS.

use serde::{Deserialize, Serialize};

use super::Pem;

/// Whom a client trusts over TLS, and what it shows the server. Whether there is TLS at all, and how much of the server's
/// certificate is checked, says the URI: `rediss://host?verifyPeer=FULL`. See [`VerifyPeer`](crate::VerifyPeer). A client whose URI asks for no TLS
/// does not use these, and speaks in clear: the same options may go with several URIs. (A configuration that has them
/// beside such a URI is refused.)
///
/// TLS 1.2 and 1.3 are spoken. Files are read whenever a connection is made: certificates that are renewed on disk are
/// used from the next connection on, and what is open stays open. Opening a client fails with
/// [`InvalidOptions`](crate::ErrorKind::InvalidOptions), which names the file, if one cannot be used; a connection
/// that is made later then fails as if the server were not there, and is tried again.
///
/// ```
/// use redis_manager_core::{ClientOptions, Pem, TlsOptions};
///
/// let tls = TlsOptions::default()
///     .with_ca(Pem::file("/etc/redis/ca.pem"))
///     .with_client_certificate(Pem::file("/etc/redis/client.pem"), Pem::file("/etc/redis/client.key"));
/// let built = ClientOptions::builder().tls(tls).build()?;
///
/// let read: ClientOptions = toml::from_str(
///     r#"
///     [tls]
///     ca = "/etc/redis/ca.pem"
///     certificate = "/etc/redis/client.pem"
///     key = "/etc/redis/client.key"
///     "#,
/// )?;
/// assert_eq!(read, built);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TlsOptions {
    #[serde(skip_serializing_if = "Option::is_none")]
    ca: Option<Pem>,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<Pem>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<Pem>,
}

impl TlsOptions {
    /// Sets the certificates of the authorities that may vouch for a server. Default: those that the system trusts,
    /// as in OpenSSL also those that the environment names in `SSL_CERT_FILE` and `SSL_CERT_DIR`; they count no more
    /// once others are set.
    #[must_use]
    pub fn with_ca(mut self, ca: Pem) -> Self {
        self.ca = Some(ca);
        self
    }

    /// Sets the certificate that is shown to a server which asks for one (mutual TLS), followed by those between it and
    /// the authority, if there are any, and its private key (PKCS#8, PKCS#1 or SEC1, not encrypted). Default none.
    #[must_use]
    pub fn with_client_certificate(mut self, certificate: Pem, key: Pem) -> Self {
        self.certificate = Some(certificate);
        self.key = Some(key);
        self
    }

    /// The certificates of the authorities that may vouch for a server; `None`: those that the system trusts.
    #[must_use]
    pub fn ca(&self) -> Option<&Pem> {
        self.ca.as_ref()
    }

    /// The client's own certificate.
    #[must_use]
    pub fn certificate(&self) -> Option<&Pem> {
        self.certificate.as_ref()
    }

    /// The private key of the client's own certificate.
    #[must_use]
    pub fn key(&self) -> Option<&Pem> {
        self.key.as_ref()
    }
}
