//! Moves the bytes of one connection, in both directions at once.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::AsyncWrite;
use tokio_util::io::poll_read_buf;

use super::connect::Socket;
use super::multiplexer::{Multiplexer, Request};
use super::outbox::Outbox;
use crate::resp::Decoder;
use crate::{Error, Result};

/// What a buffer of requests may keep for the next ones; a larger one was needed once.
const KEPT_CAPACITY: usize = 256 * 1024;

/// Owns the socket. However it ends, dropped in the middle included, what was sent gets its verdict, and
/// what was not goes back into the outbox.
pub(super) struct Driver {
    socket: Socket,
    decoder: Decoder,
    multiplexer: Multiplexer,
    outbox: Arc<Outbox>,
    /// What is being written, of which `written` bytes are.
    writing: Vec<u8>,
    written: usize,
    fetched: VecDeque<Request>,
    cause: Error,
}

impl Driver {
    /// `closed` is what requests get if the driver is dropped.
    pub(super) fn new(
        socket: Socket,
        decoder: Decoder,
        multiplexer: Multiplexer,
        outbox: Arc<Outbox>,
        closed: Error,
    ) -> Self {
        outbox.set_served(true);
        Self {
            socket,
            decoder,
            multiplexer,
            outbox,
            writing: Vec::new(),
            written: 0,
            fetched: VecDeque::new(),
            cause: closed,
        }
    }

    /// Runs until the connection ends, and says why it did.
    pub(super) async fn run(mut self, lost: impl Fn(String) -> Error) -> Error {
        let end = poll_fn(|context| self.poll(context)).await;
        self.cause = match end {
            End::Lost(error) => lost(error.to_string()).with_source(error),
            End::HungUp => lost("the server closed it".to_owned()),
            End::Broken(error) => lost(error.to_string()).with_source(error),
        };
        self.cause.clone()
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<End> {
        // Reading comes first and never waits for writing: a server that is kept from sending replies
        // stops taking requests.
        loop {
            let read = match self.poll_read(context) {
                Poll::Ready(Ok(())) => true,
                Poll::Ready(Err(end)) => return Poll::Ready(end),
                Poll::Pending => false,
            };
            let wrote = match self.poll_write(context) {
                Poll::Ready(Ok(())) => true,
                Poll::Ready(Err(error)) => return Poll::Ready(End::Lost(error)),
                Poll::Pending => false,
            };
            if !read && !wrote {
                return Poll::Pending;
            }
        }
    }

    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<Result<(), End>> {
        let read = {
            let mut space = self.decoder.space();
            ready!(poll_read_buf(self.socket.as_mut(), context, &mut space))
        };
        Poll::Ready(match read {
            Ok(0) => Err(End::HungUp),
            Ok(_) => self.receive().map_err(End::Broken),
            Err(error) => Err(End::Lost(error)),
        })
    }

    fn receive(&mut self) -> Result<()> {
        while let Some(value) = self.decoder.next_value()? {
            self.multiplexer.receive(value)?;
        }
        Ok(())
    }

    fn poll_write(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.written == self.writing.len() {
            self.writing.clear();
            self.written = 0;
            if self.writing.capacity() > KEPT_CAPACITY {
                self.writing = Vec::new();
            }
            if !self
                .outbox
                .fetch(context, &mut self.writing, &mut self.fetched)
            {
                return Poll::Pending;
            }
            self.multiplexer.add(self.fetched.drain(..));
        }
        let rest = &self.writing[self.written..];
        let count = ready!(Pin::new(&mut self.socket).poll_write(context, rest))?;
        if count == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        self.written += count;
        self.multiplexer.wrote(count);
        Poll::Ready(Ok(()))
    }
}

enum End {
    Lost(io::Error),
    HungUp,
    /// The server broke the protocol.
    Broken(Error),
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.outbox.set_served(false);
        // What was fetched and not added, if a panic came in between.
        self.multiplexer.add(self.fetched.drain(..));
        let begun = self.multiplexer.unsent_bytes_of_last();
        let unsent = self.multiplexer.fail_sent(&self.cause);
        let rest = self.writing.get(self.written + begun..).unwrap_or_default();
        self.outbox.give_back(rest, unsent);
    }
}
