//! Ports, plain or encrypted: the same to whoever serves them.

use std::{
    io,
    net::{IpAddr, SocketAddr},
};

use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;

use crate::{
    guard::Guard,
    limits::FIRST_BYTE_TIMEOUT,
    tls::{Handshakes, ServerTls},
};

/// A port that is listened on: how its connections are encrypted, and who may call over them.
#[derive(Debug)]
pub struct Listener {
    tcp: TcpListener,
    tls: Option<ServerTls>,
    handshakes: Handshakes,
    guard: Guard,
}

/// A connection that can be spoken over.
pub type Stream = Either<TcpStream, TlsStream<TcpStream>>;

/// The other end of a connection; every request that came over it has it among its extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Where it is; `None` when it has gone away before that could be asked.
    pub address: Option<IpAddr>,
    /// Whether the connection is encrypted.
    pub is_encrypted: bool,
    /// Whether it has shown a certificate of the authority that its port trusts.
    pub is_proven: bool,
}

/// A connection that a client has opened and that says nothing yet.
#[derive(Debug)]
pub struct Opened {
    tcp: TcpStream,
    tls: Option<ServerTls>,
    handshakes: Handshakes,
}

impl Listener {
    /// A port whose connections are encrypted where `tls` says how.
    #[must_use]
    pub fn new(tcp: TcpListener, tls: Option<ServerTls>) -> Self {
        Self {
            tcp,
            tls,
            handshakes: Handshakes::default(),
            guard: Guard::default(),
        }
    }

    /// The same port, where not everybody may call everything.
    #[must_use]
    pub fn guarded(self, guard: Guard) -> Self {
        Self { guard, ..self }
    }

    pub(crate) fn guard(&self) -> &Guard {
        &self.guard
    }

    /// Where it listens.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }

    /// Whether connections are encrypted.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.tls.is_some()
    }

    /// The next connection.
    ///
    /// # Errors
    /// When there is none to be had, as when the process has no file descriptors left; the next call may succeed.
    pub async fn accept(&self) -> io::Result<Opened> {
        let (tcp, _peer) = self.tcp.accept().await?;
        // Answers are small; they must not wait for one another's acknowledgement.
        tcp.set_nodelay(true)?;
        Ok(Opened {
            tcp,
            tls: self.tls.clone(),
            handshakes: self.handshakes.clone(),
        })
    }
}

impl Opened {
    /// Encrypts the connection where its port says so. A client that takes too long over it is turned away, and the slowest
    /// when there are too many.
    ///
    /// # Errors
    /// When the client does not go through with it in time.
    pub async fn ready(self) -> io::Result<Stream> {
        let Some(tls) = self.tls else {
            return Ok(Either::Left(self.tcp));
        };
        let place = self.handshakes.begin();
        // On the heap: it is large, and ports that are not encrypted need none of it.
        let encrypted = Box::pin(tokio::time::timeout(FIRST_BYTE_TIMEOUT, tls.accept(self.tcp)));
        tokio::select! {
            encrypted = encrypted => Ok(Either::Right(encrypted??)),
            () = place.lost() => Err(io::Error::new(io::ErrorKind::TimedOut, "slower than too many others")),
        }
    }
}

impl From<TcpListener> for Listener {
    fn from(tcp: TcpListener) -> Self {
        Self::new(tcp, None)
    }
}

impl Peer {
    /// The other end of a connection.
    #[must_use]
    pub fn of(stream: &Stream) -> Self {
        let (tcp, encrypted) = match stream {
            Either::Left(tcp) => (tcp, None),
            Either::Right(encrypted) => (encrypted.get_ref().0, Some(encrypted.get_ref().1)),
        };
        Self {
            // A port of IPv6 has callers of IPv4, too; they are told as what they are.
            address: tcp.peer_addr().ok().map(|address| address.ip().to_canonical()),
            is_encrypted: encrypted.is_some(),
            is_proven: encrypted.is_some_and(|session| session.peer_certificates().is_some()),
        }
    }
}
