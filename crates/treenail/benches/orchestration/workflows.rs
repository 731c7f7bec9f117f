//! The workflows of the benchmarks, and their runs.

use std::time::Duration;

use ::http::Uri;
use tonic::Request;
use treenail_proto::glue::v1::{
    Action, Condition, CreateJobRequest, CreateTriggerRequest, CreateWorkflowRequest, ExecutionProperty,
    GetWorkflowRunRequest, JobCommand, JobRunState, LogicalOperator, Predicate, StartWorkflowRunRequest, TriggerType,
    WorkflowRun, WorkflowRunStatus, job_service_client::JobServiceClient, trigger_service_client::TriggerServiceClient,
    workflow_run_service_client::WorkflowRunServiceClient, workflow_service_client::WorkflowServiceClient,
};
use treenail_rpc::Channel;

use crate::server::Server;

/// How many conditions a trigger may have (`Glue API: Predicate`).
const CONDITIONS_MAX: usize = 500;

/// Makes workflows and starts them, over gRPC.
#[derive(Debug, Clone)]
pub(crate) struct Workflows {
    channel: Channel,
}

impl Workflows {
    pub(crate) fn of(server: &Server) -> Workflows {
        Workflows::at(server.grpc())
    }

    pub(crate) fn at(grpc: Uri) -> Workflows {
        Workflows {
            channel: treenail_rpc::connect(grpc),
        }
    }

    pub(crate) async fn workflow(&self, name: &str) {
        let request = CreateWorkflowRequest {
            name: Some(name.to_owned()),
            ..CreateWorkflowRequest::default()
        };
        let mut client = WorkflowServiceClient::new(self.channel.clone());
        client.create_workflow(request).await.unwrap();
    }

    /// A workflow of noop jobs, one after another.
    pub(crate) async fn chain(&self, name: &str, length: usize) {
        self.workflow(name).await;
        for number in 0..length {
            let job = format!("{name}-{number}");
            self.noop(&job).await;
            let before = number.checked_sub(1).map(|before| vec![format!("{name}-{before}")]);
            self.trigger(name, &format!("{name}-t{number}"), before, &[job]).await;
        }
    }

    /// A workflow of one noop job, then many at once, then one more; where they are too many for one trigger to wait
    /// for, each part of them has a job of its own that the last one waits for. Gives the number of jobs.
    pub(crate) async fn fan(&self, name: &str, width: usize) -> usize {
        self.workflow(name).await;
        let (first, last) = (format!("{name}-first"), format!("{name}-last"));
        let middle: Vec<String> = (0..width).map(|number| format!("{name}-{number}")).collect();
        for job in middle.iter().chain([&first, &last]) {
            self.noop(job).await;
        }
        self.trigger(name, &format!("{name}-start"), None, std::slice::from_ref(&first))
            .await;
        self.trigger(name, &format!("{name}-out"), Some(vec![first]), &middle)
            .await;
        let mut waited_for = middle;
        let mut jobs = width + 2;
        if width > CONDITIONS_MAX {
            let mut joints = Vec::new();
            for (number, part) in waited_for.chunks(CONDITIONS_MAX).enumerate() {
                let joint = format!("{name}-joint-{number}");
                self.noop(&joint).await;
                let trigger = format!("{name}-join-{number}");
                self.trigger(name, &trigger, Some(part.to_vec()), std::slice::from_ref(&joint))
                    .await;
                joints.push(joint);
            }
            jobs += joints.len();
            waited_for = joints;
        }
        self.trigger(name, &format!("{name}-in"), Some(waited_for), &[last])
            .await;
        jobs
    }

    pub(crate) async fn noop(&self, name: &str) {
        self.job(
            name,
            JobCommand {
                name: Some("noop".to_owned()),
                ..JobCommand::default()
            },
        )
        .await;
    }

    /// A noop job of which one run goes at a time, and the others wait.
    pub(crate) async fn queuing_noop(&self, name: &str) {
        let request = CreateJobRequest {
            name: Some(name.to_owned()),
            role: Some("any".to_owned()),
            command: Some(JobCommand {
                name: Some("noop".to_owned()),
                ..JobCommand::default()
            }),
            job_run_queuing_enabled: Some(true),
            ..CreateJobRequest::default()
        };
        let mut client = JobServiceClient::new(self.channel.clone());
        client.create_job(request).await.unwrap();
    }

    pub(crate) async fn job(&self, name: &str, command: JobCommand) {
        let request = CreateJobRequest {
            name: Some(name.to_owned()),
            role: Some("any".to_owned()),
            command: Some(command),
            execution_property: Some(ExecutionProperty {
                max_concurrent_runs: Some(200_000),
            }),
            ..CreateJobRequest::default()
        };
        JobServiceClient::new(self.channel.clone())
            .create_job(request)
            .await
            .unwrap();
    }

    /// A trigger that starts jobs when others have succeeded, or the workflow.
    pub(crate) async fn trigger(&self, workflow: &str, name: &str, after: Option<Vec<String>>, jobs: &[String]) {
        let condition = |job| Condition {
            logical_operator: Some(LogicalOperator::Equals.into()),
            job_name: Some(job),
            state: Some(JobRunState::Succeeded.into()),
            ..Condition::default()
        };
        let kind = if after.is_none() {
            TriggerType::OnDemand
        } else {
            TriggerType::Conditional
        };
        let request = CreateTriggerRequest {
            name: Some(name.to_owned()),
            workflow_name: Some(workflow.to_owned()),
            r#type: Some(kind.into()),
            start_on_creation: Some(after.is_some()),
            predicate: after.map(|jobs| Predicate {
                logical: Some(treenail_proto::glue::v1::Logical::And.into()),
                conditions: jobs.into_iter().map(condition).collect(),
            }),
            actions: jobs.iter().map(|job| action(job)).collect(),
            ..CreateTriggerRequest::default()
        };
        let mut client = TriggerServiceClient::new(self.channel.clone());
        client.create_trigger(Request::new(request)).await.unwrap();
    }

    pub(crate) async fn start(&self, workflow: &str) -> String {
        let request = StartWorkflowRunRequest {
            name: Some(workflow.to_owned()),
            ..StartWorkflowRunRequest::default()
        };
        let answer = self.runs().start_workflow_run(request).await.unwrap();
        answer.into_inner().run_id.unwrap()
    }

    pub(crate) async fn get(&self, workflow: &str, run: &str) -> WorkflowRun {
        let request = GetWorkflowRunRequest {
            name: Some(workflow.to_owned()),
            run_id: Some(run.to_owned()),
            include_graph: None,
        };
        self.runs()
            .get_workflow_run(request)
            .await
            .unwrap()
            .into_inner()
            .run
            .unwrap()
    }

    /// Waits until a run is COMPLETED; gives how long it took by its own dates.
    pub(crate) async fn completed(&self, workflow: &str, run: &str) -> Duration {
        loop {
            let run = self.get(workflow, run).await;
            if run.status() == WorkflowRunStatus::Completed {
                let statistics = run.statistics.unwrap_or_default();
                assert_eq!(
                    statistics.succeeded_actions(),
                    statistics.total_actions(),
                    "{statistics:?}"
                );
                let millis = |time: Option<prost_types::Timestamp>| {
                    time.map_or(0, |time| time.seconds * 1_000 + i64::from(time.nanos) / 1_000_000)
                };
                let took = millis(run.completed_on) - millis(run.started_on);
                return Duration::from_millis(u64::try_from(took).unwrap());
            }
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    }

    fn runs(&self) -> WorkflowRunServiceClient<Channel> {
        WorkflowRunServiceClient::new(self.channel.clone()).max_decoding_message_size(1 << 26)
    }
}

fn action(job: &str) -> Action {
    Action {
        job_name: Some(job.to_owned()),
        ..Action::default()
    }
}
