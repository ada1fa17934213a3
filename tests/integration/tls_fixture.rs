//! A server with TLS and its certificates, on disk as an administrator has them.

use std::path::PathBuf;

use redis_manager::{ClientOptions, ClientOptionsBuilder, Pem, TlsOptions};
use redis_manager_support::{Authority, Issued, TestServer, TlsServer, Validity};
use tempfile::TempDir;

/// What the server is reached by.
pub(crate) const HOSTS: [&str; 2] = ["localhost", "127.0.0.1"];

/// A folder of certificates: `ca.pem`, `server.pem`, `server.key`, `client.pem`, `client.key`.
pub(crate) struct Certificates {
    folder: TempDir,
}

impl Certificates {
    /// All by one new authority, the server's for `hosts`.
    pub(crate) fn new(hosts: &[&str], validity: Validity) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let certificates = Self { folder };
        certificates.renew(hosts, validity);
        certificates
    }

    /// Another authority and other certificates in the places of those before.
    pub(crate) fn renew(&self, hosts: &[&str], validity: Validity) {
        let authority = Authority::new("Redis Manager tests").unwrap();
        self.write("ca.pem", &authority.certificate());
        self.issue(&authority, "server", hosts, validity);
        self.issue(&authority, "client", &["a client"], Validity::Current);
    }

    fn issue(&self, authority: &Authority, who: &str, hosts: &[&str], validity: Validity) {
        let Issued { certificate, key } = authority.issue(hosts, validity).unwrap();
        self.write(&format!("{who}.pem"), &certificate);
        self.write(&format!("{who}.key"), &key);
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn file(&self, name: &str) -> Pem {
        Pem::file(self.path(name))
    }

    /// A server that shows its certificate.
    pub(crate) fn server(&self) -> TlsServer {
        TlsServer {
            certificate: self.path("server.pem"),
            key: self.path("server.key"),
            ca: self.path("ca.pem"),
            wants_certificates: false,
        }
    }

    /// A client that trusts the authority.
    pub(crate) fn trusting(&self) -> TlsOptions {
        TlsOptions::default().with_ca(self.file("ca.pem"))
    }

    /// A client that trusts it and shows a certificate.
    pub(crate) fn mutual(&self) -> TlsOptions {
        let certificate = self.file("client.pem");
        self.trusting()
            .with_client_certificate(certificate, self.file("client.key"))
    }
}

/// A server and what its clients need to know.
pub(crate) struct Secure {
    pub(crate) certificates: Certificates,
    pub(crate) server: TestServer,
}

impl Secure {
    /// `None` if no server that there is speaks TLS.
    pub(crate) fn start() -> Option<Self> {
        let certificates = Certificates::new(&HOSTS, Validity::Current);
        let server = TestServer::builder().tls(certificates.server());
        Some(Self {
            server: server.start_with_tls()?,
            certificates,
        })
    }

    pub(crate) fn url(&self) -> String {
        url(&self.server, "127.0.0.1")
    }

    pub(crate) fn options(&self) -> ClientOptionsBuilder {
        ClientOptions::builder().tls(self.certificates.trusting())
    }
}

/// Where `server` speaks TLS, by the name of `host`.
pub(crate) fn url(server: &TestServer, host: &str) -> String {
    format!("rediss://{host}:{}", server.tls_port().unwrap())
}
