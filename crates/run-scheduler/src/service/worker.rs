//! `WorkerService`.

use std::{
    pin::Pin,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use futures::Stream;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::{StreamExt as _, wrappers::ReceiverStream};
use tonic::{Request, Response, Status, Streaming};
use treenail_engine::{ids::JobRunId, task::WorkerId};
use treenail_proto::worker::v1::{
    Hello, UploadLogsRequest, UploadLogsResponse, WorkRequest, WorkResponse, work_request,
    worker_service_server::WorkerService,
};

use super::Api;
use crate::{
    error::Error,
    scheduler::{Connect, Event, Handle},
    store::Store,
};

/// How long a stream may stay without a `Hello`.
const HELLO_DEADLINE: Duration = Duration::from_secs(5);
/// How many tasks a worker may run at once at the most.
const SLOTS_MAX: u32 = 10_000;
/// How long a worker's id is at the most.
const WORKER_ID_LENGTH_MAX: usize = 128;
/// How many answers wait for a worker that is slow to read, beyond two for each of its slots.
const RESPONSES_MAX: usize = 64;

/// Tells streams apart.
static SESSIONS: AtomicU64 = AtomicU64::new(1);

#[tonic::async_trait]
impl<S: Store> WorkerService for Api<S> {
    type WorkStream = Pin<Box<dyn Stream<Item = Result<WorkResponse, Status>> + Send>>;

    async fn work(&self, request: Request<Streaming<WorkRequest>>) -> Result<Response<Self::WorkStream>, Status> {
        let mut requests = request.into_inner();
        let first = tokio::time::timeout(HELLO_DEADLINE, requests.next()).await;
        let Ok(Some(Ok(WorkRequest {
            message: Some(work_request::Message::Hello(hello)),
        }))) = first
        else {
            return Err(Status::failed_precondition(
                "a worker says hello first, within five seconds",
            ));
        };
        let Hello {
            worker_id,
            slots,
            held,
            draining,
        } = hello;
        if !(1..=SLOTS_MAX).contains(&slots) || worker_id.is_empty() || worker_id.len() > WORKER_ID_LENGTH_MAX {
            return Err(Status::invalid_argument("a worker has an id and 1 to 10000 slots"));
        }
        let worker = WorkerId::new(&worker_id);
        let session = SESSIONS.fetch_add(1, Ordering::Relaxed);
        let capacity = RESPONSES_MAX + 2 * usize::try_from(slots).unwrap_or(usize::MAX);
        let (responses, stream) = mpsc::channel(capacity);
        let connect = Connect {
            worker: worker.clone(),
            session,
            // What takes no more tasks has no slots for them.
            slots: if draining { 0 } else { slots },
            held,
            responses,
        };
        self.scheduler.send(Event::Connect(connect)).await?;
        // The task ends with the worker's stream.
        tokio::spawn(listen(self.scheduler.clone(), worker, session, requests));
        Ok(Response::new(Box::pin(ReceiverStream::new(stream))))
    }

    async fn upload_logs(
        &self,
        request: Request<Streaming<UploadLogsRequest>>,
    ) -> Result<Response<UploadLogsResponse>, Status> {
        let mut requests = request.into_inner();
        let mut task: Option<JobRunId> = None;
        while let Some(request) = requests.next().await {
            let UploadLogsRequest { task_id, token, chunks } = request?;
            let job_run = match task {
                Some(job_run) => job_run,
                None => *task.insert(self.owned(&task_id, token).await?),
            };
            self.logs.append(job_run, &chunks).await.map_err(|error| {
                tracing::error!(%error, %job_run, "output could not be kept");
                Status::internal("the output could not be kept")
            })?;
        }
        Ok(Response::new(UploadLogsResponse {}))
    }
}

impl<S: Store> Api<S> {
    /// A task, if the token is its current one.
    async fn owned(&self, task_id: &str, token: u64) -> Result<JobRunId, Status> {
        let stale = || Status::failed_precondition("the token is not the task's current one");
        let job_run: JobRunId = task_id.parse().map_err(|_| stale())?;
        let (reply, answer) = oneshot::channel();
        self.scheduler.send(Event::Owns { job_run, token, reply }).await?;
        if answer.await.map_err(|_| Error::Stopping)? {
            Ok(job_run)
        } else {
            Err(stale())
        }
    }
}

/// Brings the scheduler what a worker says, until its stream ends.
async fn listen(scheduler: Handle, worker: WorkerId, session: u64, mut requests: Streaming<WorkRequest>) {
    while let Some(Ok(WorkRequest { message })) = requests.next().await {
        let Some(message) = message else {
            tracing::debug!(worker = worker.as_str(), "a worker said something unknown");
            continue;
        };
        if scheduler
            .send(Event::Said {
                worker: worker.clone(),
                session,
                message,
            })
            .await
            .is_err()
        {
            return;
        }
    }
    // When the scheduler has ended, nobody needs to know.
    let _ended = scheduler.send(Event::Disconnect { worker, session }).await;
}
