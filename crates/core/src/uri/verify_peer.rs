//! How much of a server's certificate is checked.

/// How much of the server's certificate is checked when TLS is on: lettuce's `SslVerifyMode`. Whom to trust says the
/// option [`tls`](crate::ClientOptionsBuilder::tls).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum VerifyPeer {
    /// Nothing is checked: the connection is encrypted, but anyone may have answered.
    None,
    /// The certificate must come from a trusted authority; its host name is not compared.
    Ca,
    /// The certificate must come from a trusted authority and carry the host's name. The default.
    #[default]
    Full,
}
