//! `PlanService`.

use tokio::sync::oneshot;
use tonic::{Request, Response, Status};
use treenail_engine::glue::{Input, Reply};
use treenail_proto::internal::v1::{
    self as internal, FireTriggerRequest, FireTriggerResponse, GetLastRunsRequest, GetLastRunsResponse, Plan,
    PublishPlansRequest, PublishPlansResponse, plan_service_server::PlanService,
};
use treenail_rpc::{Caller, Fault, Reason, Scope};

use super::{Api, invocation};
use crate::{
    codec::{plan::Published, sealed},
    error::Error,
    scheduler::Event,
    store::{PlanKind, PlanRow, Store},
};

/// How many plans one call publishes at the most.
const PLANS_MAX: usize = 1_000;

#[tonic::async_trait]
impl<S: Store> PlanService for Api<S> {
    async fn publish_plans(
        &self,
        request: Request<PublishPlansRequest>,
    ) -> Result<Response<PublishPlansResponse>, Status> {
        let plans = request.into_inner().plans;
        if plans.len() > PLANS_MAX {
            return Err(Fault::new(Reason::InvalidInputException, "too many plans in one call").into());
        }
        let mut answers = Vec::with_capacity(plans.len());
        let mut has_deleted = false;
        for plan in plans {
            has_deleted |= matches!(plan.subject, Some(internal::plan::Subject::Deleted(_)));
            answers.push(self.publish(plan).await?);
        }
        for answer in answers {
            answer.await.map_err(|_| Error::Stopping)?.map_err(Error::from)?;
        }
        if has_deleted {
            // The runs of what was deleted are forgotten before the deletion is answered.
            self.sweeper.sweep().await;
        }
        Ok(Response::new(PublishPlansResponse {}))
    }

    async fn fire_trigger(
        &self,
        request: Request<FireTriggerRequest>,
    ) -> Result<Response<FireTriggerResponse>, Status> {
        let caller = Caller::from_request(&request)?;
        let request = request.into_inner();
        let key = invocation::key(&caller, "FireTrigger", &request);
        let workflow = crate::codec::non_empty(&request.workflow_name);
        let input = Input::FireTrigger {
            workflow,
            trigger: request.name,
        };
        let workflow_run_id = match self.scheduler.call(caller.scope, input, key).await? {
            Reply::WorkflowRun(run) => run.to_string(),
            Reply::Done | Reply::Resumed(..) | Reply::JobRun(_) => String::new(),
        };
        Ok(Response::new(FireTriggerResponse { workflow_run_id }))
    }

    async fn get_last_runs(
        &self,
        request: Request<GetLastRunsRequest>,
    ) -> Result<Response<GetLastRunsResponse>, Status> {
        let caller = Caller::from_request(&request)?;
        let request = request.into_inner();
        let mut runs = Vec::new();
        for workflow in &request.workflow_names {
            let last = self.last_run(&caller.scope, workflow, request.include_graph).await?;
            runs.extend(last);
        }
        Ok(Response::new(GetLastRunsResponse { runs }))
    }
}

impl<S: Store> Api<S> {
    async fn publish(&self, plan: Plan) -> Result<oneshot::Receiver<crate::scheduler::Answer>, Error> {
        let scope = Scope::parse(&plan.account, &plan.region)
            .map_err(|error| Fault::new(Reason::InvalidInputException, error.to_string()))?;
        let published = Published::parse(&plan).map_err(|error| {
            Fault::new(
                Reason::InvalidInputException,
                format!("plan {}: {error}", plan.sequence),
            )
        })?;
        let kind = match published.kind() {
            internal::PlanKind::Workflow => PlanKind::Workflow,
            internal::PlanKind::Trigger => PlanKind::Trigger,
            internal::PlanKind::Job => PlanKind::Job,
            internal::PlanKind::Unspecified => {
                return Err(Fault::new(Reason::InvalidInputException, "a plan of no kind").into());
            }
        };
        let row = Box::new(PlanRow {
            scope: scope.clone(),
            kind,
            name: published.name().to_owned(),
            uid: published.uid().to_owned(),
            sequence: plan.sequence,
            written_at_ms: self.clock.now().as_millis(),
            is_deleted: matches!(published, Published::Deleted { .. }),
            data: sealed(&plan),
        });
        let (reply, answer) = oneshot::channel();
        self.scheduler
            .send(Event::Publish {
                scope,
                plan: published,
                row,
                reply,
            })
            .await?;
        Ok(answer)
    }

    async fn last_run(
        &self,
        scope: &Scope,
        workflow: &str,
        include_graph: bool,
    ) -> Result<Option<treenail_proto::glue::v1::WorkflowRun>, Error> {
        let Some(plan) = self.store.plan(scope, PlanKind::Workflow, workflow).await? else {
            return Ok(None);
        };
        let rows = self.store.runs(&plan.uid, None, 1).await?;
        Ok(self.queries.show(scope, workflow, &rows, include_graph).await?.pop())
    }
}
