//! `WatchService`.

use std::pin::Pin;

use futures::Stream;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};
use treenail_proto::{
    glue::v1::WorkflowRun,
    ops::v1::{WatchWorkflowRunRequest, WatchWorkflowRunResponse, watch_service_server::WatchService},
};
use treenail_rpc::{Caller, Scope};

use super::Api;
use crate::{error::Error, news::Listener, queries::Queries, store::Store};

/// How many answers wait for a slow reader: one, so that the next one is as new as can be.
const ANSWERS_MAX: usize = 1;

#[tonic::async_trait]
impl<S: Store> WatchService for Api<S> {
    type WatchWorkflowRunStream = Pin<Box<dyn Stream<Item = Result<WatchWorkflowRunResponse, Status>> + Send>>;

    async fn watch_workflow_run(
        &self,
        request: Request<WatchWorkflowRunRequest>,
    ) -> Result<Response<Self::WatchWorkflowRunStream>, Status> {
        let scope = Caller::from_request(&request)?.scope;
        let request = request.into_inner();
        // Listening starts before looking, so that nothing is missed in between.
        let listener = self.news.listen();
        self.queries.run_row(&scope, request.name(), request.run_id()).await?;
        let (answers, stream) = mpsc::channel(ANSWERS_MAX);
        let watch = Watch {
            queries: self.queries.clone(),
            scope,
            request,
            answers,
        };
        // The task ends with the run or with its reader, whichever is first.
        tokio::spawn(watch.run(listener));
        Ok(Response::new(Box::pin(ReceiverStream::new(stream))))
    }
}

/// Somebody who watches a run.
struct Watch<S> {
    queries: Queries<S>,
    scope: Scope,
    request: WatchWorkflowRunRequest,
    answers: mpsc::Sender<Result<WatchWorkflowRunResponse, Status>>,
}

impl<S: Store> Watch<S> {
    async fn run(self, listener: Listener) {
        if let Err(error) = self.send_all(listener).await {
            // The reader may have gone.
            let _gone = self.answers.send(Err(error.into())).await;
        }
    }

    async fn send_all(&self, mut listener: Listener) -> Result<(), Error> {
        let mut told = None;
        loop {
            let row = self
                .queries
                .run_row(&self.scope, self.request.name(), self.request.run_id())
                .await?;
            let record = Queries::<S>::record(&row)?;
            // News may be of what was read already.
            if told != Some(record.events) {
                told = Some(record.events);
                let shown = self
                    .queries
                    .show(&self.scope, self.request.name(), &[row], self.request.include_graph())
                    .await?;
                if !self.tell(shown).await {
                    return Ok(());
                }
            }
            if record.status.is_terminal() {
                return Ok(());
            }
            tokio::select! {
                () = self.answers.closed() => return Ok(()),
                is_news = listener.hears_of(self.request.run_id()) => if !is_news {
                    return Ok(());
                },
            }
        }
    }

    /// Tells the reader; false when it has gone.
    async fn tell(&self, shown: Vec<WorkflowRun>) -> bool {
        let answer = WatchWorkflowRunResponse {
            run: shown.into_iter().next(),
        };
        self.answers.send(Ok(answer)).await.is_ok()
    }
}
