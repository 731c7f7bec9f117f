//! `WorkflowRunService`.

use tonic::{Request, Response, Status};
use treenail_engine::{
    Timestamp,
    glue::{Input, Rejected, Reply, RunStatus},
    ids::WorkflowRunId,
};
use treenail_proto::glue::v1::{
    GetWorkflowRunRequest, GetWorkflowRunResponse, GetWorkflowRunsRequest, GetWorkflowRunsResponse,
    ResumeWorkflowRunRequest, ResumeWorkflowRunResponse, StartWorkflowRunRequest, StartWorkflowRunResponse,
    StopWorkflowRunRequest, StopWorkflowRunResponse, WorkflowRun, workflow_run_service_server::WorkflowRunService,
};
use treenail_rpc::{Caller, Fault, Reason, Scope};

use super::{Api, invocation, page};
use crate::{
    codec::workflow_run::status_word,
    error::{Error, entity_not_found},
    queries::Queries,
    store::{PlanKind, RunRow, Store},
};

/// How many runs a page has at the most (`Glue API: GetWorkflowRuns`).
const RUNS_PER_PAGE_MAX: usize = 1_000;
/// How many bytes of runs a page has, unless one run alone has more.
const PAGE_BYTES_MAX: usize = 2 * 1024 * 1024;
/// How many runs of a page are put together at once.
const RUNS_PER_STEP: usize = 10;
/// How many runs are read at once for a page.
const RUNS_PER_READ: usize = 100;
/// How many properties a run has at the most.
const RUN_PROPERTIES_MAX: usize = 1_000;
/// How many bytes the properties of a run have at the most, keys and values together.
const RUN_PROPERTIES_BYTES_MAX: usize = 256 * 1024;

#[tonic::async_trait]
impl<S: Store> WorkflowRunService for Api<S> {
    async fn start_workflow_run(
        &self,
        request: Request<StartWorkflowRunRequest>,
    ) -> Result<Response<StartWorkflowRunResponse>, Status> {
        let caller = Caller::from_request(&request)?;
        let request = request.into_inner();
        let bytes: usize = request
            .run_properties
            .iter()
            .map(|(key, value)| key.len() + value.len())
            .sum();
        if request.run_properties.len() > RUN_PROPERTIES_MAX || bytes > RUN_PROPERTIES_BYTES_MAX {
            let message = format!(
                "The run properties have exceeded the limit of {RUN_PROPERTIES_MAX} properties and {RUN_PROPERTIES_BYTES_MAX} bytes."
            );
            return Err(Fault::new(Reason::ResourceNumberLimitExceededException, message).into());
        }
        let key = invocation::key(&caller, "StartWorkflowRun", &request);
        let input = Input::StartWorkflowRun {
            workflow: request.name().to_owned(),
            properties: request.run_properties,
        };
        match self.scheduler.call(caller.scope, input, key).await? {
            Reply::WorkflowRun(run) => Ok(Response::new(StartWorkflowRunResponse {
                run_id: Some(run.to_string()),
            })),
            Reply::Done | Reply::Resumed(..) | Reply::JobRun(_) => Err(Fault::internal().into()),
        }
    }

    async fn stop_workflow_run(
        &self,
        request: Request<StopWorkflowRunRequest>,
    ) -> Result<Response<StopWorkflowRunResponse>, Status> {
        let caller = Caller::from_request(&request)?;
        let request = request.into_inner();
        let row = self
            .queries
            .run_row(&caller.scope, request.name(), request.run_id())
            .await?;
        let status = Queries::<S>::record(&row)?.status;
        if status.is_terminal() {
            return Err(cannot_be_stopped(&row.id, status).into());
        }
        let run: WorkflowRunId = row.id.parse().map_err(|_| entity_not_found())?;
        match self
            .scheduler
            .call(caller.scope.clone(), Input::StopWorkflowRun { run }, None)
            .await
        {
            Ok(_) => Ok(Response::new(StopWorkflowRunResponse {})),
            // It ended in the meantime.
            Err(Error::Rejected(Rejected::NoWorkflowRun)) => {
                let row = self
                    .queries
                    .run_row(&caller.scope, request.name(), request.run_id())
                    .await?;
                Err(cannot_be_stopped(&row.id, Queries::<S>::record(&row)?.status).into())
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn resume_workflow_run(
        &self,
        request: Request<ResumeWorkflowRunRequest>,
    ) -> Result<Response<ResumeWorkflowRunResponse>, Status> {
        let caller = Caller::from_request(&request)?;
        let request = request.into_inner();
        let row = self
            .queries
            .run_row(&caller.scope, request.name(), request.run_id())
            .await?;
        let previous = Box::new(self.queries.previous(&row).await?);
        let key = invocation::key(&caller, "ResumeWorkflowRun", &request);
        let workflow = request.name().to_owned();
        let input = Input::ResumeWorkflowRun {
            workflow,
            previous,
            node_ids: request.node_ids,
        };
        match self.scheduler.call(caller.scope, input, key).await? {
            Reply::Resumed(run, node_ids) => Ok(Response::new(ResumeWorkflowRunResponse {
                run_id: Some(run.to_string()),
                node_ids,
            })),
            Reply::Done | Reply::WorkflowRun(_) | Reply::JobRun(_) => Err(Fault::internal().into()),
        }
    }

    async fn get_workflow_run(
        &self,
        request: Request<GetWorkflowRunRequest>,
    ) -> Result<Response<GetWorkflowRunResponse>, Status> {
        let caller = Caller::from_request(&request)?;
        let request = request.into_inner();
        let row = self
            .queries
            .run_row(&caller.scope, request.name(), request.run_id())
            .await?;
        let shown = self
            .queries
            .show(&caller.scope, request.name(), &[row], request.include_graph())
            .await?;
        Ok(Response::new(GetWorkflowRunResponse {
            run: shown.into_iter().next(),
        }))
    }

    async fn get_workflow_runs(
        &self,
        request: Request<GetWorkflowRunsRequest>,
    ) -> Result<Response<GetWorkflowRunsResponse>, Status> {
        let caller = Caller::from_request(&request)?;
        Ok(Response::new(
            self.page_of_runs(&caller.scope, &request.into_inner()).await?,
        ))
    }
}

impl<S: Store> Api<S> {
    async fn page_of_runs(
        &self,
        scope: &Scope,
        request: &GetWorkflowRunsRequest,
    ) -> Result<GetWorkflowRunsResponse, Error> {
        let plan = self
            .store
            .plan(scope, PlanKind::Workflow, request.name())
            .await?
            .ok_or_else(entity_not_found)?;
        let scope_text = scope.to_string();
        let binding = ["GetWorkflowRuns", &scope_text, &plan.uid];
        let mut after = page::start(&binding, request.next_token.as_deref())?;
        let most = page::size(request.max_results, RUNS_PER_PAGE_MAX);
        let mut answer = GetWorkflowRunsResponse::default();
        let mut bytes = 0;
        loop {
            // One more than is asked for tells whether there is another page.
            let wanted = RUNS_PER_READ.min(most + 1 - answer.runs.len());
            let rows: Vec<RunRow> = self.store.runs(&plan.uid, after.take(), wanted).await?;
            for rows in rows.chunks(RUNS_PER_STEP) {
                let shown = self
                    .queries
                    .show(scope, request.name(), rows, request.include_graph())
                    .await?;
                for run in shown {
                    if answer.runs.len() == most || bytes > PAGE_BYTES_MAX {
                        answer.next_token = answer.runs.last().map(|last| token_after(&binding, last));
                        return Ok(answer);
                    }
                    bytes += prost::Message::encoded_len(&run);
                    answer.runs.push(run);
                }
            }
            let Some(last) = rows.last().filter(|_| rows.len() == wanted) else {
                return Ok(answer);
            };
            after = Some(crate::store::Position {
                started_at_ms: last.started_at_ms,
                id: last.id.clone(),
            });
        }
    }
}

fn token_after(binding: &[&str], run: &WorkflowRun) -> String {
    let started_on = run.started_on.as_ref().map(crate::codec::from_proto_time);
    let started_at_ms = started_on.map(Timestamp::as_millis).unwrap_or_default();
    page::token(binding, started_at_ms, run.workflow_run_id())
}

fn cannot_be_stopped(run: &str, status: RunStatus) -> Fault {
    let message = format!(
        "Workflow run {run} is in state {} and cannot be stopped",
        status_word(status)
    );
    Fault::new(Reason::IllegalWorkflowStateException, message)
}
