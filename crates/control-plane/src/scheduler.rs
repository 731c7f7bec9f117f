//! The run-scheduler, as the control-plane calls it.

use std::time::Duration;

use tonic::Response;
use treenail_proto::{
    glue::v1::WorkflowRun,
    internal::v1::{
        FireTriggerRequest, GetLastRunsRequest, GetSchedulerClockRequest, Plan, PublishPlansRequest,
        SetSchedulerClockRequest, plan_service_client::PlanServiceClient,
        scheduler_clock_service_client::SchedulerClockServiceClient,
    },
};
use treenail_rpc::{Caller, Channel, Fault, limits};
use treenail_schedule::Timestamp;

use crate::codec;

/// The run-scheduler behind a channel.
#[derive(Debug, Clone)]
pub(crate) struct Scheduler {
    plans: PlanServiceClient<Channel>,
    clock: SchedulerClockServiceClient<Channel>,
    last_run_wait: Duration,
}

impl Scheduler {
    pub(crate) fn new(channel: Channel, last_run_wait: Duration) -> Scheduler {
        Scheduler {
            plans: PlanServiceClient::new(channel.clone())
                .max_decoding_message_size(limits::GRPC_MESSAGE_BYTES_MAX)
                .max_encoding_message_size(limits::GRPC_MESSAGE_BYTES_MAX),
            clock: SchedulerClockServiceClient::new(channel),
            last_run_wait,
        }
    }

    /// Publishes plans; all of them are durable there when it answers.
    pub(crate) async fn publish(&self, plans: Vec<Plan>) -> Result<(), Fault> {
        answer(self.plans.clone().publish_plans(PublishPlansRequest { plans }).await)?;
        Ok(())
    }

    /// Fires an ON_DEMAND trigger; `workflow` is the one that it starts, if it belongs to one.
    pub(crate) async fn fire(&self, caller: &Caller, name: String, workflow: Option<String>) -> Result<(), Fault> {
        let request = FireTriggerRequest {
            name,
            workflow_name: workflow.unwrap_or_default(),
        };
        answer(self.plans.clone().fire_trigger(caller.request(request)).await)?;
        Ok(())
    }

    /// Gets the last runs of workflows, in any order; none for those that never ran.
    pub(crate) async fn last_runs(
        &self,
        caller: &Caller,
        workflow_names: Vec<String>,
        include_graph: bool,
    ) -> Result<Vec<WorkflowRun>, Fault> {
        let mut request = caller.request(GetLastRunsRequest {
            workflow_names,
            include_graph,
        });
        request.set_timeout(self.last_run_wait);
        Ok(answer(self.plans.clone().get_last_runs(request).await)?.runs)
    }

    /// What time it is for the run-scheduler.
    pub(crate) async fn now(&self, caller: &Caller) -> Result<Timestamp, Fault> {
        let response = answer(
            self.clock
                .clone()
                .get_scheduler_clock(caller.request(GetSchedulerClockRequest {}))
                .await,
        )?;
        Ok(codec::from_timestamp(&response.now.unwrap_or_default()))
    }

    /// Moves the run-scheduler's clock; all that falls due on the way is durable when it answers.
    pub(crate) async fn set_clock(&self, caller: &Caller, now: Timestamp) -> Result<(), Fault> {
        let mut request = caller.request(SetSchedulerClockRequest {
            now: Some(codec::timestamp(now)),
        });
        // A year of a busy schedule is a lot to fire.
        request.set_timeout(limits::CALL_DEADLINE_MAX);
        answer(self.clock.clone().set_scheduler_clock(request).await)?;
        Ok(())
    }
}

fn answer<T>(response: Result<Response<T>, tonic::Status>) -> Result<T, Fault> {
    response.map(Response::into_inner).map_err(|status| {
        tracing::debug!(code = ?status.code(), refusal = status.message(), "the run-scheduler refused");
        Fault::from_status(&status)
    })
}
