//! A client as the SDKs are: it gives up on a call after a while, asks again under the same invocation id, and in the end
//! knows that it was done, that it was refused, or nothing.

use std::{future::Future, time::Duration};

use tokio::time::{sleep, timeout};
use tonic::{Request, Response, Status};
use treenail_proto::glue::v1::{
    GetJobRunsRequest, GetWorkflowRunPropertiesRequest, GetWorkflowRunsRequest, JobRun,
    PutWorkflowRunPropertiesRequest, ResumeWorkflowRunRequest, StartJobRunRequest, StartWorkflowRunRequest,
    StopWorkflowRunRequest, WorkflowRun, job_run_service_client::JobRunServiceClient,
    run_properties_service_client::RunPropertiesServiceClient, workflow_run_service_client::WorkflowRunServiceClient,
};
use treenail_rpc::{Caller, Channel, Fault, Reason, Scope};

use crate::{
    history::{Answer, Call, History},
    random::Random,
};

/// How often a client asks at the most.
const ATTEMPTS_MAX: u32 = 4;
/// How long it waits for an answer.
const PATIENCE: Duration = Duration::from_secs(20);
/// The property that carries the tag of a call.
pub const TAG: &str = "tag";
/// The argument that carries the tag of a call.
pub const TAG_ARGUMENT: &str = "--tag";

/// A client.
#[derive(Debug, Clone)]
pub struct Client {
    /// Where runs are.
    pub run_scheduler: Channel,
    /// Where properties are.
    pub properties_store: Channel,
    /// Decides about pauses and invocation ids.
    pub random: Random,
    /// Where it writes down what it did.
    pub history: History,
}

impl Client {
    /// Makes a call and writes down what became of it.
    pub async fn perform(&self, call: Call) -> Answer {
        let operation = self.history.call(call.clone());
        let answer = self.ask_for(call).await;
        self.history.answer(operation, answer.clone());
        answer
    }

    async fn ask_for(&self, call: Call) -> Answer {
        match call {
            Call::StartWorkflowRun { workflow, tag } => self.start(workflow, tag).await,
            Call::StartJobRun { job, tag } => self.start_job(job, tag).await,
            Call::StopWorkflowRun { run } => {
                let (name, run_id) = split(&run);
                let message = StopWorkflowRunRequest { name, run_id };
                self.ask(message, async |request| self.runs().stop_workflow_run(request).await)
                    .await
                    .map_or_else(|refused| refused, |_| Answer::Done(None))
            }
            Call::ResumeWorkflowRun { run } => self.resume(&run).await,
            Call::Put { run, key, value } => {
                let (name, run_id) = split(&run);
                let message = PutWorkflowRunPropertiesRequest {
                    name,
                    run_id,
                    run_properties: [(key, value)].into(),
                };
                self.ask(message, async |request| {
                    self.properties().put_workflow_run_properties(request).await
                })
                .await
                .map_or_else(|refused| refused, |_| Answer::Done(None))
            }
            Call::Get { run } => {
                let (name, run_id) = split(&run);
                let message = GetWorkflowRunPropertiesRequest { name, run_id };
                self.ask(message, async |request| {
                    self.properties().get_workflow_run_properties(request).await
                })
                .await
                .map_or_else(|refused| refused, |answer| Answer::Properties(answer.run_properties))
            }
        }
    }

    async fn start(&self, workflow: String, tag: String) -> Answer {
        let message = StartWorkflowRunRequest {
            name: Some(workflow.clone()),
            run_properties: [(TAG.to_owned(), tag)].into(),
        };
        self.ask(message, async |request| self.runs().start_workflow_run(request).await)
            .await
            .map_or_else(
                |refused| refused,
                |answer| Answer::Done(answer.run_id.map(|run| format!("{workflow}/{run}"))),
            )
    }

    async fn start_job(&self, job: String, tag: String) -> Answer {
        let message = StartJobRunRequest {
            job_name: Some(job),
            arguments: [(TAG_ARGUMENT.to_owned(), tag)].into(),
            ..StartJobRunRequest::default()
        };
        self.ask(message, async |request| {
            JobRunServiceClient::new(self.run_scheduler.clone())
                .start_job_run(request)
                .await
        })
        .await
        .map_or_else(|refused| refused, |answer| Answer::Done(answer.job_run_id))
    }

    async fn resume(&self, run: &str) -> Answer {
        let (name, run_id) = split(run);
        let workflow = name.clone().unwrap_or_default();
        let found = self.runs_of(&workflow).await;
        let nodes = found.iter().flatten().find(|found| found.workflow_run_id == run_id);
        let ran = nodes
            .and_then(|run| run.graph.as_ref())
            .into_iter()
            .flat_map(|graph| &graph.nodes)
            .filter(|node| node.job_details.as_ref().is_some_and(|job| !job.job_runs.is_empty()));
        let candidates: Vec<String> = ran.filter_map(|node| node.unique_id.clone()).collect();
        let Some(node) = self.random.one_of(&candidates) else {
            return Answer::Refused("nothing ran".to_owned());
        };
        let message = ResumeWorkflowRunRequest {
            name,
            run_id,
            node_ids: vec![node.clone()],
        };
        self.ask(message, async |request| self.runs().resume_workflow_run(request).await)
            .await
            .map_or_else(
                |refused| refused,
                |answer| Answer::Done(answer.run_id.map(|run| format!("{workflow}/{run}"))),
            )
    }

    /// All runs of a workflow, with their graphs; `None` when they cannot be had.
    pub async fn runs_of(&self, workflow: &str) -> Option<Vec<WorkflowRun>> {
        let (mut runs, mut next_token) = (Vec::new(), None);
        loop {
            let message = GetWorkflowRunsRequest {
                name: Some(workflow.to_owned()),
                include_graph: Some(true),
                next_token,
                ..GetWorkflowRunsRequest::default()
            };
            let page = self
                .ask(message, async |request| self.runs().get_workflow_runs(request).await)
                .await
                .ok()?;
            runs.extend(page.runs);
            next_token = page.next_token;
            if next_token.is_none() {
                return Some(runs);
            }
        }
    }

    /// All runs of a job; `None` when they cannot be had.
    pub async fn job_runs_of(&self, job: &str) -> Option<Vec<JobRun>> {
        let (mut runs, mut next_token) = (Vec::new(), None);
        loop {
            let message = GetJobRunsRequest {
                job_name: Some(job.to_owned()),
                next_token,
                ..GetJobRunsRequest::default()
            };
            let page = self
                .ask(message, async |request| {
                    JobRunServiceClient::new(self.run_scheduler.clone())
                        .get_job_runs(request)
                        .await
                })
                .await
                .ok()?;
            runs.extend(page.job_runs);
            next_token = page.next_token;
            if next_token.is_none() {
                return Some(runs);
            }
        }
    }

    /// Asks until there is an answer that means something.
    async fn ask<Q: Clone, A, F>(&self, message: Q, call: impl Fn(Request<Q>) -> F) -> Result<A, Answer>
    where
        F: Future<Output = Result<Response<A>, Status>>,
    {
        let mut caller = Caller::new(Scope::default());
        caller.invocation = Some(format!("invocation-{}", self.random.below(u64::MAX)));
        for attempt in 0..ATTEMPTS_MAX {
            let status = match timeout(PATIENCE, call(caller.request(message.clone()))).await {
                Ok(Ok(answer)) => return Ok(answer.into_inner()),
                Ok(Err(status)) => status,
                Err(_elapsed) => Status::deadline_exceeded("no answer"),
            };
            let fault = Fault::from_status(&status);
            match fault.reason {
                Reason::ServiceUnavailableException
                | Reason::OperationTimeoutException
                | Reason::InternalServiceException
                | Reason::ThrottlingException => {}
                reason => return Err(Answer::Refused(reason.as_str().to_owned())),
            }
            sleep(self.random.up_to_ms(500 << attempt)).await;
        }
        Err(Answer::Unknown)
    }

    fn runs(&self) -> WorkflowRunServiceClient<Channel> {
        WorkflowRunServiceClient::new(self.run_scheduler.clone())
    }

    fn properties(&self) -> RunPropertiesServiceClient<Channel> {
        RunPropertiesServiceClient::new(self.properties_store.clone())
    }
}

/// The workflow and the id of a run, which clients write as `workflow/id`.
fn split(run: &str) -> (Option<String>, Option<String>) {
    let (workflow, id) = run.split_once('/').unwrap_or_default();
    (Some(workflow.to_owned()), Some(id.to_owned()))
}
