//! `treenail healthcheck`: what a container's own health check runs.

use std::{net::SocketAddr, process::ExitCode, time::Duration};

use anyhow::Context as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::terminal;

/// How long the answer may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// More than the answer has.
const ANSWER_BYTES_MAX: u64 = 4 * 1024;

/// Asks an admin port whether its process is ready; exits with 0 when it is.
pub(crate) async fn run(address: SocketAddr) -> anyhow::Result<ExitCode> {
    let answer = timeout(PATIENCE, ask(address)).await.context("no answer in time")??;
    let is_ready = answer.starts_with("HTTP/1.1 200 ");
    terminal::say(if is_ready { "ready" } else { "not ready" });
    Ok(if is_ready { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// One request is not worth a client.
async fn ask(address: SocketAddr) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(address)
        .await
        .with_context(|| format!("cannot reach {address}"))?;
    let request = format!("GET /readyz HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
