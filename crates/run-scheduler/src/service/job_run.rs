//! `JobRunService`.

use prost::Message as _;
use tonic::{Request, Response, Status};
use treenail_engine::{
    glue::{Input, JobRunOverrides, Rejected, Reply, Settings},
    ids::JobRunId,
};
use treenail_proto::{
    glue::v1::{
        BatchStopJobRunError, BatchStopJobRunRequest, BatchStopJobRunResponse, BatchStopJobRunSuccessfulSubmission,
        ErrorDetail, GetJobBookmarkRequest, GetJobBookmarkResponse, GetJobRunRequest, GetJobRunResponse,
        GetJobRunsRequest, GetJobRunsResponse, JobRun, ResetJobBookmarkRequest, ResetJobBookmarkResponse,
        StartJobRunRequest, StartJobRunResponse, job_run_service_server::JobRunService,
    },
    internal::v1::{Plan, StoredJobRun, plan},
};
use treenail_rpc::{Caller, Fault, Reason, Scope};

use super::{Api, bookmark, invocation, page};
use crate::{
    codec::{
        job_run, opened,
        plan::{non_empty_map, notify_delay, positive},
    },
    error::Error,
    store::{JobRunRow, PlanKind, PlanRow, Position, Store},
};

/// How many job runs a page has at the most (`Glue API: GetJobRuns`).
const JOB_RUNS_PER_PAGE_MAX: usize = 200;
/// The longest timeout, in minutes.
const TIMEOUT_MINUTES_MAX: i32 = 10_080;
/// How many bytes of job runs a page has, unless one run alone has more.
const PAGE_BYTES_MAX: usize = 2 * 1024 * 1024;

#[tonic::async_trait]
impl<S: Store> JobRunService for Api<S> {
    async fn start_job_run(
        &self,
        request: Request<StartJobRunRequest>,
    ) -> Result<Response<StartJobRunResponse>, Status> {
        let caller = Caller::from_request(&request)?;
        let request = request.into_inner();
        let key = invocation::key(&caller, "StartJobRun", &request);
        self.check_overrides(&caller.scope, &request).await?;
        let previous = match &request.job_run_id {
            Some(id) => Some(self.existing(&caller.scope, request.job_name(), id).await?),
            None => None,
        };
        let job = request.job_name().to_owned();
        let input = Input::StartJobRun {
            job,
            previous,
            overrides: Box::new(overrides(&request)),
        };
        match self.scheduler.call(caller.scope, input, key).await? {
            Reply::JobRun(id) => Ok(Response::new(StartJobRunResponse {
                job_run_id: Some(id.to_string()),
            })),
            Reply::Done | Reply::WorkflowRun(_) | Reply::Resumed(..) => Err(Fault::internal().into()),
        }
    }

    async fn get_job_run(&self, request: Request<GetJobRunRequest>) -> Result<Response<GetJobRunResponse>, Status> {
        let caller = Caller::from_request(&request)?;
        let request = request.into_inner();
        let row = self
            .job_run_row(&caller.scope, request.job_name(), request.run_id())
            .await?;
        let mut shown = self.shown(&row)?;
        if !request.predecessors_included() {
            shown.predecessor_runs.clear();
        }
        Ok(Response::new(GetJobRunResponse { job_run: Some(shown) }))
    }

    async fn get_job_runs(&self, request: Request<GetJobRunsRequest>) -> Result<Response<GetJobRunsResponse>, Status> {
        let caller = Caller::from_request(&request)?;
        Ok(Response::new(
            self.page_of_job_runs(&caller.scope, &request.into_inner()).await?,
        ))
    }

    async fn batch_stop_job_run(
        &self,
        request: Request<BatchStopJobRunRequest>,
    ) -> Result<Response<BatchStopJobRunResponse>, Status> {
        let caller = Caller::from_request(&request)?;
        let request = request.into_inner();
        let mut answer = BatchStopJobRunResponse::default();
        for id in &request.job_run_ids {
            let (job_name, job_run_id) = (Some(request.job_name().to_owned()), Some(id.clone()));
            match self.stop(&caller.scope, request.job_name(), id).await {
                Ok(()) => {
                    answer
                        .successful_submissions
                        .push(BatchStopJobRunSuccessfulSubmission { job_name, job_run_id });
                }
                Err(Error::Refused(fault)) => {
                    let error_detail = Some(detail(fault.reason.as_str(), fault.message));
                    answer.errors.push(BatchStopJobRunError {
                        job_name,
                        job_run_id,
                        error_detail,
                    });
                }
                Err(Error::Rejected(Rejected::NoJobRun)) => {
                    let text = format!("Job run {id} is in a terminal state");
                    let error_detail = Some(detail("JobRunInTerminalStateException", text));
                    answer.errors.push(BatchStopJobRunError {
                        job_name,
                        job_run_id,
                        error_detail,
                    });
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Response::new(answer))
    }

    async fn get_job_bookmark(
        &self,
        request: Request<GetJobBookmarkRequest>,
    ) -> Result<Response<GetJobBookmarkResponse>, Status> {
        let caller = Caller::from_request(&request)?;
        let request = request.into_inner();
        let row = self.bookmark_of(&caller.scope, request.job_name()).await?;
        let entry = bookmark::shown(request.job_name(), &row);
        Ok(Response::new(GetJobBookmarkResponse {
            job_bookmark_entry: Some(entry),
        }))
    }

    async fn reset_job_bookmark(
        &self,
        request: Request<ResetJobBookmarkRequest>,
    ) -> Result<Response<ResetJobBookmarkResponse>, Status> {
        let caller = Caller::from_request(&request)?;
        let request = request.into_inner();
        let row = self.reset_bookmark(&caller.scope, request.job_name()).await?;
        let entry = bookmark::shown(request.job_name(), &row);
        Ok(Response::new(ResetJobBookmarkResponse {
            job_bookmark_entry: Some(entry),
        }))
    }
}

impl<S: Store> Api<S> {
    /// The current plan of a job.
    pub(super) async fn job_plan(&self, scope: &Scope, job: &str) -> Result<PlanRow, Error> {
        let plan = self.store.plan(scope, PlanKind::Job, job).await?;
        let missing = || Fault::new(Reason::EntityNotFoundException, format!("Job {job} not found."));
        Ok(plan.ok_or_else(missing)?)
    }

    /// A run of the current job of a name.
    async fn job_run_row(&self, scope: &Scope, job: &str, id: &str) -> Result<JobRunRow, Error> {
        let plan = self.job_plan(scope, job).await?;
        let (rows, _) = self.store.by_ids(vec![id.to_owned()]).await?;
        let row = rows
            .into_iter()
            .find(|row| row.job_uid.as_ref() == Some(&plan.uid) && row.scope == *scope);
        let missing = || Fault::new(Reason::EntityNotFoundException, format!("Job run {id} not found."));
        Ok(row.ok_or_else(missing)?)
    }

    /// Holds a start to the rules of its job (`Glue API: StartJobRun`), in AWS's words. Whether there is such a job is
    /// decided where the run starts.
    async fn check_overrides(&self, scope: &Scope, request: &StartJobRunRequest) -> Result<(), Error> {
        let invalid = |message: &str| Err(Fault::new(Reason::InvalidInputException, message).into());
        if request.timeout() > TIMEOUT_MINUTES_MAX {
            return invalid("Timeout should be less than or equal to 10080 minutes.");
        }
        if request.worker_type.is_none() && request.number_of_workers.is_none() && request.max_capacity.is_none() {
            return Ok(());
        }
        let Some(row) = self.store.plan(scope, PlanKind::Job, request.job_name()).await? else {
            return Ok(());
        };
        let plan = opened::<Plan>(&row.data, "plan")?;
        let Some(plan::Subject::Job(subject)) = plan.subject else {
            return Ok(());
        };
        let command = subject.job.and_then(|job| job.command).and_then(|command| command.name);
        if request.worker_type.is_some() && command.as_deref() == Some("pythonshell") {
            return invalid("Worker Type is not supported for Job Command pythonshell");
        }
        if request.worker_type.is_some() != request.number_of_workers.is_some() {
            return invalid("Please set both Worker Type and Number of Workers.");
        }
        if request.worker_type.is_some() && request.max_capacity.is_some() {
            return invalid("Please do not set Max Capacity if using Worker Type and Number of Workers.");
        }
        Ok(())
    }

    async fn existing(&self, scope: &Scope, job: &str, id: &str) -> Result<JobRunId, Error> {
        let row = self.job_run_row(scope, job, id).await?;
        Ok(job_run::job_run_id(&row.id)?)
    }

    fn shown(&self, row: &JobRunRow) -> Result<JobRun, Error> {
        let stored = opened::<StoredJobRun>(&row.data, "job run")?;
        Ok(job_run::shown(stored, self.clock.now()))
    }

    async fn page_of_job_runs(&self, scope: &Scope, request: &GetJobRunsRequest) -> Result<GetJobRunsResponse, Error> {
        let plan = self.job_plan(scope, request.job_name()).await?;
        let scope_text = scope.to_string();
        let binding = ["GetJobRuns", &scope_text, &plan.uid];
        let after: Option<Position> = page::start(&binding, request.next_token.as_deref())?;
        let most = page::size(request.max_results, JOB_RUNS_PER_PAGE_MAX);
        let rows = self.store.job_runs(&plan.uid, after, most + 1).await?;
        let (mut answer, mut bytes) = (GetJobRunsResponse::default(), 0);
        let mut last: Option<&JobRunRow> = None;
        for row in &rows {
            if answer.job_runs.len() == most || bytes > PAGE_BYTES_MAX {
                answer.next_token = last.map(|last| page::token(&binding, last.started_at_ms, &last.id));
                break;
            }
            let shown = self.shown(row)?;
            bytes += shown.encoded_len();
            answer.job_runs.push(shown);
            last = Some(row);
        }
        Ok(answer)
    }

    async fn stop(&self, scope: &Scope, job: &str, id: &str) -> Result<(), Error> {
        let job_run = self.existing(scope, job, id).await?;
        self.scheduler
            .call(scope.clone(), Input::StopJobRun { job_run }, None)
            .await?;
        Ok(())
    }
}

fn overrides(request: &StartJobRunRequest) -> JobRunOverrides {
    let worker_type = request
        .worker_type
        .map(|_| request.worker_type().as_str_name().to_owned());
    let execution_class = request
        .execution_class
        .map(|_| request.execution_class().as_str_name().to_owned());
    JobRunOverrides {
        settings: Settings {
            timeout_minutes: request.timeout.and_then(positive),
            notify_delay_minutes: notify_delay(request.notification_property.as_ref()),
            queuing: request.job_run_queuing_enabled,
            allocated_capacity: request.allocated_capacity,
            max_capacity: request.max_capacity,
            worker_type,
            number_of_workers: request.number_of_workers,
            security_configuration: request.security_configuration.clone(),
            execution_class,
            execution_role_session_policy: request.execution_role_session_policy.clone(),
            ..Settings::default()
        },
        arguments: non_empty_map(&request.arguments),
    }
}

fn detail(code: &str, message: String) -> ErrorDetail {
    ErrorDetail {
        error_code: Some(code.to_owned()),
        error_message: Some(message),
    }
}
