//! What runs in a simulation: random workflows, and clients that do random things with them.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tonic::Status;
use treenail_proto::glue::v1::{
    Action, Condition, CreateJobRequest, CreateTriggerRequest, CreateWorkflowRequest, ExecutionProperty, JobCommand,
    JobRunState, Logical, LogicalOperator, Predicate, TriggerType, job_service_client::JobServiceClient,
    trigger_service_client::TriggerServiceClient, workflow_service_client::WorkflowServiceClient,
};
use treenail_rpc::{Caller, Channel, Scope};

use crate::{
    client::Client,
    executor::{DURATION_MS, OUTCOME},
    history::{Answer, Call},
    random::Random,
};

/// How long a client pauses between two calls at the most, in milliseconds.
const PAUSE_MS_MAX: u64 = 3_000;
/// How long a job takes at the most, in milliseconds: some outlast a lease.
const JOB_MS_MAX: [u64; 4] = [0, 500, 5_000, 25_000];
/// The job that every workflow may start, one run at a time.
const SHARED_JOB: &str = "shared";

/// The definitions of a simulation.
#[derive(Debug, Clone, Default)]
pub struct Workload {
    /// The workflows.
    pub workflows: Vec<String>,
    /// The jobs.
    pub jobs: Vec<String>,
    /// How many runs of each workflow may run at once.
    pub max_concurrent_runs: BTreeMap<String, i64>,
    /// How often each job may be tried again.
    pub max_retries: BTreeMap<String, i64>,
    /// The runs that clients have started; all of them read and write the properties of the last ones.
    started: Arc<Mutex<Vec<String>>>,
}

impl Workload {
    /// Defines random workflows, over a network without faults.
    ///
    /// # Errors
    /// When a definition is refused: the workload is wrong then.
    pub async fn define(control_plane: &Channel, random: &Random) -> Result<Workload, Status> {
        let definer = Definer { control_plane, random };
        let mut workload = Workload::default();
        definer.job(SHARED_JOB, (1, 0), &mut workload).await?;
        for number in 0..=random.below(3) {
            definer.workflow(&format!("w{number}"), &mut workload).await?;
        }
        Ok(workload)
    }

    /// Does random things with the workflows, one after another.
    pub async fn exercise(&self, client: &Client, name: &str, calls: u32) {
        let random = &client.random;
        for number in 0..calls {
            tokio::time::sleep(random.up_to_ms(PAUSE_MS_MAX)).await;
            let tag = format!("{name}-{number}");
            let Some(call) = self.next_call(random, &self.started(), tag) else {
                continue;
            };
            let starts_run = matches!(call, Call::StartWorkflowRun { .. });
            if let (Answer::Done(Some(run)), true) = (client.perform(call).await, starts_run) {
                self.started().push(run);
            }
        }
    }

    fn started(&self) -> MutexGuard<'_, Vec<String>> {
        self.started.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next_call(&self, random: &Random, runs: &[String], tag: String) -> Option<Call> {
        let kind = random.below(100);
        let run = || random.one_of(&runs[runs.len().saturating_sub(2)..]).cloned();
        match kind {
            0..30 => Some(Call::StartWorkflowRun {
                workflow: random.one_of(&self.workflows)?.clone(),
                tag,
            }),
            30..55 => Some(Call::Put {
                run: run()?,
                key: format!("key-{}", random.below(2)),
                value: tag,
            }),
            55..80 => Some(Call::Get { run: run()? }),
            80..85 => Some(Call::StopWorkflowRun { run: run()? }),
            85..92 => Some(Call::ResumeWorkflowRun {
                run: random.one_of(runs)?.clone(),
            }),
            _ => Some(Call::StartJobRun {
                job: random.one_of(&self.jobs)?.clone(),
                tag,
            }),
        }
    }
}

struct Definer<'a> {
    control_plane: &'a Channel,
    random: &'a Random,
}

impl Definer<'_> {
    async fn workflow(&self, name: &str, workload: &mut Workload) -> Result<(), Status> {
        let most = 1 + self.random.below(4);
        let request = CreateWorkflowRequest {
            name: Some(name.to_owned()),
            max_concurrent_runs: i32::try_from(most).ok(),
            ..CreateWorkflowRequest::default()
        };
        WorkflowServiceClient::new(self.control_plane.clone())
            .create_workflow(request_of(request))
            .await?;
        let mut jobs: Vec<String> = Vec::new();
        for number in 0..2 + self.random.below(5) {
            let job = if number > 0 && !jobs.iter().any(|job| job == SHARED_JOB) && self.random.happens(100) {
                SHARED_JOB.to_owned()
            } else {
                let job = format!("{name}-j{number}");
                self.job(&job, (1 + self.random.below(3), self.random.below(3)), workload)
                    .await?;
                job
            };
            let watched = self.watched(&jobs);
            self.trigger(name, &format!("{name}-t{number}"), watched, &job).await?;
            jobs.push(job);
        }
        workload.workflows.push(name.to_owned());
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        workload.max_concurrent_runs.insert(name.to_owned(), most);
        Ok(())
    }

    /// A job with so many runs at once, and retries.
    async fn job(
        &self,
        name: &str,
        (max_concurrent_runs, max_retries): (u64, u64),
        workload: &mut Workload,
    ) -> Result<(), Status> {
        let outcome = if self.random.happens(600) { "succeeded" } else { "mixed" };
        let duration = self.random.one_of(&JOB_MS_MAX).copied().unwrap_or_default();
        let request = CreateJobRequest {
            name: Some(name.to_owned()),
            role: Some("role".to_owned()),
            command: Some(JobCommand {
                name: Some("noop".to_owned()),
                ..JobCommand::default()
            }),
            execution_property: Some(ExecutionProperty {
                max_concurrent_runs: i32::try_from(max_concurrent_runs).ok(),
            }),
            max_retries: i32::try_from(max_retries).ok(),
            default_arguments: [
                (OUTCOME.to_owned(), outcome.to_owned()),
                (DURATION_MS.to_owned(), duration.to_string()),
            ]
            .into(),
            ..CreateJobRequest::default()
        };
        JobServiceClient::new(self.control_plane.clone())
            .create_job(request_of(request))
            .await?;
        workload.jobs.push(name.to_owned());
        let max_retries = i64::try_from(max_retries).unwrap_or(i64::MAX);
        workload.max_retries.insert(name.to_owned(), max_retries);
        Ok(())
    }

    /// Some of the jobs before, and what is waited for.
    fn watched(&self, jobs: &[String]) -> Vec<Condition> {
        if jobs.is_empty() || self.random.happens(100) {
            return Vec::new();
        }
        let mut watched: Vec<String> = Vec::new();
        for _ in 0..=self.random.below(3) {
            if let Some(job) = self.random.one_of(jobs).filter(|job| !watched.contains(job)) {
                watched.push(job.clone());
            }
        }
        let condition = |job| Condition {
            logical_operator: Some(LogicalOperator::Equals.into()),
            job_name: Some(job),
            state: Some(match self.random.below(10) {
                0 => JobRunState::Stopped.into(),
                1 | 2 => JobRunState::Failed.into(),
                _ => JobRunState::Succeeded.into(),
            }),
            ..Condition::default()
        };
        watched.into_iter().map(condition).collect()
    }

    async fn trigger(&self, workflow: &str, name: &str, watched: Vec<Condition>, job: &str) -> Result<(), Status> {
        let mut clients = TriggerServiceClient::new(self.control_plane.clone());
        let is_start = watched.is_empty();
        let name = if is_start {
            format!("{workflow}-start")
        } else {
            name.to_owned()
        };
        let action = Action {
            job_name: Some(job.to_owned()),
            ..Action::default()
        };
        let logical = if self.random.happens(500) {
            Logical::And
        } else {
            Logical::Any
        };
        let is_first = job.ends_with("-j0");
        if is_start && !is_first {
            // One trigger starts a workflow: what else starts at once waits for the first job, either way.
            return self.after_first(workflow, &name, job).await;
        }
        let request = CreateTriggerRequest {
            name: Some(name),
            workflow_name: Some(workflow.to_owned()),
            r#type: Some(if is_start {
                if workflow == "w0" {
                    TriggerType::Scheduled.into()
                } else {
                    TriggerType::OnDemand.into()
                }
            } else {
                TriggerType::Conditional.into()
            }),
            schedule: (is_start && workflow == "w0").then(|| "cron(* * * * ? *)".to_owned()),
            start_on_creation: Some(!is_start || workflow == "w0"),
            predicate: (!is_start).then(|| Predicate {
                logical: Some(logical.into()),
                conditions: watched,
            }),
            actions: vec![action],
            ..CreateTriggerRequest::default()
        };
        clients.create_trigger(request_of(request)).await?;
        Ok(())
    }

    async fn after_first(&self, workflow: &str, name: &str, job: &str) -> Result<(), Status> {
        let state = |state: JobRunState| Condition {
            logical_operator: Some(LogicalOperator::Equals.into()),
            job_name: Some(format!("{workflow}-j0")),
            state: Some(state.into()),
            ..Condition::default()
        };
        let request = CreateTriggerRequest {
            name: Some(format!("{name}-{job}")),
            workflow_name: Some(workflow.to_owned()),
            r#type: Some(TriggerType::Conditional.into()),
            start_on_creation: Some(true),
            predicate: Some(Predicate {
                logical: Some(Logical::Any.into()),
                conditions: vec![state(JobRunState::Succeeded), state(JobRunState::Failed)],
            }),
            actions: vec![Action {
                job_name: Some(job.to_owned()),
                ..Action::default()
            }],
            ..CreateTriggerRequest::default()
        };
        TriggerServiceClient::new(self.control_plane.clone())
            .create_trigger(request_of(request))
            .await?;
        Ok(())
    }
}

fn request_of<T>(message: T) -> tonic::Request<T> {
    Caller::new(Scope::default()).request(message)
}

/// How long all clients of a simulation are at work at the most.
#[must_use]
pub fn working_time(calls: u32) -> Duration {
    Duration::from_millis(PAUSE_MS_MAX) * calls
}
