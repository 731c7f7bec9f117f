//! Encryption of connections, by certificates that are read again when their files change.
//!
//! Two kinds of port have it: the public ones, where clients trust the server's certificate and prove themselves by keys,
//! and those between services, where both sides prove themselves by certificates of one authority.

mod handshakes;
mod reloading;

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
    server::{NoServerSessionStorage, WebPkiClientVerifier},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

pub(crate) use self::handshakes::Handshakes;
use self::reloading::Reloading;

/// The protocols of a port that speaks gRPC only.
pub const GRPC: &[&[u8]] = &[b"h2"];
/// The protocols of a port that speaks HTTP.
pub const HTTP: &[&[u8]] = &[b"h2", b"http/1.1"];
/// The protocol of a client that speaks the oldest of them only.
pub const HTTP1: &[&[u8]] = &[b"http/1.1"];

/// The files by which a process proves who it is, in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The certificate, followed by those that lead to its authority.
    pub certificate: PathBuf,
    /// The certificate's private key.
    pub key: PathBuf,
}

/// Why certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read, or holds no PEM of the kind.
    #[error("cannot use {}: {why}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The files do not fit together.
    #[error("the certificates cannot be used: {0}")]
    Unfit(String),
    /// The machine has no authorities that it trusts.
    #[error("this machine has no certificates that it trusts")]
    NoAuthorities,
}

/// How a server encrypts what it is told.
#[derive(Clone)]
pub struct ServerTls(Arc<Reloading<ServerConfig>>);

/// How a client encrypts what it says, and whom it trusts.
#[derive(Clone)]
pub struct ClientTls(Arc<Reloading<ClientConfig>>);

impl ServerTls {
    /// A server that proves itself. With an authority it also asks for the client's certificate, and refuses one of another
    /// authority; a client without any gets a connection, and the port's [`crate::guard::Guard`] judges what it may call.
    ///
    /// # Errors
    /// When a file cannot be read, or the files do not fit together.
    pub fn open(
        identity: Identity,
        authority: Option<PathBuf>,
        protocols: &'static [&'static [u8]],
    ) -> Result<Self, Error> {
        let files = [Some(&identity.certificate), Some(&identity.key), authority.as_ref()];
        let files = files.into_iter().flatten().cloned().collect();
        let build = move || server_config(&identity, authority.as_deref(), protocols);
        Ok(Self(Arc::new(Reloading::open(files, build)?)))
    }

    /// Encrypts a connection that a client has opened.
    ///
    /// # Errors
    /// When the client does not go through with it.
    pub async fn accept(&self, stream: TcpStream) -> io::Result<server::TlsStream<TcpStream>> {
        let address = stream.peer_addr().ok();
        let accepted = TlsAcceptor::from(self.0.current().await).accept(stream).await;
        if let Err(error) = &accepted
            && let Some(rustls::Error::InvalidCertificate(why)) = error.get_ref().and_then(|error| error.downcast_ref())
        {
            // Whoever called hears no more than that the connection broke.
            tracing::warn!(?address, %why, "the certificate of a caller is not taken");
        }
        accepted
    }
}

impl ClientTls {
    /// A client that trusts the certificates of an authority, or where none is given those that the machine trusts
    /// (`SSL_CERT_FILE` and `SSL_CERT_DIR` say others), and proves itself where it has an identity.
    ///
    /// # Errors
    /// When a file cannot be read, or the files do not fit together, or the machine trusts none.
    pub fn open(
        identity: Option<Identity>,
        authority: Option<PathBuf>,
        protocols: &'static [&'static [u8]],
    ) -> Result<Self, Error> {
        let own = identity
            .iter()
            .flat_map(|identity| [&identity.certificate, &identity.key]);
        let files = own.chain(&authority).cloned().collect();
        let build = move || client_config(identity.as_ref(), authority.as_deref(), protocols);
        Ok(Self(Arc::new(Reloading::open(files, build)?)))
    }

    /// Encrypts a connection to a host, which must prove its name.
    ///
    /// # Errors
    /// When the host has no name that a certificate can hold, or does not prove it.
    pub async fn connect(&self, host: &str, stream: TcpStream) -> io::Result<client::TlsStream<TcpStream>> {
        let name = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(name).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        TlsConnector::from(self.0.current().await).connect(name, stream).await
    }
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerTls").finish_non_exhaustive()
    }
}

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientTls").finish_non_exhaustive()
    }
}

fn server_config(identity: &Identity, authority: Option<&Path>, protocols: &[&[u8]]) -> Result<ServerConfig, Error> {
    let builder = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(unfit)?;
    let builder = match authority {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(authorities(path)?), provider())
                .allow_unauthenticated()
                .build()
                .map_err(unfit)?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let (chain, key) = read(identity)?;
    let mut config = builder.with_single_cert(chain, key).map_err(unfit)?;
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    if authority.is_some() {
        // A session that is taken up again is not asked for its certificate, which may have ended meanwhile.
        config.session_storage = Arc::new(NoServerSessionStorage {});
    }
    Ok(config)
}

fn client_config(
    identity: Option<&Identity>,
    authority: Option<&Path>,
    protocols: &[&[u8]],
) -> Result<ClientConfig, Error> {
    let roots = authority.map_or_else(authorities_of_machine, authorities)?;
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(unfit)?
        .with_root_certificates(roots);
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let (chain, key) = read(identity)?;
            builder.with_client_auth_cert(chain, key).map_err(unfit)?
        }
    };
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    Ok(config)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn authorities(path: &Path) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(unfit)?;
    }
    Ok(roots)
}

fn authorities_of_machine() -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    let (trusted, _unusable) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if trusted == 0 {
        return Err(Error::NoAuthorities);
    }
    Ok(roots)
}

fn read(identity: &Identity) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), Error> {
    let chain = certificates(&identity.certificate)?;
    let key = PrivateKeyDer::from_pem_file(&identity.key).map_err(|error| file(&identity.key, &error))?;
    Ok((chain, key))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path)
        .map_err(|error| file(path, &error))?
        .collect();
    let found = found.map_err(|error| file(path, &error))?;
    if found.is_empty() {
        return Err(file(path, &"it holds no certificate in PEM"));
    }
    Ok(found)
}

fn file(path: &Path, why: &dyn fmt::Display) -> Error {
    Error::File {
        path: path.to_owned(),
        why: why.to_string(),
    }
}

fn unfit(error: impl fmt::Display) -> Error {
    Error::Unfit(error.to_string())
}
