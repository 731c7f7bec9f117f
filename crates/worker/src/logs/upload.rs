//! Uploads batches of output one after the other, each until it is kept or refused.

use std::{fmt, pin::Pin, time::Duration};

use tonic::{Code, Request, Status};
use treenail_proto::worker::v1::{LogChunk, Task, UploadLogsRequest, worker_service_client::WorkerServiceClient};
use treenail_rpc::{Caller, Channel, Scope};

/// How long one batch may take to be kept; the call is a stream, which has no deadline of its own.
const BATCH_TIMEOUT: Duration = Duration::from_secs(30);
/// The first pause after a batch that was not kept; it doubles.
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// The longest such pause.
const PAUSE_MAX: Duration = Duration::from_secs(5);

type Uploading = Pin<Box<dyn Future<Output = Result<(), Status>> + Send>>;

/// Uploads the output of one task.
///
/// A batch whose answer was lost is uploaded again: output may come twice, but never out of order.
pub(crate) struct Upload {
    client: WorkerServiceClient<Channel>,
    caller: Caller,
    task_id: String,
    token: u64,
    in_flight: Option<Uploading>,
    is_refused: bool,
}

impl Upload {
    /// Uploads on behalf of a task.
    pub(crate) fn of(task: &Task, client: WorkerServiceClient<Channel>) -> Upload {
        let scope = Scope {
            account: task.account.clone(),
            region: task.region.clone(),
        };
        Upload {
            client,
            caller: Caller::new(scope),
            task_id: task.task_id.clone(),
            token: task.token,
            in_flight: None,
            is_refused: false,
        }
    }

    /// Whether nothing is being uploaded.
    pub(super) fn is_idle(&self) -> bool {
        self.in_flight.is_none()
    }

    /// Takes a batch; [`Upload::finish`] uploads it.
    pub(super) fn begin(&mut self, batch: Vec<LogChunk>) {
        if self.is_refused {
            return;
        }
        let request = UploadLogsRequest {
            task_id: self.task_id.clone(),
            token: self.token,
            chunks: batch,
        };
        self.in_flight = Some(Box::pin(upload(self.client.clone(), self.caller.clone(), request)));
    }

    /// Waits until the batch is kept or refused; can be dropped and called again.
    pub(super) async fn finish(&mut self) {
        let Some(uploading) = &mut self.in_flight else {
            return;
        };
        let answer = uploading.await;
        self.in_flight = None;
        if let Err(status) = answer {
            tracing::warn!(task_id = self.task_id, %status, "a task's output is refused from now on");
            self.is_refused = true;
        }
    }
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload")
            .field("task_id", &self.task_id)
            .finish_non_exhaustive()
    }
}

async fn upload(
    mut client: WorkerServiceClient<Channel>,
    caller: Caller,
    batch: UploadLogsRequest,
) -> Result<(), Status> {
    let mut pause = PAUSE_MIN;
    loop {
        let stream: Request<_> = caller.request(tokio_stream::once(batch.clone()));
        let status = match tokio::time::timeout(BATCH_TIMEOUT, client.upload_logs(stream)).await {
            Ok(Ok(_kept)) => return Ok(()),
            Ok(Err(status)) if is_final(status.code()) => return Err(status),
            Ok(Err(status)) => status,
            Err(_elapsed) => Status::deadline_exceeded("no answer"),
        };
        tracing::debug!(%status, "a batch of output is uploaded again");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// Whether the same batch would be refused again.
fn is_final(code: Code) -> bool {
    matches!(
        code,
        Code::FailedPrecondition | Code::InvalidArgument | Code::NotFound | Code::OutOfRange | Code::Unimplemented
    )
}
