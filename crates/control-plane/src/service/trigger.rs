//! `treenail.glue.v1.TriggerService`.

use tonic::{Request, Response, Status};
use treenail_proto::glue::v1::{
    BatchGetTriggersRequest, BatchGetTriggersResponse, CreateTriggerRequest, CreateTriggerResponse,
    DeleteTriggerRequest, DeleteTriggerResponse, GetTriggerRequest, GetTriggerResponse, GetTriggersRequest,
    GetTriggersResponse, ListTriggersRequest, ListTriggersResponse, StartTriggerRequest, StartTriggerResponse,
    StopTriggerRequest, StopTriggerResponse, UpdateTriggerRequest, UpdateTriggerResponse,
    trigger_service_server::TriggerService,
};

use super::{Services, open};
use crate::{
    catalog::PageRequest,
    codec,
    kind::Kind,
    store::{Filter, Store},
};

/// The most triggers in a page, and the default (`Glue API: GetTriggers`, `ListTriggers`).
const TRIGGERS_PAGE_MAX: usize = 200;

#[tonic::async_trait]
impl<S: Store> TriggerService for Services<S> {
    async fn create_trigger(
        &self,
        request: Request<CreateTriggerRequest>,
    ) -> Result<Response<CreateTriggerResponse>, Status> {
        let (caller, mut request) = open(request)?;
        let is_started = request.start_on_creation.unwrap_or_default();
        let tags = std::mem::take(&mut request.tags);
        let name = self
            .catalog
            .create_trigger(&caller, codec::new_trigger(request), is_started, tags)
            .await?;
        Ok(Response::new(CreateTriggerResponse { name: Some(name) }))
    }

    async fn update_trigger(
        &self,
        request: Request<UpdateTriggerRequest>,
    ) -> Result<Response<UpdateTriggerResponse>, Status> {
        let (caller, request) = open(request)?;
        let name = request.name.unwrap_or_default();
        let trigger = self
            .catalog
            .update_trigger(&caller, name, request.trigger_update.unwrap_or_default())
            .await?;
        Ok(Response::new(UpdateTriggerResponse { trigger: Some(trigger) }))
    }

    async fn delete_trigger(
        &self,
        request: Request<DeleteTriggerRequest>,
    ) -> Result<Response<DeleteTriggerResponse>, Status> {
        let (caller, request) = open(request)?;
        let name = self
            .catalog
            .delete_trigger(&caller, request.name.unwrap_or_default())
            .await?;
        Ok(Response::new(DeleteTriggerResponse { name: Some(name) }))
    }

    async fn get_trigger(&self, request: Request<GetTriggerRequest>) -> Result<Response<GetTriggerResponse>, Status> {
        let (caller, request) = open(request)?;
        let trigger = self.catalog.trigger(&caller, &request.name.unwrap_or_default()).await?;
        Ok(Response::new(GetTriggerResponse { trigger: Some(trigger) }))
    }

    async fn get_triggers(
        &self,
        request: Request<GetTriggersRequest>,
    ) -> Result<Response<GetTriggersResponse>, Status> {
        let (caller, request) = open(request)?;
        let page = PageRequest {
            operation: "GetTriggers",
            token: request.next_token,
            max_results: request.max_results,
            limit: TRIGGERS_PAGE_MAX,
            filter: Filter {
                started_job: request.dependent_job_name,
                ..Filter::default()
            },
        };
        let (triggers, next_token) = self.catalog.page(&caller.scope, page).await?;
        Ok(Response::new(GetTriggersResponse { triggers, next_token }))
    }

    async fn batch_get_triggers(
        &self,
        request: Request<BatchGetTriggersRequest>,
    ) -> Result<Response<BatchGetTriggersResponse>, Status> {
        let (caller, request) = open(request)?;
        let (triggers, triggers_not_found) = self.catalog.triggers(&caller, request.trigger_names).await?;
        Ok(Response::new(BatchGetTriggersResponse {
            triggers,
            triggers_not_found,
        }))
    }

    async fn list_triggers(
        &self,
        request: Request<ListTriggersRequest>,
    ) -> Result<Response<ListTriggersResponse>, Status> {
        let (caller, request) = open(request)?;
        let page = PageRequest {
            operation: "ListTriggers",
            token: request.next_token,
            max_results: request.max_results,
            limit: TRIGGERS_PAGE_MAX,
            filter: Filter {
                tags: request.tags,
                started_job: request.dependent_job_name,
            },
        };
        let (trigger_names, next_token) = self.catalog.names(&caller.scope, Kind::Trigger, page).await?;
        Ok(Response::new(ListTriggersResponse {
            trigger_names,
            next_token,
        }))
    }

    async fn start_trigger(
        &self,
        request: Request<StartTriggerRequest>,
    ) -> Result<Response<StartTriggerResponse>, Status> {
        let (caller, request) = open(request)?;
        let name = self
            .catalog
            .start_trigger(&caller, request.name.unwrap_or_default())
            .await?;
        Ok(Response::new(StartTriggerResponse { name: Some(name) }))
    }

    async fn stop_trigger(
        &self,
        request: Request<StopTriggerRequest>,
    ) -> Result<Response<StopTriggerResponse>, Status> {
        let (caller, request) = open(request)?;
        let name = self
            .catalog
            .stop_trigger(&caller, request.name.unwrap_or_default())
            .await?;
        Ok(Response::new(StopTriggerResponse { name: Some(name) }))
    }
}
