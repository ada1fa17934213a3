//! What a failure of TLS means. Pure.

use std::fmt::Display;
use std::io;

use rustls::{AlertDescription, CertificateError, Error as TlsError};

use crate::{Error, ErrorKind, RedisTopology};

/// Whether TLS itself failed, and not the socket under it.
pub(crate) fn is_from_tls(error: &io::Error) -> bool {
    tls_error(error).is_some()
}

fn tls_error(error: &io::Error) -> Option<&TlsError> {
    error.get_ref()?.downcast_ref()
}

/// Says why there is no connection to `address` over TLS, because of `error`. `plain` is what the URI is like for one
/// without, and `topology` what is behind it.
pub(crate) fn explain(
    address: &dyn Display,
    topology: RedisTopology,
    plain: &str,
    error: io::Error,
) -> Error {
    let (kind, message) = match tls_error(&error) {
        Some(TlsError::InvalidCertificate(reason)) => {
            (ErrorKind::Connect, untrusted(address, topology, reason))
        }
        Some(TlsError::AlertReceived(alert)) => refused(address, *alert),
        Some(TlsError::InvalidMessage(_)) => (
            ErrorKind::Protocol,
            format!("{address} does not speak TLS; for a plain connection {plain}"),
        ),
        Some(error) => (
            ErrorKind::Connect,
            format!("there is no TLS connection to {address}: {error}"),
        ),
        None if error.kind() == io::ErrorKind::UnexpectedEof => (
            ErrorKind::Connect,
            format!(
                "{address} closed the connection during the TLS handshake; does it speak TLS? \
                 without, {plain}"
            ),
        ),
        None => (
            ErrorKind::Connect,
            format!("there is no TLS connection to {address}: {error}"),
        ),
    };
    Error::new(kind, message).with_source(error)
}

fn untrusted(address: &dyn Display, topology: RedisTopology, reason: &CertificateError) -> String {
    let its = format!("the certificate of {address}");
    match reason {
        // The latter if the one that is trusted has the name of the one that has signed: it was made anew, say.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => format!(
            "{its} comes from no authority that is trusted; the option `tls.ca` names others"
        ),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!(
                "{its} is for another host: {}; with verifyPeer=CA the name does not matter{}",
                TlsError::InvalidCertificate(reason.clone()),
                announced(topology)
            )
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            format!("{its} has expired")
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            format!("{its} is not valid yet")
        }
        _ => format!(
            "{its} is not accepted: {}",
            TlsError::InvalidCertificate(reason.clone())
        ),
    }
}

/// How servers that are known by what others tell of them are known by their names.
fn announced(topology: RedisTopology) -> &'static str {
    match topology {
        RedisTopology::Cluster => {
            "; a cluster's nodes are known by their names with `cluster-announce-hostname` and \
             `cluster-preferred-endpoint-type hostname`"
        }
        RedisTopology::Sentinel => {
            "; masters are known by their names with `sentinel resolve-hostnames yes` and \
             `sentinel announce-hostnames yes`"
        }
        _ => "",
    }
}

/// What the server has against the client.
fn refused(address: &dyn Display, alert: AlertDescription) -> (ErrorKind, String) {
    use AlertDescription as Alert;

    match alert {
        Alert::CertificateRequired => (
            ErrorKind::Authentication,
            format!("{address} wants a client certificate; the option `tls.certificate` has none"),
        ),
        Alert::BadCertificate
        | Alert::UnsupportedCertificate
        | Alert::CertificateRevoked
        | Alert::CertificateExpired
        | Alert::CertificateUnknown
        | Alert::UnknownCA
        | Alert::DecryptError
        | Alert::AccessDenied => (
            ErrorKind::Authentication,
            format!("{address} refused the client certificate: {alert:?}"),
        ),
        // Under TLS 1.2 that is all that a server says who misses a certificate.
        Alert::HandshakeFailure => (
            ErrorKind::Connect,
            format!(
                "{address} refused the TLS handshake; perhaps it wants a client certificate, \
                 the option `tls.certificate`"
            ),
        ),
        Alert::ProtocolVersion => (
            ErrorKind::Connect,
            format!("{address} speaks neither TLS 1.2 nor TLS 1.3"),
        ),
        alert => (
            ErrorKind::Connect,
            format!("{address} ended the TLS connection: {alert:?}"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(error: TlsError) -> (ErrorKind, String) {
        let error = io::Error::new(io::ErrorKind::InvalidData, error);
        let error = explain(&"h:1", RedisTopology::Standalone, "it is redis://", error);
        (error.kind(), error.message().to_owned())
    }

    #[test]
    fn each_failure_says_what_to_do() {
        use {AlertDescription as Alert, CertificateError as Bad, ErrorKind as Kind};
        for (error, kind, part) in [
            (Bad::UnknownIssuer.into(), Kind::Connect, "`tls.ca`"),
            (Bad::BadSignature.into(), Kind::Connect, "`tls.ca`"),
            (Bad::NotValidForName.into(), Kind::Connect, "verifyPeer=CA"),
            (Bad::Expired.into(), Kind::Connect, "has expired"),
            (Bad::NotValidYet.into(), Kind::Connect, "not valid yet"),
            (Bad::Revoked.into(), Kind::Connect, "not accepted"),
            (
                TlsError::AlertReceived(Alert::CertificateRequired),
                Kind::Authentication,
                "`tls.certificate`",
            ),
            (
                TlsError::AlertReceived(Alert::UnknownCA),
                Kind::Authentication,
                "refused the client certificate: UnknownCA",
            ),
            (
                TlsError::AlertReceived(Alert::HandshakeFailure),
                Kind::Connect,
                "perhaps it wants a client certificate",
            ),
            (
                TlsError::AlertReceived(Alert::ProtocolVersion),
                Kind::Connect,
                "neither TLS 1.2 nor TLS 1.3",
            ),
            (
                TlsError::AlertReceived(Alert::InternalError),
                Kind::Connect,
                "InternalError",
            ),
            (
                TlsError::InvalidMessage(rustls::InvalidMessage::InvalidContentType),
                Kind::Protocol,
                "redis://",
            ),
        ] {
            let (told_kind, message) = told(error);
            assert_eq!(told_kind, kind, "{message}");
            assert!(
                message.contains(part) && message.contains("h:1"),
                "{message}"
            );
        }
    }

    #[test]
    fn a_socket_that_fails_is_no_failure_of_tls() {
        let reset = io::Error::from(io::ErrorKind::ConnectionReset);
        assert!(!is_from_tls(&reset));
        let error = explain(&"h:1", RedisTopology::Standalone, "", reset);
        assert_eq!(error.kind(), ErrorKind::Connect);
    }

    #[test]
    fn servers_that_others_tell_of_may_be_told_of_by_name() {
        for (topology, part) in [
            (RedisTopology::Cluster, "`cluster-announce-hostname`"),
            (RedisTopology::Sentinel, "`sentinel announce-hostnames yes`"),
        ] {
            let said = |topology| untrusted(&"h:1", topology, &CertificateError::NotValidForName);
            assert!(said(topology).contains(part), "{}", said(topology));
            assert!(!said(RedisTopology::Standalone).contains("announce"));
        }
    }
}
