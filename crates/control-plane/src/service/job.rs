//! `treenail.glue.v1.JobService`.

use tonic::{Request, Response, Status};
use treenail_proto::glue::v1::{
    BatchGetJobsRequest, BatchGetJobsResponse, CreateJobRequest, CreateJobResponse, DeleteJobRequest,
    DeleteJobResponse, GetJobRequest, GetJobResponse, GetJobsRequest, GetJobsResponse, ListJobsRequest,
    ListJobsResponse, UpdateJobRequest, UpdateJobResponse, job_service_server::JobService,
};

use super::{Services, open};
use crate::{
    catalog::PageRequest,
    codec,
    kind::Kind,
    store::{Filter, Store},
};

/// The most jobs in a page, and the default (`Glue API: GetJobs`, `ListJobs`).
const JOBS_PAGE_MAX: usize = 1_000;

#[tonic::async_trait]
impl<S: Store> JobService for Services<S> {
    async fn create_job(&self, request: Request<CreateJobRequest>) -> Result<Response<CreateJobResponse>, Status> {
        let (caller, mut request) = open(request)?;
        let tags = std::mem::take(&mut request.tags);
        let name = self.catalog.create_job(&caller, codec::new_job(request), tags).await?;
        Ok(Response::new(CreateJobResponse { name: Some(name) }))
    }

    async fn update_job(&self, request: Request<UpdateJobRequest>) -> Result<Response<UpdateJobResponse>, Status> {
        let (caller, request) = open(request)?;
        let name = request.job_name.unwrap_or_default();
        let name = self
            .catalog
            .update_job(&caller, name, request.job_update.unwrap_or_default())
            .await?;
        Ok(Response::new(UpdateJobResponse { job_name: Some(name) }))
    }

    async fn delete_job(&self, request: Request<DeleteJobRequest>) -> Result<Response<DeleteJobResponse>, Status> {
        let (caller, request) = open(request)?;
        let name = self
            .catalog
            .delete_job(&caller, request.job_name.unwrap_or_default())
            .await?;
        Ok(Response::new(DeleteJobResponse { job_name: Some(name) }))
    }

    async fn get_job(&self, request: Request<GetJobRequest>) -> Result<Response<GetJobResponse>, Status> {
        let (caller, request) = open(request)?;
        let job = self.catalog.job(&caller, &request.job_name.unwrap_or_default()).await?;
        Ok(Response::new(GetJobResponse { job: Some(job) }))
    }

    async fn get_jobs(&self, request: Request<GetJobsRequest>) -> Result<Response<GetJobsResponse>, Status> {
        let (caller, request) = open(request)?;
        let page = PageRequest {
            operation: "GetJobs",
            token: request.next_token,
            max_results: request.max_results,
            limit: JOBS_PAGE_MAX,
            filter: Filter::default(),
        };
        let (jobs, next_token) = self.catalog.page(&caller.scope, page).await?;
        Ok(Response::new(GetJobsResponse { jobs, next_token }))
    }

    async fn batch_get_jobs(
        &self,
        request: Request<BatchGetJobsRequest>,
    ) -> Result<Response<BatchGetJobsResponse>, Status> {
        let (caller, request) = open(request)?;
        let (jobs, jobs_not_found) = self.catalog.jobs(&caller, request.job_names).await?;
        Ok(Response::new(BatchGetJobsResponse { jobs, jobs_not_found }))
    }

    async fn list_jobs(&self, request: Request<ListJobsRequest>) -> Result<Response<ListJobsResponse>, Status> {
        let (caller, request) = open(request)?;
        let page = PageRequest {
            operation: "ListJobs",
            token: request.next_token,
            max_results: request.max_results,
            limit: JOBS_PAGE_MAX,
            filter: Filter {
                tags: request.tags,
                started_job: None,
            },
        };
        let (job_names, next_token) = self.catalog.names(&caller.scope, Kind::Job, page).await?;
        Ok(Response::new(ListJobsResponse { job_names, next_token }))
    }
}
