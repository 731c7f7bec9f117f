//! `treenail.glue.v1.WorkflowService`.

use tonic::{Request, Response, Status};
use treenail_proto::glue::v1::{
    BatchGetWorkflowsRequest, BatchGetWorkflowsResponse, CreateWorkflowRequest, CreateWorkflowResponse,
    DeleteWorkflowRequest, DeleteWorkflowResponse, GetWorkflowRequest, GetWorkflowResponse, ListWorkflowsRequest,
    ListWorkflowsResponse, UpdateWorkflowRequest, UpdateWorkflowResponse, Workflow,
    workflow_service_server::WorkflowService,
};

use super::{Services, open};
use crate::{
    catalog::PageRequest,
    kind::Kind,
    store::{Filter, Store},
};

/// The most names in a page of ListWorkflows, and its default (`Glue API: ListWorkflows`).
const LIST_WORKFLOWS_MAX: usize = 25;

#[tonic::async_trait]
impl<S: Store> WorkflowService for Services<S> {
    async fn create_workflow(
        &self,
        request: Request<CreateWorkflowRequest>,
    ) -> Result<Response<CreateWorkflowResponse>, Status> {
        let (caller, request) = open(request)?;
        let workflow = Workflow {
            name: request.name,
            description: request.description,
            default_run_properties: request.default_run_properties,
            max_concurrent_runs: request.max_concurrent_runs,
            ..Workflow::default()
        };
        let name = self.catalog.create_workflow(&caller, workflow, request.tags).await?;
        Ok(Response::new(CreateWorkflowResponse { name: Some(name) }))
    }

    async fn update_workflow(
        &self,
        request: Request<UpdateWorkflowRequest>,
    ) -> Result<Response<UpdateWorkflowResponse>, Status> {
        let (caller, request) = open(request)?;
        let workflow = Workflow {
            name: request.name,
            description: request.description,
            default_run_properties: request.default_run_properties,
            max_concurrent_runs: request.max_concurrent_runs,
            ..Workflow::default()
        };
        let name = self.catalog.update_workflow(&caller, workflow).await?;
        Ok(Response::new(UpdateWorkflowResponse { name: Some(name) }))
    }

    async fn delete_workflow(
        &self,
        request: Request<DeleteWorkflowRequest>,
    ) -> Result<Response<DeleteWorkflowResponse>, Status> {
        let (caller, request) = open(request)?;
        let name = self
            .catalog
            .delete_workflow(&caller, request.name.unwrap_or_default())
            .await?;
        Ok(Response::new(DeleteWorkflowResponse { name: Some(name) }))
    }

    async fn get_workflow(
        &self,
        request: Request<GetWorkflowRequest>,
    ) -> Result<Response<GetWorkflowResponse>, Status> {
        let (caller, request) = open(request)?;
        let name = request.name.unwrap_or_default();
        let has_graph = request.include_graph.unwrap_or_default();
        let workflow = self.catalog.workflow(&caller, &name, has_graph).await?;
        Ok(Response::new(GetWorkflowResponse {
            workflow: Some(workflow),
        }))
    }

    async fn list_workflows(
        &self,
        request: Request<ListWorkflowsRequest>,
    ) -> Result<Response<ListWorkflowsResponse>, Status> {
        let (caller, request) = open(request)?;
        let page = PageRequest {
            operation: "ListWorkflows",
            token: request.next_token,
            max_results: request.max_results,
            limit: LIST_WORKFLOWS_MAX,
            filter: Filter::default(),
        };
        let (workflows, next_token) = self.catalog.names(&caller.scope, Kind::Workflow, page).await?;
        Ok(Response::new(ListWorkflowsResponse { workflows, next_token }))
    }

    async fn batch_get_workflows(
        &self,
        request: Request<BatchGetWorkflowsRequest>,
    ) -> Result<Response<BatchGetWorkflowsResponse>, Status> {
        let (caller, request) = open(request)?;
        let has_graph = request.include_graph.unwrap_or_default();
        let (workflows, missing_workflows) = self.catalog.workflows(&caller, request.names, has_graph).await?;
        Ok(Response::new(BatchGetWorkflowsResponse {
            workflows,
            missing_workflows,
        }))
    }
}
