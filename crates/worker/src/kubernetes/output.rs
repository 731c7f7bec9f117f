//! What a script writes, read from the cluster while it runs and after, without loss and without doubling.
//!
//! Kubernetes tells both outputs as one stream of lines, each with the time at which it was written. When a stream breaks,
//! the next one begins at the second of the last line, and what was taken already is left out.

mod position;

use std::time::Duration;

use futures::{AsyncReadExt as _, pin_mut};
use kube::api::LogParams;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use self::position::Position;
use super::{
    cluster::{Cluster, in_words},
    manifest::SCRIPT,
};
use crate::logs::Sink;

/// How much is read at once, in bytes.
const READ_BYTES: usize = 16 * 1024;
/// The first pause after a stream that broke; it doubles.
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// The longest such pause.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// Reads all that a pod's script writes, until it has `ended` and its last line is read.
///
/// An API server that is out of reach is asked for as long as the future is awaited; a pod that is gone has no more output.
pub(super) async fn follow(cluster: &Cluster, pod: &str, ended: &CancellationToken, sink: &Sink) {
    let mut position = Position::default();
    let mut pause = PAUSE_MIN;
    loop {
        // What is read after the end is all that there is, however the stream before it ended.
        let is_last = ended.is_cancelled();
        let before = position.taken();
        match read(cluster, pod, is_last, &mut position, sink).await {
            Ok(()) if is_last => return,
            Ok(()) => {}
            Err(kube::Error::Api(status)) if status.is_not_found() => return,
            Err(error) => tracing::warn!(error = in_words(&error), pod, "a script's output is asked for again"),
        }
        if position.taken() > before {
            pause = PAUSE_MIN;
        }
        tokio::select! {
            () = sleep(pause) => pause = (pause * 2).min(PAUSE_MAX),
            () = ended.cancelled(), if !is_last => pause = PAUSE_MIN,
        }
    }
}

async fn read(cluster: &Cluster, pod: &str, is_last: bool, position: &mut Position, sink: &Sink) -> kube::Result<()> {
    let parameters = LogParams {
        container: Some(SCRIPT.to_owned()),
        follow: !is_last,
        timestamps: true,
        since_time: position.since(),
        ..LogParams::default()
    };
    let stream = cluster.pods.log_stream(pod, &parameters).await?;
    pin_mut!(stream);
    position.begin();
    let mut bytes = vec![0; READ_BYTES];
    loop {
        let count = stream
            .read(&mut bytes)
            .await
            .map_err(|error| kube::Error::Service(error.into()))?;
        if count == 0 {
            return Ok(());
        }
        position.take(&bytes[..count], |text| sink.push_either(text));
    }
}
