//! A run-scheduler that runs nothing: it writes down what it is told, and answers what the test wants.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
};

use prost_types::Timestamp;
use tonic::{Request, Response, Status, service::Routes};
use treenail_proto::{
    glue::v1::WorkflowRun,
    internal::v1::{
        FireTriggerRequest, FireTriggerResponse, GetLastRunsRequest, GetLastRunsResponse, GetSchedulerClockRequest,
        GetSchedulerClockResponse, Plan, PublishPlansRequest, PublishPlansResponse, SetSchedulerClockRequest,
        SetSchedulerClockResponse,
        plan_service_server::{PlanService, PlanServiceServer},
        scheduler_clock_service_server::{SchedulerClockService, SchedulerClockServiceServer},
    },
};
use treenail_rpc::{Caller, Channel, Fault, in_process};

/// The fake; clones are the same one.
#[derive(Debug, Clone, Default)]
pub(crate) struct FakeScheduler {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    /// Refuses every call.
    pub(crate) is_down: bool,
    /// All plans, in the order in which they came.
    pub(crate) plans: Vec<Plan>,
    /// Who fired which trigger, and of which workflow.
    pub(crate) fired: Vec<(Caller, String, String)>,
    /// How the next firings are refused.
    pub(crate) refusal: Option<Fault>,
    /// The last runs by workflow.
    pub(crate) last_runs: BTreeMap<String, WorkflowRun>,
    /// What time it is.
    pub(crate) now: Timestamp,
}

impl FakeScheduler {
    pub(crate) fn channel(&self) -> Channel {
        let plans = PlanServiceServer::new(self.clone());
        in_process(Routes::new(plans).add_service(SchedulerClockServiceServer::new(self.clone())))
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panics while it holds the state")
    }

    fn up(&self) -> Result<MutexGuard<'_, State>, Status> {
        let state = self.state();
        if state.is_down {
            Err(Status::unavailable("told to be down"))
        } else {
            Ok(state)
        }
    }
}

#[tonic::async_trait]
impl PlanService for FakeScheduler {
    async fn publish_plans(
        &self,
        request: Request<PublishPlansRequest>,
    ) -> Result<Response<PublishPlansResponse>, Status> {
        self.up()?.plans.extend(request.into_inner().plans);
        Ok(Response::new(PublishPlansResponse {}))
    }

    async fn fire_trigger(
        &self,
        request: Request<FireTriggerRequest>,
    ) -> Result<Response<FireTriggerResponse>, Status> {
        let caller = Caller::from_request(&request)?;
        let FireTriggerRequest { name, workflow_name } = request.into_inner();
        let mut state = self.up()?;
        if let Some(refusal) = &state.refusal {
            return Err(refusal.clone().into());
        }
        state.fired.push((caller, name, workflow_name));
        Ok(Response::new(FireTriggerResponse::default()))
    }

    async fn get_last_runs(
        &self,
        request: Request<GetLastRunsRequest>,
    ) -> Result<Response<GetLastRunsResponse>, Status> {
        let state = self.up()?;
        let names = request.into_inner().workflow_names;
        let runs = names
            .iter()
            .filter_map(|name| state.last_runs.get(name).cloned())
            .collect();
        Ok(Response::new(GetLastRunsResponse { runs }))
    }
}

#[tonic::async_trait]
impl SchedulerClockService for FakeScheduler {
    async fn set_scheduler_clock(
        &self,
        request: Request<SetSchedulerClockRequest>,
    ) -> Result<Response<SetSchedulerClockResponse>, Status> {
        self.up()?.now = request.into_inner().now.unwrap_or_default();
        Ok(Response::new(SetSchedulerClockResponse {}))
    }

    async fn get_scheduler_clock(
        &self,
        _: Request<GetSchedulerClockRequest>,
    ) -> Result<Response<GetSchedulerClockResponse>, Status> {
        Ok(Response::new(GetSchedulerClockResponse {
            now: Some(self.up()?.now),
        }))
    }
}
