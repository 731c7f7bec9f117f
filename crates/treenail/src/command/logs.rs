//! `treenail logs`.

use treenail_proto::{ops::v1::TailLogsRequest, worker::v1::LogStream};

use crate::{
    client::{Client, Failed},
    terminal,
};

/// Which output is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    Both,
    Stdout,
    Stderr,
}

impl Wanted {
    pub(crate) fn of(stdout: bool, stderr: bool) -> Self {
        match (stdout, stderr) {
            (true, _) => Self::Stdout,
            (false, true) => Self::Stderr,
            (false, false) => Self::Both,
        }
    }

    fn stream(self) -> Option<i32> {
        match self {
            Self::Both => None,
            Self::Stdout => Some(LogStream::Stdout.into()),
            Self::Stderr => Some(LogStream::Stderr.into()),
        }
    }
}

/// Prints what a job run wrote, and goes on until it ends if asked to.
pub(crate) async fn run(client: &Client, id: &str, wanted: Wanted, follow: bool) -> anyhow::Result<()> {
    let mut stream = tail(client, id, wanted, follow).await?;
    while let Some(answer) = stream.message().await.map_err(Failed::from)? {
        for chunk in answer.chunks {
            let bytes = if terminal::is_terminal() {
                terminal::tame(&chunk.data)
            } else {
                chunk.data
            };
            terminal::write(&bytes)?;
        }
    }
    Ok(())
}

/// All that a job run has written.
pub(crate) async fn collect(client: &Client, id: &str, wanted: Wanted) -> anyhow::Result<Vec<u8>> {
    let mut stream = tail(client, id, wanted, false).await?;
    let mut bytes = Vec::new();
    while let Some(answer) = stream.message().await.map_err(Failed::from)? {
        bytes.extend(answer.chunks.into_iter().flat_map(|chunk| chunk.data));
    }
    Ok(bytes)
}

async fn tail(
    client: &Client,
    id: &str,
    wanted: Wanted,
    follow: bool,
) -> anyhow::Result<tonic::Streaming<treenail_proto::ops::v1::TailLogsResponse>> {
    let request = TailLogsRequest {
        job_run_id: Some(id.to_owned()),
        stream: wanted.stream(),
        follow: Some(follow),
    };
    Ok(client
        .logs()
        .tail_logs(client.request(request))
        .await
        .map_err(Failed::from)?
        .into_inner())
}
