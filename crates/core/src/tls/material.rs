//! What the options of TLS name, read.

use rustls::RootCertStore;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::reading::Reading;
use crate::{Error, ErrorKind, Pem, Result, TlsOptions};

/// The bytes of the files, or of the text, as they were when they were read. Two that are equal make the same
/// connections.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Material {
    ca: Option<Part>,
    identity: Option<Identity>,
}

#[derive(Clone, PartialEq, Eq)]
struct Identity {
    certificate: Part,
    key: Part,
}

/// One of them, and how an error names it.
#[derive(Clone, PartialEq, Eq)]
struct Part {
    name: String,
    pem: Vec<u8>,
}

impl Material {
    /// Reads it, and says in `reading` what is read. Blocks while files are read.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidOptions`] if a file cannot be read.
    pub(super) fn read(options: &TlsOptions, reading: &Reading) -> Result<Self> {
        let read = |option, pem| Part::read(option, pem, reading);
        let ca = options.ca().map(|ca| read("tls.ca", ca)).transpose()?;
        let identity = match (options.certificate(), options.key()) {
            (Some(certificate), Some(key)) => Some(Identity {
                certificate: read("tls.certificate", certificate)?,
                key: read("tls.key", key)?,
            }),
            _ => None,
        };
        Ok(Self { ca, identity })
    }

    /// Whether it has the authorities to trust.
    pub(super) fn has_roots(&self) -> bool {
        self.ca.is_some()
    }

    /// The authorities to trust; `None`: those of the system.
    pub(super) fn roots(&self) -> Result<Option<RootCertStore>> {
        let Some(ca) = &self.ca else {
            return Ok(None);
        };
        let mut roots = RootCertStore::empty();
        for certificate in ca.certificates()? {
            roots
                .add(certificate)
                .map_err(|error| ca.unusable(&error.to_string()))?;
        }
        Ok(Some(roots))
    }

    /// The certificate to show, with those that follow it, and its key.
    pub(super) fn identity(
        &self,
    ) -> Result<Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>> {
        let Some(identity) = &self.identity else {
            return Ok(None);
        };
        let key = PrivateKeyDer::from_pem_slice(&identity.key.pem)
            .map_err(|error| identity.key.unreadable("private key (unencrypted)", &error))?;
        Ok(Some((identity.certificate.certificates()?, key)))
    }

    /// The error of a certificate and a key that rustls does not take together.
    pub(super) fn unusable_identity(&self, error: &rustls::Error) -> Error {
        let Some(Identity { certificate, key }) = &self.identity else {
            return invalid(format!("the client certificate cannot be used: {error}"));
        };
        match error {
            rustls::Error::InconsistentKeys(_) => invalid(format!(
                "{} and {} do not belong together",
                certificate.name, key.name
            )),
            error => invalid(format!(
                "{} and {} cannot be used: {error}",
                certificate.name, key.name
            )),
        }
    }

    /// The certificates of the authorities, if any are named, for the `redis` crate.
    pub(crate) fn ca_pem(&self) -> Option<Vec<u8>> {
        self.ca.as_ref().map(|ca| ca.pem.clone())
    }

    /// The certificate and its key, for the `redis` crate.
    pub(crate) fn identity_pem(&self) -> Option<(Vec<u8>, Vec<u8>)> {
        let identity = self.identity.as_ref()?;
        Some((identity.certificate.pem.clone(), identity.key.pem.clone()))
    }
}

impl Part {
    fn read(option: &str, pem: &Pem, reading: &Reading) -> Result<Self> {
        let name = match pem.path() {
            Some(path) => format!("`{option}` ({})", path.display()),
            None => format!("`{option}`"),
        };
        reading.began(&name);
        match pem.read() {
            Ok(pem) => Ok(Self { name, pem }),
            Err(error) => {
                Err(invalid(format!("{name} cannot be read: {error}")).with_source(error))
            }
        }
    }

    fn certificates(&self) -> Result<Vec<CertificateDer<'static>>> {
        let certificates = CertificateDer::pem_slice_iter(&self.pem)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| self.unreadable("certificate", &error))?;
        if certificates.is_empty() {
            return Err(self.unreadable("certificate", &PemError::NoItemsFound));
        }
        Ok(certificates)
    }

    // Without the error itself, which may quote a line.
    fn unreadable(&self, what: &str, error: &PemError) -> Error {
        match error {
            PemError::NoItemsFound => self.unusable(&format!("it holds no {what} in PEM form")),
            _ => self.unusable(&format!("a {what} in it is no correct PEM")),
        }
    }

    fn unusable(&self, reason: &str) -> Error {
        invalid(format!("{} cannot be used: {reason}", self.name))
    }
}

fn invalid(problem: String) -> Error {
    Error::new(
        ErrorKind::InvalidOptions,
        format!("invalid client options: {problem}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(options: TlsOptions) -> String {
        let read = Material::read(&options, &Reading::default()).and_then(|material| {
            material.roots()?;
            material.identity().map(drop)
        });
        let error = read.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidOptions);
        error.message().to_owned()
    }

    #[test]
    fn what_cannot_be_used_is_named_with_the_reason() {
        let ca = |pem| problem(TlsOptions::default().with_ca(pem));
        assert_eq!(
            ca(Pem::file("/nonexistent/ca.pem")),
            "invalid client options: `tls.ca` (/nonexistent/ca.pem) cannot be read: \
             No such file or directory (os error 2)"
        );
        assert_eq!(
            ca(Pem::text("certificate")),
            "invalid client options: `tls.ca` cannot be used: it holds no certificate in PEM form"
        );
        assert_eq!(
            ca(Pem::text("-----BEGIN CERTIFICATE-----\nAAAA\n")),
            "invalid client options: `tls.ca` cannot be used: a certificate in it is no correct PEM"
        );
        let no_der = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let reason = ca(Pem::text(no_der));
        assert!(reason.contains("invalid peer certificate"), "{reason}");
    }

    #[test]
    fn what_is_wrong_with_a_key_is_told_without_it() {
        for key in [
            "-----BEGIN PRIVATE KEY-----\nc2VjcmV0c2VjcmV0",
            "-----BEGIN PRIVATE KEY-----\nsecret!secret\n-----END PRIVATE KEY-----\n",
            "-----BEGIN secret\n",
            "secret",
        ] {
            let options = TlsOptions::default()
                .with_client_certificate(Pem::text("no matter"), Pem::text(key));
            let problem = problem(options);
            assert!(problem.contains("`tls.key` cannot be used"), "{problem}");
            assert!(
                !problem.contains("secret") && !problem.contains("c2Vj"),
                "{problem}"
            );
        }
    }
}
