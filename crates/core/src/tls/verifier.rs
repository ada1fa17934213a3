//! What `verifyPeer` asks for less than everything.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

/// `verifyPeer=CA`: the certificate comes from an authority, whoever it is for.
#[derive(Debug)]
pub(super) struct AnyName {
    pub(super) roots: Arc<RootCertStore>,
    pub(super) algorithms: WebPkiSupportedAlgorithms,
}

/// `verifyPeer=NONE`: whoever answers is taken for the server.
#[derive(Debug)]
pub(super) struct Anyone {
    pub(super) algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        verify_server_cert_signed_by_trust_anchor(
            &ParsedCertificate::try_from(end_entity)?,
            &self.roots,
            intermediates,
            now,
            self.algorithms.all,
        )?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    // A certificate that is too old to be read has no signature that could be checked, and would prove nothing.
    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use rustls::crypto::ring::{default_provider, sign::any_supported_type};
    use rustls::pki_types::PrivateKeyDer;
    use rustls::server::{ClientHello, ResolvesServerCert};
    use rustls::sign::CertifiedKey;
    use rustls::version::{TLS12, TLS13};
    use rustls::{
        ClientConnection, ServerConfig, ServerConnection, SupportedProtocolVersion, client,
    };

    use super::super::client_config::client_config;
    use super::super::material::Material;
    use super::super::reading::Reading;
    use super::*;
    use crate::{TlsOptions, VerifyPeer};

    /// Shows a certificate, and signs with a key that need not be that of it.
    #[derive(Debug)]
    struct Shown(Arc<CertifiedKey>);

    impl ResolvesServerCert for Shown {
        fn resolve(&self, _client: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
            Some(Arc::clone(&self.0))
        }
    }

    fn server(
        certificate: &rcgen::Certificate,
        key: &rcgen::KeyPair,
        version: &'static SupportedProtocolVersion,
    ) -> ServerConnection {
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let key = any_supported_type(&key).unwrap();
        let shown = CertifiedKey::new(vec![certificate.der().clone()], key);
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(Shown(Arc::new(shown))));
        ServerConnection::new(Arc::new(config)).unwrap()
    }

    fn client(certificate: &rcgen::Certificate, verify: VerifyPeer) -> ClientConnection {
        let mut roots = RootCertStore::empty();
        roots.add(certificate.der().clone()).unwrap();
        let material = Material::read(&TlsOptions::default(), &Reading::default()).unwrap();
        let config = client_config(&material, Arc::new(roots), verify).unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        client::ClientConnection::new(Arc::new(config), name).unwrap()
    }

    /// What the client finds.
    fn handshake(mut client: ClientConnection, mut server: ServerConnection) -> Result<(), Error> {
        while client.is_handshaking() {
            let mut bytes = Vec::new();
            client.write_tls(&mut bytes).unwrap();
            server.read_tls(&mut Cursor::new(bytes)).unwrap();
            server.process_new_packets().unwrap();
            let mut bytes = Vec::new();
            while server.wants_write() {
                server.write_tls(&mut bytes).unwrap();
            }
            let mut bytes = Cursor::new(bytes);
            while client.read_tls(&mut bytes).unwrap() > 0 {
                client.process_new_packets()?;
            }
        }
        Ok(())
    }

    #[test]
    fn whoever_shows_a_certificate_has_to_have_its_key() {
        let own = rcgen::KeyPair::generate().unwrap();
        let other = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
        let certificate = params.self_signed(&own).unwrap();
        for version in [&TLS12, &TLS13] {
            for (verify, finds_out) in [
                (VerifyPeer::Full, true),
                (VerifyPeer::Ca, true),
                (VerifyPeer::None, false),
            ] {
                let meets = |key| {
                    let server = server(&certificate, key, version);
                    handshake(client(&certificate, verify), server)
                };
                assert_eq!(meets(&own), Ok(()), "{verify:?}");
                let outcome = meets(&other);
                assert_eq!(outcome.is_err(), finds_out, "{verify:?}: {outcome:?}");
            }
        }
    }
}
