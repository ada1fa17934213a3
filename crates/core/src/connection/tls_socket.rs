//! A TCP connection that is encrypted.

use std::io::{self, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub(super) struct TlsSocket<S = TcpStream>(TlsStream<S>);

impl<S: AsyncRead + AsyncWrite + Unpin> TlsSocket<S> {
    /// Shakes hands over `stream` with a server that, if its certificate is compared with it, is called `name`.
    pub(super) async fn connect(
        stream: S,
        name: ServerName<'static>,
        config: Arc<ClientConfig>,
    ) -> io::Result<Self> {
        let connected = TlsConnector::from(config).connect(name, stream).await?;
        Ok(Self(connected))
    }

    pub(super) fn stream(&self) -> &S {
        self.0.get_ref().0
    }

    /// Whether it has taken bytes that the system has not.
    pub(super) fn holds_back(&self) -> bool {
        self.0.get_ref().1.wants_write()
    }
}

/// Gives the system what `session` holds back.
fn send<S: AsyncWrite + Unpin>(
    (stream, session): (&mut S, &mut ClientConnection),
    context: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    let mut stream = Unwaiting { stream, context };
    while session.wants_write() {
        match session.write_tls(&mut stream) {
            Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
            Err(error) => return Poll::Ready(Err(error)),
        }
    }
    Poll::Ready(Ok(()))
}

/// A stream for who asks what can be written at once.
struct Unwaiting<'a, 'b, S> {
    stream: &'a mut S,
    context: &'a mut Context<'b>,
}

impl<S: AsyncWrite + Unpin> Write for Unwaiting<'_, '_, S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match Pin::new(&mut *self.stream).poll_write(self.context, bytes) {
            Poll::Ready(written) => written,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for TlsSocket<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match ready!(Pin::new(&mut self.0).poll_read(context, buffer)) {
            // Without having said so, as a server does that is killed. A reply that is cut short is none without that
            // as well.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Poll::Ready(Ok(())),
            read => Poll::Ready(read),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for TlsSocket<S> {
    /// Takes nothing before the system has what was taken earlier: what waits longer than it must could not be withdrawn.
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(send(self.0.get_mut(), context))?;
        let taken = self.0.get_mut().1.writer().write(bytes)?;
        // If the system fails now, it may have got some of it already: the bytes are taken all the same, and who comes
        // next learns of it. With an error here they would count as not sent, and be sent again.
        let _ = send(self.0.get_mut(), context);
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(send(self.0.get_mut(), context))?;
        Pin::new(self.0.get_mut().0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use rustls::pki_types::PrivateKeyDer;
    use rustls::{RootCertStore, ServerConfig};
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
    use tokio_rustls::TlsAcceptor;

    use super::*;

    /// A stream whose system fails, or takes nothing more, after so many bytes.
    struct Ending {
        stream: DuplexStream,
        left: usize,
        fails: bool,
    }

    impl AsyncRead for Ending {
        fn poll_read(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            Pin::new(&mut self.stream).poll_read(context, buffer)
        }
    }

    impl AsyncWrite for Ending {
        fn poll_write(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            let part = bytes.get(..self.left.min(bytes.len())).unwrap_or_default();
            if part.is_empty() {
                return match self.fails {
                    true => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
                    false => Poll::Pending,
                };
            }
            let count = ready!(Pin::new(&mut self.stream).poll_write(context, part))?;
            self.left -= count;
            Poll::Ready(Ok(count))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    /// A connection that has `left` bytes to go, and its peer.
    async fn connected(
        left: usize,
        fails: bool,
    ) -> (
        TlsSocket<Ending>,
        tokio_rustls::server::TlsStream<DuplexStream>,
    ) {
        let issued = rcgen::generate_simple_self_signed(vec!["h".to_owned()]).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let key = PrivateKeyDer::try_from(issued.signing_key.serialize_der()).unwrap();
        let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![issued.cert.der().clone()], key)
            .unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(issued.cert.der().clone()).unwrap();
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let (ours, theirs) = tokio::io::duplex(1 << 20);
        let stream = Ending {
            stream: ours,
            left: usize::MAX,
            fails,
        };
        let name = ServerName::try_from("h").unwrap();
        let (socket, peer) = tokio::join!(
            TlsSocket::connect(stream, name, Arc::new(client)),
            TlsAcceptor::from(Arc::new(server)).accept(theirs)
        );
        let mut socket = socket.unwrap();
        socket.0.get_mut().0.left = left;
        (socket, peer.unwrap())
    }

    #[tokio::test]
    async fn bytes_are_taken_also_if_the_system_fails_with_a_part_of_them_on_its_way() {
        let (mut socket, mut peer) = connected(40_000, true).await;
        let taken = socket.write(&[b'x'; 60_000]).await.unwrap();
        assert!(taken > 40_000, "{taken}");
        // What came before the failure is whole, and runs.
        let mut arrived = [0; 16 * 1024];
        peer.read_exact(&mut arrived).await.unwrap();
        assert!(socket.holds_back());
        let error = socket.write(b"y").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    }

    #[tokio::test]
    async fn nothing_is_taken_while_something_is_held_back() {
        let (mut socket, mut peer) = connected(10, false).await;
        assert_eq!(socket.write(b"first").now_or_never().unwrap().unwrap(), 5);
        assert!(socket.holds_back());
        assert!(socket.write(b"second").now_or_never().is_none());
        assert!(socket.flush().now_or_never().is_none());

        socket.0.get_mut().0.left = usize::MAX;
        socket.flush().await.unwrap();
        assert!(!socket.holds_back());
        socket.write_all(b"second").await.unwrap();
        let mut arrived = [0; 11];
        peer.read_exact(&mut arrived).await.unwrap();
        assert_eq!(&arrived, b"firstsecond");
    }

    #[tokio::test]
    async fn a_peer_that_is_gone_without_a_word_has_hung_up() {
        let (mut socket, peer) = connected(0, false).await;
        drop(peer);
        assert_eq!(socket.read(&mut [0]).await.unwrap(), 0);
    }
}
