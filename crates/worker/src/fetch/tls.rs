//! Encryption towards servers whose certificates this machine trusts.

use std::sync::{Arc, OnceLock};

use rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::ServerName};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

/// The certificates are read once: from the machine, or from where `SSL_CERT_FILE` and `SSL_CERT_DIR` say.
static CONNECTOR: OnceLock<Result<TlsConnector, String>> = OnceLock::new();

/// Encrypts a connection to a host, which must prove its name.
pub(super) async fn connect(host: &str, stream: TcpStream) -> Result<TlsStream<TcpStream>, String> {
    let connector = CONNECTOR.get_or_init(connector).clone()?;
    let name =
        ServerName::try_from(host.to_owned()).map_err(|error| format!("{host} is no name of a host: {error}"))?;
    connector
        .connect(name, stream)
        .await
        .map_err(|error| format!("no encrypted connection to {host}: {error}"))
}

fn connector() -> Result<TlsConnector, String> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (trusted, _unusable) = roots.add_parsable_certificates(found.certs);
    if trusted == 0 {
        return Err("this machine has no certificates that it trusts".to_owned());
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}
