//! The gRPC services: each call is decoded, done by the store and encoded.

use std::sync::Arc;

use tonic::{Request, Response, Status, service::Routes};
use treenail_proto::{
    glue::v1::{
        GetWorkflowRunPropertiesRequest, GetWorkflowRunPropertiesResponse, PutWorkflowRunPropertiesRequest,
        PutWorkflowRunPropertiesResponse,
        run_properties_service_server::{RunPropertiesService, RunPropertiesServiceServer},
    },
    internal::v1::{
        BatchGetRunPropertiesRequest, BatchGetRunPropertiesResponse, ForgetRunPropertiesRequest,
        ForgetRunPropertiesResponse, SeedRunPropertiesRequest, SeedRunPropertiesResponse,
        seed_service_server::{SeedService, SeedServiceServer},
    },
};
use treenail_rpc::{Caller, limits::GRPC_MESSAGE_BYTES_MAX};

use crate::{codec, config::Config, error::Error, store::Store};

/// The properties-store, ready to serve.
#[derive(Debug)]
pub struct Service<S> {
    shared: Arc<Shared<S>>,
}

#[derive(Debug)]
struct Shared<S> {
    config: Config,
    store: S,
}

impl<S: Store> Service<S> {
    pub(crate) fn new(config: Config, store: S) -> Service<S> {
        Service {
            shared: Arc::new(Shared { config, store }),
        }
    }

    /// The gRPC services, to be served in this process or on a socket.
    #[must_use]
    pub fn routes(&self) -> Routes {
        Routes::new(
            RunPropertiesServiceServer::new(self.clone())
                .max_decoding_message_size(GRPC_MESSAGE_BYTES_MAX)
                .max_encoding_message_size(GRPC_MESSAGE_BYTES_MAX),
        )
        .add_service(
            SeedServiceServer::new(self.clone())
                .max_decoding_message_size(GRPC_MESSAGE_BYTES_MAX)
                .max_encoding_message_size(GRPC_MESSAGE_BYTES_MAX),
        )
    }
}

// Not derived: a derive would ask for a store that can be cloned.
impl<S> Clone for Service<S> {
    fn clone(&self) -> Self {
        Service {
            shared: Arc::clone(&self.shared),
        }
    }
}

#[tonic::async_trait]
impl<S: Store> RunPropertiesService for Service<S> {
    async fn get_workflow_run_properties(
        &self,
        request: Request<GetWorkflowRunPropertiesRequest>,
    ) -> Result<Response<GetWorkflowRunPropertiesResponse>, Status> {
        let caller = Caller::from_request(&request)?;
        let (key, workflow) = codec::get(caller.scope, request.into_inner())?;
        let found = self.shared.store.get(&key).await?;
        let run = found.filter(|run| run.workflow == workflow).ok_or(Error::RunNotFound)?;
        Ok(Response::new(codec::got(run)))
    }

    async fn put_workflow_run_properties(
        &self,
        request: Request<PutWorkflowRunPropertiesRequest>,
    ) -> Result<Response<PutWorkflowRunPropertiesResponse>, Status> {
        let caller = Caller::from_request(&request)?;
        let put = codec::put(caller, request.into_inner())?;
        self.shared.store.put(put, self.shared.config.limits()).await?;
        Ok(Response::new(PutWorkflowRunPropertiesResponse {}))
    }
}

#[tonic::async_trait]
impl<S: Store> SeedService for Service<S> {
    async fn seed_run_properties(
        &self,
        request: Request<SeedRunPropertiesRequest>,
    ) -> Result<Response<SeedRunPropertiesResponse>, Status> {
        let seeds = codec::seeds(request.into_inner())?;
        self.shared.store.seed(seeds).await?;
        Ok(Response::new(SeedRunPropertiesResponse {}))
    }

    async fn batch_get_run_properties(
        &self,
        request: Request<BatchGetRunPropertiesRequest>,
    ) -> Result<Response<BatchGetRunPropertiesResponse>, Status> {
        let caller = Caller::from_request(&request)?;
        let run_ids = codec::run_ids(request.into_inner().run_ids)?;
        let runs = self.shared.store.get_many(&caller.scope, run_ids).await?;
        Ok(Response::new(codec::got_many(runs)))
    }

    async fn forget_run_properties(
        &self,
        request: Request<ForgetRunPropertiesRequest>,
    ) -> Result<Response<ForgetRunPropertiesResponse>, Status> {
        let caller = Caller::from_request(&request)?;
        let run_ids = codec::run_ids(request.into_inner().run_ids)?;
        self.shared.store.forget(&caller.scope, run_ids).await?;
        Ok(Response::new(ForgetRunPropertiesResponse {}))
    }
}
