//! The connections that a server takes: a bounded number, each of which has to speak soon.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures::{Stream, stream};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Sleep, sleep},
};
use tonic::transport::server::{Connected, TcpConnectInfo};

use crate::limits;

/// The connections of a listener, as long as there is room; beyond that, clients wait in the listener's backlog.
pub(super) fn of(listener: TcpListener) -> impl Stream<Item = io::Result<Connection>> {
    let room = Arc::new(Semaphore::new(limits::CONNECTIONS_MAX));
    stream::unfold((listener, room), async |(listener, room)| {
        // The semaphore is never closed, so that waiting for room ends with room.
        let permit = Arc::clone(&room).acquire_owned().await.ok()?;
        let connection = accept(&listener, permit).await;
        if connection.is_err() {
            // Out of file descriptors, most likely: without a pause this would spin until one is free.
            sleep(limits::ACCEPT_PAUSE).await;
        }
        Some((connection, (listener, room)))
    })
}

async fn accept(listener: &TcpListener, permit: OwnedSemaphorePermit) -> io::Result<Connection> {
    let (stream, _) = listener.accept().await?;
    // Answers are small; they must not wait for one another's acknowledgement.
    stream.set_nodelay(true)?;
    Ok(Connection {
        stream,
        silence: Some(Box::pin(sleep(limits::FIRST_BYTE_TIMEOUT))),
        _permit: permit,
    })
}

/// A connection that holds its place until it is closed.
pub(super) struct Connection {
    stream: TcpStream,
    /// Ends a connection that has said nothing yet; `None` once it has.
    silence: Option<Pin<Box<Sleep>>>,
    _permit: OwnedSemaphorePermit,
}

impl Connected for Connection {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> TcpConnectInfo {
        self.stream.connect_info()
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if read.is_ready() {
            self.silence = None;
            return read;
        }
        match &mut self.silence {
            Some(silence) => silence.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into())),
            None => Poll::Pending,
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
