//! The service is put together, and runs.

use std::{future::Future, path::Path};

use tonic::service::Routes;
use treenail_proto::{
    glue::v1::{job_run_service_server::JobRunServiceServer, workflow_run_service_server::WorkflowRunServiceServer},
    internal::v1::{
        plan_service_server::PlanServiceServer, scheduler_clock_service_server::SchedulerClockServiceServer,
    },
    ops::v1::{
        bookmark_service_server::BookmarkServiceServer, event_service_server::EventServiceServer,
        history_service_server::HistoryServiceServer, log_service_server::LogServiceServer,
        watch_service_server::WatchServiceServer,
    },
    worker::v1::worker_service_server::WorkerServiceServer,
};
use treenail_rpc::{Channel, Clock, Entropy, limits::GRPC_MESSAGE_BYTES_MAX};

use crate::{
    config::Config,
    logs::Logs,
    news::News,
    queries::Queries,
    retention::Sweeper,
    scheduler::{Context, Fatal, Handle, Intake, Scheduler},
    service::Api,
    store::Store,
};

/// The services that the run-scheduler serves, for health checks and reflection.
pub const SERVICES: &[&str] = &[
    "treenail.glue.v1.WorkflowRunService",
    "treenail.glue.v1.JobRunService",
    "treenail.ops.v1.EventService",
    "treenail.ops.v1.HistoryService",
    "treenail.ops.v1.WatchService",
    "treenail.ops.v1.LogService",
    "treenail.ops.v1.BookmarkService",
    "treenail.internal.v1.PlanService",
    "treenail.internal.v1.SchedulerClockService",
    "treenail.worker.v1.WorkerService",
];

/// Those of them that workers call.
pub const WORKER_SERVICES: &[&str] = &["treenail.worker.v1.WorkerService"];

/// What the run-scheduler works with.
#[derive(Debug)]
pub struct Deps<'a, S> {
    /// Where what runs is kept.
    pub store: S,
    /// The properties-store.
    pub properties: Channel,
    /// What tells the time.
    pub clock: Clock,
    /// Where ids come from.
    pub entropy: Entropy,
    /// The folder that holds what job runs write.
    pub logs: &'a Path,
}

/// The run-scheduler, ready to run.
#[derive(Debug)]
pub struct Service<S> {
    api: Api<S>,
    context: Context<S>,
    intake: Intake,
}

/// Puts the run-scheduler together.
#[must_use]
pub fn build<S: Store>(config: Config, deps: Deps<'_, S>) -> Service<S> {
    let Deps {
        store,
        properties,
        clock,
        entropy,
        logs,
    } = deps;
    let (scheduler, intake) = Handle::new();
    let (logs, news) = (Logs::new(logs), News::new());
    let sweeper = Sweeper {
        config,
        store: store.clone(),
        clock: clock.clone(),
        properties: properties.clone(),
        logs: logs.clone(),
    };
    let queries = Queries {
        store: store.clone(),
        properties: properties.clone(),
        clock: clock.clone(),
    };
    let api = Api {
        store: store.clone(),
        scheduler,
        queries,
        sweeper: sweeper.clone(),
        logs: logs.clone(),
        news: news.clone(),
        clock: clock.clone(),
    };
    let context = Context {
        config,
        store,
        clock,
        entropy,
        properties,
        logs,
        news,
        sweeper,
    };
    Service { api, context, intake }
}

impl<S: Store> Service<S> {
    /// The RPCs. Those that change something wait until [`Service::run`] runs.
    #[must_use]
    pub fn routes(&self) -> Routes {
        macro_rules! limited {
            ($server:ident) => {
                $server::new(self.api.clone())
                    .max_decoding_message_size(GRPC_MESSAGE_BYTES_MAX)
                    .max_encoding_message_size(GRPC_MESSAGE_BYTES_MAX)
            };
        }
        Routes::new(limited!(WorkflowRunServiceServer))
            .add_service(limited!(JobRunServiceServer))
            .add_service(limited!(EventServiceServer))
            .add_service(limited!(HistoryServiceServer))
            .add_service(limited!(LogServiceServer))
            .add_service(limited!(WatchServiceServer))
            .add_service(limited!(BookmarkServiceServer))
            .add_service(limited!(PlanServiceServer))
            .add_service(limited!(SchedulerClockServiceServer))
            .add_service(self.worker_service())
    }

    /// The routes of [`WORKER_SERVICES`] alone.
    pub fn worker_routes(&self) -> Routes {
        Routes::new(self.worker_service())
    }

    fn worker_service(&self) -> WorkerServiceServer<Api<S>> {
        WorkerServiceServer::new(self.api.clone())
            .max_decoding_message_size(GRPC_MESSAGE_BYTES_MAX)
            .max_encoding_message_size(GRPC_MESSAGE_BYTES_MAX)
    }

    /// Reads what has not ended and runs it, until it is asked to end.
    ///
    /// # Errors
    ///
    /// When the store fails: what is in memory is then no longer known to be what is stored, so nothing goes on.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send) -> Result<(), Fatal> {
        let scheduler = Scheduler::restore(self.context).await?;
        scheduler.run(self.intake, shutdown).await
    }
}
