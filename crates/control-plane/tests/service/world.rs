//! A control-plane over a memory store, and short words for what tests do with it.

use tokio::{sync::oneshot, task::JoinHandle};
use treenail_control_plane::{Config, Deps, build, store::memory::MemoryStore};
use treenail_proto::{
    glue::v1::{
        CreateTriggerRequest, CreateWorkflowRequest, Trigger, Workflow, job_service_client::JobServiceClient,
        tag_service_client::TagServiceClient, trigger_service_client::TriggerServiceClient,
        workflow_service_client::WorkflowServiceClient,
    },
    internal::v1::{Plan, plan::Subject},
    ops::v1::clock_service_client::ClockServiceClient,
};
use treenail_rpc::{Channel, Clock, Entropy, in_process};
use treenail_schedule::Timestamp;

use crate::{
    scheduler::FakeScheduler,
    words::{job, text},
};

/// When the world begins, in milliseconds since the Unix epoch.
pub(crate) const START_MS: i64 = 1_700_000_000_123;

pub(crate) struct World {
    pub(crate) store: MemoryStore,
    pub(crate) scheduler: FakeScheduler,
    pub(crate) clock: Clock,
    channel: Channel,
    publisher: JoinHandle<()>,
    /// Dropping it stops the publisher.
    stop: oneshot::Sender<()>,
}

impl World {
    pub(crate) fn start() -> World {
        World::start_with(Config::default(), MemoryStore::default(), FakeScheduler::default())
    }

    pub(crate) fn start_with(config: Config, store: MemoryStore, scheduler: FakeScheduler) -> World {
        World::start_at(
            config,
            store,
            scheduler,
            Clock::manual(Timestamp::from_millis(START_MS)),
        )
    }

    pub(crate) fn start_at(config: Config, store: MemoryStore, scheduler: FakeScheduler, clock: Clock) -> World {
        let deps = Deps {
            store: store.clone(),
            scheduler: scheduler.channel(),
            clock: clock.clone(),
            entropy: Entropy::seeded(7),
        };
        let service = build(config, deps);
        let channel = in_process(service.routes());
        let (stop, stopped) = oneshot::channel();
        let publisher = tokio::spawn(service.run(async {
            // An error is as good: then the world was dropped.
            stopped.await.unwrap_or_default();
        }));
        World {
            store,
            scheduler,
            clock,
            channel,
            publisher,
            stop,
        }
    }

    /// Ends the control-plane and starts another on the same store.
    pub(crate) async fn restart(self, config: Config) -> World {
        let World {
            store,
            scheduler,
            clock,
            publisher,
            stop,
            ..
        } = self;
        drop(stop);
        publisher.await.expect("the publisher does not panic");
        World::start_at(config, store, scheduler, clock)
    }

    pub(crate) fn workflows(&self) -> WorkflowServiceClient<Channel> {
        WorkflowServiceClient::new(self.channel.clone())
    }

    pub(crate) fn triggers(&self) -> TriggerServiceClient<Channel> {
        TriggerServiceClient::new(self.channel.clone())
    }

    pub(crate) fn jobs(&self) -> JobServiceClient<Channel> {
        JobServiceClient::new(self.channel.clone())
    }

    pub(crate) fn tags(&self) -> TagServiceClient<Channel> {
        TagServiceClient::new(self.channel.clone())
    }

    pub(crate) fn clocks(&self) -> ClockServiceClient<Channel> {
        ClockServiceClient::new(self.channel.clone())
    }

    pub(crate) async fn create_workflow(&self, name: &str) {
        let request = CreateWorkflowRequest {
            name: text(name),
            ..CreateWorkflowRequest::default()
        };
        self.workflows()
            .create_workflow(request)
            .await
            .expect("the workflow is new");
    }

    pub(crate) async fn create_trigger(&self, request: CreateTriggerRequest) {
        self.triggers()
            .create_trigger(request)
            .await
            .expect("the trigger keeps the rules");
    }

    pub(crate) async fn create_job(&self, name: &str) {
        self.jobs()
            .create_job(job(name, "glueetl"))
            .await
            .expect("the job keeps the rules");
    }

    pub(crate) async fn trigger(&self, name: &str) -> Trigger {
        let request = treenail_proto::glue::v1::GetTriggerRequest { name: text(name) };
        let response = self.triggers().get_trigger(request).await.expect("the trigger exists");
        response.into_inner().trigger.expect("an answer holds the trigger")
    }

    pub(crate) async fn workflow(&self, name: &str) -> Workflow {
        let request = treenail_proto::glue::v1::GetWorkflowRequest {
            name: text(name),
            include_graph: Some(true),
        };
        let response = self
            .workflows()
            .get_workflow(request)
            .await
            .expect("the workflow exists");
        response.into_inner().workflow.expect("an answer holds the workflow")
    }

    /// The last plan that the scheduler was told.
    pub(crate) fn last_plan(&self) -> Plan {
        self.scheduler
            .state()
            .plans
            .last()
            .expect("something was published")
            .clone()
    }

    /// What the last plan was of, in a word and a name.
    pub(crate) fn last_subject(&self) -> String {
        describe(&self.last_plan())
    }
}

pub(crate) fn describe(plan: &Plan) -> String {
    match &plan.subject {
        Some(Subject::Workflow(plan)) => {
            let names: Vec<&str> = plan
                .triggers
                .iter()
                .filter_map(|trigger| trigger.name.as_deref())
                .collect();
            let workflow = plan.workflow.as_ref().and_then(|workflow| workflow.name.as_deref());
            format!("workflow {} [{}]", workflow.unwrap_or_default(), names.join(" "))
        }
        Some(Subject::Trigger(plan)) => {
            let name = plan.trigger.as_ref().and_then(|trigger| trigger.name.as_deref());
            format!("trigger {}", name.unwrap_or_default())
        }
        Some(Subject::Job(plan)) => {
            let name = plan.job.as_ref().and_then(|job| job.name.as_deref());
            format!("job {}", name.unwrap_or_default())
        }
        Some(Subject::Deleted(plan)) => format!("deleted {} {}", plan.kind().as_str_name(), plan.name),
        None => "nothing".to_owned(),
    }
}
