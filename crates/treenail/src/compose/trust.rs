//! How ports are encrypted and who proves what to whom, by flags and files.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use http::Uri;
use tokio::net::TcpListener;
use treenail_rpc::{
    Channel, Credentials, Listener, connect_as,
    guard::{Guard, Token, Tokens},
    tls::{self, ClientTls, Identity, ServerTls},
};
use treenail_run_scheduler::WORKER_SERVICES;

use super::{Refused, access::read_secret};
use crate::cli;

impl cli::Tls {
    /// How a public port is encrypted, if it is.
    pub(super) fn open(&self, protocols: &'static [&'static [u8]]) -> anyhow::Result<Option<ServerTls>> {
        match identity(self.tls_cert.as_ref(), self.tls_key.as_ref()) {
            Some(identity) => Ok(Some(ServerTls::open(identity, None, protocols)?)),
            None => Ok(None),
        }
    }

    /// The scheme of the public ports' addresses.
    pub(super) fn scheme(&self) -> &'static str {
        if self.tls_cert.is_some() { "https" } else { "http" }
    }
}

impl cli::Peer {
    /// Whether only those are let in who prove themselves.
    pub(super) fn is_mutual(&self) -> bool {
        self.peer_cert.is_some()
    }

    /// The port of a service that other services call, and workers with their token where there are tokens.
    pub(super) fn listener(&self, tcp: TcpListener, tokens: Option<Tokens>) -> anyhow::Result<Listener> {
        let tls = match identity(self.peer_cert.as_ref(), self.peer_key.as_ref()) {
            Some(identity) => Some(ServerTls::open(identity, self.peer_ca.clone(), tls::GRPC)?),
            None => None,
        };
        Ok(Listener::new(tcp, tls).guarded(Guard {
            by_token: WORKER_SERVICES,
            tokens,
            by_certificate: self.is_mutual(),
        }))
    }

    /// A channel to another service.
    pub(super) fn connect(&self, endpoint: &Uri) -> anyhow::Result<Channel> {
        self.connect_with(endpoint, None)
    }

    /// A channel to another service that takes a token.
    pub(super) fn connect_with(&self, endpoint: &Uri, token: Option<Token>) -> anyhow::Result<Channel> {
        let is_encrypted = endpoint.scheme_str() == Some("https");
        if self.peer_ca.is_some() && !is_encrypted {
            let message = format!("{endpoint} is not https://, and nobody proves anything over http://");
            return Err(Refused(message).into());
        }
        let own = identity(self.peer_cert.as_ref(), self.peer_key.as_ref());
        let tls = match is_encrypted {
            true => Some(ClientTls::open(own, self.peer_ca.clone(), tls::GRPC)?),
            false => None,
        };
        Ok(connect_as(endpoint.clone(), Credentials { tls, token }))
    }
}

impl cli::WorkerToken {
    /// The tokens that a run-scheduler takes.
    pub(super) fn taken(&self) -> anyhow::Result<Option<Tokens>> {
        tokens(self.worker_token_file.as_deref())
    }

    /// The token that a worker says.
    pub(super) fn said(&self) -> anyhow::Result<Option<Token>> {
        let Some(path) = &self.worker_token_file else {
            return Ok(None);
        };
        let token = Token::parse(&read_text(path)?);
        Ok(Some(token.with_context(|| format!("cannot use {}", path.display()))?))
    }
}

impl cli::Admin {
    /// Whose holders are told the metrics.
    pub(super) fn tokens(&self) -> anyhow::Result<Option<Tokens>> {
        tokens(self.admin_token_file.as_deref())
    }
}

impl cli::Target {
    /// A channel to the server.
    pub(crate) fn connect(&self) -> anyhow::Result<Channel> {
        let tls = match self.grpc_endpoint.scheme_str() {
            Some("https") => Some(ClientTls::open(None, self.ca.clone(), tls::GRPC)?),
            _ => None,
        };
        Ok(connect_as(self.grpc_endpoint.clone(), Credentials { tls, token: None }))
    }
}

fn identity(certificate: Option<&PathBuf>, key: Option<&PathBuf>) -> Option<Identity> {
    Some(Identity {
        certificate: certificate?.clone(),
        key: key?.clone(),
    })
}

fn tokens(path: Option<&Path>) -> anyhow::Result<Option<Tokens>> {
    let Some(path) = path else { return Ok(None) };
    let tokens = Tokens::parse(&read_text(path)?);
    Ok(Some(tokens.with_context(|| format!("cannot use {}", path.display()))?))
}

fn read_text(path: &Path) -> anyhow::Result<String> {
    let bytes = read_secret(path).with_context(|| format!("cannot use the tokens {}", path.display()))?;
    String::from_utf8(bytes).with_context(|| format!("{} is no text", path.display()))
}
