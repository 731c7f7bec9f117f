//! `EventService`.

use tonic::{Request, Response, Status};
use treenail_engine::glue::{Input, NewEvent, Reply};
use treenail_proto::ops::v1::{NotifyEventRequest, NotifyEventResponse, event_service_server::EventService};
use treenail_rpc::Caller;

use super::{Api, invocation};
use crate::store::Store;

#[tonic::async_trait]
impl<S: Store> EventService for Api<S> {
    async fn notify_event(
        &self,
        request: Request<NotifyEventRequest>,
    ) -> Result<Response<NotifyEventResponse>, Status> {
        let caller = Caller::from_request(&request)?;
        let request = request.into_inner();
        let key = invocation::key(&caller, "NotifyEvent", &request);
        let payload = request.event_payload.clone().unwrap_or_default();
        let workflow = workflow_name(request.workflow_name()).to_owned();
        let event = NewEvent {
            workflow,
            id: payload.event_id().to_owned(),
        };
        let run_id = match self.scheduler.call(caller.scope, Input::Notify(event), key).await? {
            Reply::WorkflowRun(run) => Some(run.to_string()),
            Reply::Done | Reply::Resumed(..) | Reply::JobRun(_) => None,
        };
        Ok(Response::new(NotifyEventResponse { run_id }))
    }
}

/// The name of a workflow that is named by its name or its ARN.
fn workflow_name(name: &str) -> &str {
    match name.strip_prefix("arn:") {
        Some(rest) => rest.split_once(":workflow/").map_or(name, |(_, name)| name),
        None => name,
    }
}
