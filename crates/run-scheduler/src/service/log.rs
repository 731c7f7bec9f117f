//! `LogService`.

use std::{pin::Pin, time::Duration};

use futures::Stream;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};
use treenail_engine::ids::JobRunId;
use treenail_proto::{
    internal::v1::StoredJobRun,
    ops::v1::{TailLogsRequest, TailLogsResponse, log_service_server::LogService},
    worker::v1::LogStream,
};
use treenail_rpc::{Caller, Fault, Reason};

use super::Api;
use crate::{
    codec::{opened, plan},
    error::Error,
    logs::Logs,
    store::Store,
};

/// How many answers wait for a slow reader.
const ANSWERS_MAX: usize = 4;
/// How long a follower waits for news before it looks again.
const RECHECK: Duration = Duration::from_secs(2);

#[tonic::async_trait]
impl<S: Store> LogService for Api<S> {
    type TailLogsStream = Pin<Box<dyn Stream<Item = Result<TailLogsResponse, Status>> + Send>>;

    async fn tail_logs(&self, request: Request<TailLogsRequest>) -> Result<Response<Self::TailLogsStream>, Status> {
        let caller = Caller::from_request(&request)?;
        let request = request.into_inner();
        let missing = || {
            let message = format!("Job run {} not found.", request.job_run_id());
            Status::from(Fault::new(Reason::EntityNotFoundException, message))
        };
        let job_run: JobRunId = request.job_run_id().parse().map_err(|_| missing())?;
        let (rows, _) = self
            .store
            .by_ids(vec![job_run.to_string()])
            .await
            .map_err(Error::from)?;
        if !rows.iter().any(|row| row.scope == caller.scope) {
            return Err(missing());
        }
        let (answers, stream) = mpsc::channel(ANSWERS_MAX);
        let tail = Tail {
            store: self.store.clone(),
            logs: self.logs.clone(),
            job_run,
            wanted: request.stream.map(|_| request.stream()),
            follows: request.follow(),
            answers,
        };
        // The task ends with the job run or with its reader, whichever is first.
        tokio::spawn(tail.run());
        Ok(Response::new(Box::pin(ReceiverStream::new(stream))))
    }
}

/// One reader of a job run's output.
struct Tail<S> {
    store: S,
    logs: Logs,
    job_run: JobRunId,
    wanted: Option<LogStream>,
    follows: bool,
    answers: mpsc::Sender<Result<TailLogsResponse, Status>>,
}

impl<S: Store> Tail<S> {
    async fn run(self) {
        if let Err(error) = self.send_all().await {
            // The reader may have gone.
            let _gone = self.answers.send(Err(error.into())).await;
        }
    }

    async fn send_all(&self) -> Result<(), Error> {
        let news = self.logs.news();
        let mut position = 0;
        loop {
            // Listening starts before looking, so that nothing is missed in between.
            let waiting = news.notified();
            let has_ended = self.has_ended().await?;
            loop {
                let read = self.logs.read(self.job_run, position).await;
                let (mut chunks, next) = read.map_err(|error| crate::store::Error::Read(error.to_string()))?;
                if next == position {
                    break;
                }
                position = next;
                chunks.retain(|chunk| self.wanted.is_none_or(|wanted| chunk.stream() == wanted));
                if !chunks.is_empty() && self.answers.send(Ok(TailLogsResponse { chunks })).await.is_err() {
                    return Ok(());
                }
            }
            if has_ended || !self.follows || self.answers.is_closed() {
                return Ok(());
            }
            // News may concern another job run, or come from another process: look again after a while in any case.
            let _timed_out = tokio::time::timeout(RECHECK, waiting).await;
        }
    }

    async fn has_ended(&self) -> Result<bool, Error> {
        let (rows, _) = self.store.by_ids(vec![self.job_run.to_string()]).await?;
        let Some(row) = rows.first() else { return Ok(true) };
        let stored = opened::<StoredJobRun>(&row.data, "job run")?;
        let state = stored.job_run.unwrap_or_default().job_run_state();
        Ok(plan::job_run_state(state)?.is_terminal())
    }
}
