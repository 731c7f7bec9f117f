//! Encryption towards servers that an authority of ours vouches for, or one that the machine trusts.

use std::sync::OnceLock;

use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use treenail_rpc::tls::{ClientTls, HTTP1};

/// The machine's certificates are read once, and only where they are needed: a machine may have none.
static OF_MACHINE: OnceLock<Result<ClientTls, String>> = OnceLock::new();

/// Encrypts a connection to a host, which must prove its name.
pub(super) async fn connect(
    own: Option<&ClientTls>,
    host: &str,
    stream: TcpStream,
) -> Result<TlsStream<TcpStream>, String> {
    let tls = match own {
        Some(own) => own.clone(),
        None => OF_MACHINE
            .get_or_init(|| ClientTls::open(None, None, HTTP1).map_err(|error| error.to_string()))
            .clone()?,
    };
    tls.connect(host, stream)
        .await
        .map_err(|error| format!("no encrypted connection to {host}: {error}"))
}
