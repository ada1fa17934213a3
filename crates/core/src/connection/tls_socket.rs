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
