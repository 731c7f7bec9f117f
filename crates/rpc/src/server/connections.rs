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
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
    time::{Sleep, sleep},
};
use tonic::transport::server::Connected;

use crate::{
    limits,
    listener::{self, Listener, Opened, Peer},
};

/// The connections of a listener, as long as there is room; beyond that, clients wait in the listener's backlog.
pub(super) fn of(listener: Listener) -> impl Stream<Item = io::Result<Connection>> {
    let port = Port {
        listener,
        room: Arc::new(Semaphore::new(limits::CONNECTIONS_MAX)),
        opening: JoinSet::new(),
    };
    stream::unfold(port, async |mut port| {
        let connection = port.next().await?;
        if connection.is_err() {
            // Out of file descriptors, most likely: without a pause this would spin until one is free.
            sleep(limits::ACCEPT_PAUSE).await;
        }
        Some((connection, port))
    })
}

struct Port {
    listener: Listener,
    room: Arc<Semaphore>,
    /// Connections that agree on keys; a slow client does not hold up the others.
    opening: JoinSet<io::Result<Connection>>,
}

impl Port {
    async fn next(&mut self) -> Option<io::Result<Connection>> {
        loop {
            let accepted = tokio::select! {
                Some(opened) = self.opening.join_next() => match opened {
                    Ok(Ok(connection)) => return Some(Ok(connection)),
                    Ok(Err(error)) => {
                        tracing::debug!(%error, "a client did not get as far as an encrypted connection");
                        continue;
                    }
                    Err(error) => {
                        tracing::error!(%error, "opening an encrypted connection failed");
                        continue;
                    }
                },
                accepted = accept(&self.listener, &self.room) => accepted?,
            };
            match accepted {
                Err(error) => return Some(Err(error)),
                Ok((opened, permit)) if self.listener.is_encrypted() => {
                    self.opening.spawn(open(opened, permit));
                }
                Ok((opened, permit)) => return Some(open(opened, permit).await),
            }
        }
    }
}

/// The next connection, once there is room for it.
async fn accept(listener: &Listener, room: &Arc<Semaphore>) -> Option<io::Result<(Opened, OwnedSemaphorePermit)>> {
    // The semaphore is never closed, so that waiting for room ends with room.
    let permit = Arc::clone(room).acquire_owned().await.ok()?;
    Some(listener.accept().await.map(|opened| (opened, permit)))
}

async fn open(opened: Opened, permit: OwnedSemaphorePermit) -> io::Result<Connection> {
    Ok(Connection {
        stream: opened.ready().await?,
        silence: Some(Box::pin(sleep(limits::FIRST_BYTE_TIMEOUT))),
        _permit: permit,
    })
}

/// A connection that holds its place until it is closed.
pub(super) struct Connection {
    stream: listener::Stream,
    /// Ends a connection that has said nothing yet; `None` once it has.
    silence: Option<Pin<Box<Sleep>>>,
    _permit: OwnedSemaphorePermit,
}

impl Connected for Connection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        Peer::of(&self.stream)
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
