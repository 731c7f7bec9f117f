//! Puts the control-plane together.

use std::{future::Future, sync::Arc, time::Duration};

use tonic::service::Routes;
use treenail_proto::{
    glue::v1::{
        job_service_server::JobServiceServer, tag_service_server::TagServiceServer,
        trigger_service_server::TriggerServiceServer, workflow_service_server::WorkflowServiceServer,
    },
    ops::v1::clock_service_server::ClockServiceServer,
};
use treenail_rpc::{Channel, Clock, Entropy, limits::GRPC_MESSAGE_BYTES_MAX};

use crate::{
    catalog::Catalog,
    config::Config,
    outbox::{Outbox, Publisher},
    scheduler::Scheduler,
    service::Services,
    store::Store,
};

/// The gRPC services that the control-plane serves, by their full names.
pub const SERVICES: &[&str] = &[
    "treenail.glue.v1.WorkflowService",
    "treenail.glue.v1.TriggerService",
    "treenail.glue.v1.JobService",
    "treenail.glue.v1.TagService",
    "treenail.ops.v1.ClockService",
];

/// What the control-plane works with.
#[derive(Debug)]
pub struct Deps<S> {
    /// The definitions.
    pub store: S,
    /// The run-scheduler, which serves `PlanService` and `SchedulerClockService`.
    pub scheduler: Channel,
    /// The clock that creations and changes are dated by.
    pub clock: Clock,
    /// The source of the definitions' identities.
    pub entropy: Entropy,
}

/// The control-plane: routes to serve, and a loop to run beside them.
#[derive(Debug)]
pub struct Service<S> {
    routes: Routes,
    publisher: Publisher<S>,
}

/// Puts the control-plane together; nothing happens before its routes are served and it is run.
pub fn build<S: Store>(config: Config, deps: Deps<S>) -> Service<S> {
    let store = Arc::new(deps.store);
    let outbox = Arc::new(Outbox::new(Duration::from_millis(config.publish_wait_ms)));
    let scheduler = Scheduler::new(deps.scheduler, Duration::from_millis(config.last_run_wait_ms));
    let publisher = Publisher {
        store: Arc::clone(&store),
        outbox: Arc::clone(&outbox),
        scheduler: scheduler.clone(),
    };
    let catalog = Catalog {
        store,
        clock: deps.clock,
        entropy: deps.entropy,
        outbox,
        scheduler,
        quotas: config.quotas,
    };
    Service {
        routes: routes(&Services::new(catalog)),
        publisher,
    }
}

impl<S: Store> Service<S> {
    /// The routes of all of [`SERVICES`].
    pub fn routes(&self) -> Routes {
        self.routes.clone()
    }

    /// Publishes plans until `shutdown` completes; what waits then is published by the next process.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        self.publisher.run(shutdown).await;
    }
}

/// Adds every service with the size limits of its messages.
macro_rules! limited {
    ($server:ident, $services:expr) => {
        $server::new($services.clone())
            .max_decoding_message_size(GRPC_MESSAGE_BYTES_MAX)
            .max_encoding_message_size(GRPC_MESSAGE_BYTES_MAX)
    };
}

fn routes<S: Store>(services: &Services<S>) -> Routes {
    Routes::new(limited!(WorkflowServiceServer, services))
        .add_service(limited!(TriggerServiceServer, services))
        .add_service(limited!(JobServiceServer, services))
        .add_service(limited!(TagServiceServer, services))
        .add_service(limited!(ClockServiceServer, services))
}
